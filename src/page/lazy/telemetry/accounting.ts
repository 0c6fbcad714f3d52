// What became of each record: recorded is sent, pending and dropped together, at any time.

import type { Signal } from "./recorder.js";
import type { ExportRequest } from "./requests.js";
import type { TelemetryStats } from "./types.js";

/** Why records were given up. */
export type DropReason =
  | "queue_overflow"
  | "outbox_overflow"
  | "outbox_expired"
  | "rejected"
  | "partial"
  | "consent"
  | "privacy"
  | "before_send"
  | "non_finite";

/** Of a request; without a count all of its records. */
export interface DroppedRecords {
  reason: DropReason;
  count?: number;
}

export interface Accounting {
  recorded(count: number): void;
  drop(signal: Signal, reason: DropReason, count: number): void;
  /** These are on their way. */
  opened(parcels: ExportRequest[]): void;
  /** Their records are recorded anew. */
  recalled(parcels: ExportRequest[]): void;
  /** It has arrived, but for what was lost. The outbox holds requests of other pages too, which are not in these books. */
  closed(parcel: ExportRequest, loss?: DroppedRecords): void;
  stats(): TelemetryStats;
}

/** `onDrop` hears of every drop, also of other pages' records. */
export function createAccounting(onDrop: (signal: Signal, reason: DropReason, count: number) => void): Accounting {
  let recorded = 0;
  let sent = 0;
  const lost: Record<string, number> = {};
  const mine = new Set<string>();

  const drop = (signal: Signal, reason: DropReason, count: number) => {
    if (count <= 0) return;
    lost[reason] = (lost[reason] ?? 0) + count;
    onDrop(signal, reason, count);
  };

  return {
    drop,
    recorded(count) {
      recorded += count;
    },
    opened(parcels) {
      for (const { id } of parcels) mine.add(id);
    },
    recalled(parcels) {
      for (const { id } of parcels) mine.delete(id);
    },
    closed(parcel, loss) {
      const all = parcel.records.metrics + parcel.records.events;
      const gone = loss ? Math.min(all, loss.count ?? all) : 0;
      const signal = parcel.path === "/v1/logs" ? "events" : "metrics";
      const isMine = mine.delete(parcel.id);
      if (isMine) sent += all - gone;
      if (loss && isMine) drop(signal, loss.reason, gone);
      else if (loss && gone > 0) onDrop(signal, loss.reason, gone);
    },
    stats: () => ({
      recorded,
      sent,
      pending: recorded - sent - Object.values(lost).reduce((sum, count) => sum + count, 0),
      dropped: { ...lost },
    }),
  };
}
