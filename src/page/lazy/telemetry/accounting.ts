// Counts what became of each record: `recorded` is `sent`, `pending` and `dropped` together at any time.

import type { Signal } from "./emitter.js";
import type { ExportRequest } from "./requests.js";
import type { TelemetryStats } from "./types.js";

/** Why records were dropped. */
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

/** The dropped records of a request; without a count all of them. */
export interface DroppedRecords {
  reason: DropReason;
  count?: number;
}

export interface Accounting {
  recorded(count: number): void;
  drop(reason: DropReason, records: Partial<Record<Signal, number>>): void;
  /** Starts to track requests that are about to be sent. */
  track(requests: ExportRequest[]): void;
  /** Their records go back to the recorder, and are sent in other requests. */
  untrack(requests: ExportRequest[]): void;
  /** The request is done: its records were sent, except those that were dropped. Requests of other pages, which the outbox holds too, are not counted. */
  settle(request: ExportRequest, dropped?: DroppedRecords): void;
  stats(): TelemetryStats;
}

/** `onDrop` is called for every drop, also of other pages' records. */
export function createAccounting(onDrop: (signal: Signal, reason: DropReason, count: number) => void): Accounting {
  let recorded = 0;
  let sent = 0;
  const dropped: Record<string, number> = {};
  const ownIds = new Set<string>();

  const drop: Accounting["drop"] = (reason, records) => {
    for (const [signal, count] of Object.entries(records) as [Signal, number][]) {
      if (count <= 0) continue;
      dropped[reason] = (dropped[reason] ?? 0) + count;
      onDrop(signal, reason, count);
    }
  };

  return {
    drop,
    recorded(count) {
      recorded += count;
    },
    track(requests) {
      for (const { id } of requests) ownIds.add(id);
    },
    untrack(requests) {
      for (const { id } of requests) ownIds.delete(id);
    },
    settle(request, loss) {
      const total = request.records.metrics + request.records.events;
      const lost = loss ? Math.min(total, loss.count ?? total) : 0;
      const signal = request.path === "/v1/logs" ? "events" : "metrics";
      const isOwn = ownIds.delete(request.id);
      if (isOwn) sent += total - lost;
      if (loss && isOwn) drop(loss.reason, { [signal]: lost });
      else if (loss && lost > 0) onDrop(signal, loss.reason, lost);
    },
    stats: () => ({
      recorded,
      sent,
      pending: recorded - sent - Object.values(dropped).reduce((sum, count) => sum + count, 0),
      dropped: { ...dropped },
    }),
  };
}
