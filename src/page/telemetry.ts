// What the page's half holds of telemetry: it fetches the rest when there is something to tell, and keeps what is told until then.

import { isInsituError } from "../shared/errors.js";
import type { FailedRecord, TelemetryRecord } from "./lazy/telemetry/records.js";
import type { Telemetry } from "./lazy/telemetry/telemetry.js";
import type { TelemetryConsent, TelemetryOptions, TelemetryStats } from "./lazy/telemetry/types.js";

export interface TelemetryHandle {
  readonly isOn: boolean;
  /** Fetches what will be needed, so that it is there when a page ends early. */
  begin(): void;
  /** Never throws, never waits; does nothing where telemetry is off. */
  record(record: TelemetryRecord): void;
  setConsent(consent: TelemetryConsent): void;
  flush(): Promise<void>;
  stats(): TelemetryStats;
  close(): Promise<void>;
}

// What a page may tell in the moment that fetching a few kilobytes takes; more is counted as dropped.
const MAX_WAITING = 1_000;

export function createTelemetryHandle(options: TelemetryOptions, storeName: string): TelemetryHandle {
  const isOn = Boolean(options.endpoint || options.exporter || options.otel);
  const fetch = unwatched(globalThis.fetch);
  const waiting: TelemetryRecord[] = [];
  let dropped = 0;
  let consent = options.consent ?? "granted";
  let telemetry: Telemetry | undefined;
  let fetching: Promise<void> | undefined;

  const arrive = async () => {
    try {
      const { createTelemetry } = await import("./lazy/telemetry/telemetry.js");
      telemetry = createTelemetry({ ...options, consent }, storeName, fetch);
      for (const record of waiting.splice(0)) telemetry.record(record);
    } catch {
      // Blocked, or no network: the page works without.
      dropped += waiting.splice(0).length;
    }
  };
  // Not at the client's creation, which may be on a server.
  const arrived = (): Promise<void> => {
    fetching ??= arrive();
    return fetching;
  };

  return {
    isOn,
    begin() {
      if (isOn) void arrived();
    },
    record(record) {
      if (!isOn) return;
      if (telemetry) return telemetry.record(record);
      if (waiting.length < MAX_WAITING) waiting.push(record);
      else dropped += 1;
      void arrived();
    },
    setConsent(next) {
      consent = next;
      telemetry?.setConsent(next);
    },
    async flush() {
      if (!isOn) return;
      await arrived();
      await telemetry?.flush();
    },
    stats() {
      const { recorded, sent, pending, dropped: reasons } = telemetry?.stats() ?? NOTHING;
      const early = dropped + waiting.length;
      return {
        recorded: recorded + early,
        sent,
        pending: pending + waiting.length,
        dropped: dropped > 0 ? { ...reasons, blocked: (reasons.blocked ?? 0) + dropped } : { ...reasons },
      };
    },
    async close() {
      await fetching;
      await telemetry?.close();
    },
  };
}

/** What a page's instrumentation was put around must not see our requests, which it would report in turn. */
function unwatched(fetch: typeof globalThis.fetch): typeof globalThis.fetch {
  const { __original, __sentry_original__ } = (fetch ?? {}) as {
    __original?: typeof fetch;
    __sentry_original__?: typeof fetch;
  };
  return (__original ?? __sentry_original__ ?? fetch)?.bind(globalThis);
}

const NOTHING: TelemetryStats = { recorded: 0, sent: 0, pending: 0, dropped: {} };

/** What is told of an error: its message without the facts that it names, which are addresses and the page's own words. */
export function describeFailure(error: unknown): Pick<FailedRecord, "errorType" | "message"> {
  if (!isInsituError(error)) return { errorType: "unknown", message: "" };
  const facts = Object.values(error.data).flat();
  const message = facts.reduce<string>(
    (text, fact) => (typeof fact === "string" && fact.length > 1 ? text.replaceAll(fact, "…") : text),
    error.message,
  );
  return { errorType: error.code, message };
}
