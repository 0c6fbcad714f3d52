// The page's small part of telemetry: imports the rest with the first record, and queues records until then.

import { type InsituError, isInsituError } from "../shared/errors.js";
import type { FailedRecord, TelemetryRecord } from "./lazy/telemetry/records.js";
import type { Telemetry } from "./lazy/telemetry/telemetry.js";
import type { TelemetryConsent, TelemetryOptions, TelemetryStats } from "./lazy/telemetry/types.js";
import { checkOneOf } from "./lib/check-option.js";
import { loadChunk } from "./lib/load-chunk.js";

export interface TelemetryHandle {
  readonly isOn: boolean;
  /** Imports the rest early, so that it is there when a page ends early. Resolves with the error of options that do not fit. */
  begin(): Promise<InsituError | undefined>;
  /** Never throws, never blocks; does nothing where telemetry is off. */
  record(record: TelemetryRecord): void;
  /** Throws `input_invalid` for another value. */
  setConsent(consent: TelemetryConsent): void;
  flush(): Promise<void>;
  stats(): TelemetryStats;
  close(): Promise<void>;
}

// What a page may record while a few kilobytes are imported; more is counted as dropped.
const MAX_QUEUED = 1_000;

export function createTelemetryHandle(given: TelemetryOptions | undefined, storeName: string): TelemetryHandle {
  const isOn = Boolean(given);
  const options = given ?? {};
  const fetch = uninstrumented(globalThis.fetch);
  const queue: TelemetryRecord[] = [];
  let dropped = 0;
  let consent = options.consent ?? "granted";
  let telemetry: Telemetry | undefined;
  let loading: Promise<InsituError | undefined> | undefined;

  // Not when the client is created, which may be on a server.
  const load = () => {
    loading ??= importTelemetry(options)
      .then((create) => {
        telemetry = create(consent, storeName, fetch);
        for (const record of queue.splice(0)) telemetry.record(record);
        return undefined;
      })
      // Blocked, or no network: the page works without.
      .catch((error: unknown) => {
        dropped += queue.splice(0).length;
        return (error as InsituError).code === "input_invalid" ? (error as InsituError) : undefined;
      });
    return loading;
  };

  return {
    isOn,
    begin: async () => (isOn ? load() : undefined),
    record(record) {
      if (!isOn) return;
      if (telemetry) return telemetry.record(record);
      if (queue.length < MAX_QUEUED) queue.push(record);
      else dropped += 1;
      void load();
    },
    setConsent(next) {
      checkOneOf("consent", next, ["granted", "pending", "denied"]);
      consent = next;
      telemetry?.setConsent(next);
    },
    async flush() {
      if (!isOn) return;
      await load();
      await telemetry?.flush();
    },
    stats: () => withQueue(telemetry?.stats(), queue.length, dropped),
    async close() {
      await loading;
      await telemetry?.close();
    },
  };
}

/** Imports the rest, with what the options ask for. Rejects with `input_invalid` for options that do not fit. */
async function importTelemetry(options: TelemetryOptions) {
  const [{ createTelemetry }, { checkTelemetryOptions }, exponential, otel, screening] = await loadChunk(
    Promise.all([
      import("./lazy/telemetry/telemetry.js"),
      import("./lazy/telemetry-options/telemetry-options.js"),
      options.histogram === "exponential" ? import("./lazy/telemetry/exponential-histogram.js") : undefined,
      options.otel && import("./lazy/telemetry/otel-bridge.js"),
      options.beforeSend && import("./lazy/telemetry/before-send.js"),
    ]),
  );
  const checked = checkTelemetryOptions(options);
  return (consent: TelemetryConsent, storeName: string, fetch: typeof globalThis.fetch) =>
    createTelemetry({ ...checked, consent }, storeName, fetch, { exponential, otel, screening });
}

/** The statistics, with what is queued here and what was dropped since the rest could not be imported. */
function withQueue(stats: TelemetryStats | undefined, queued: number, dropped: number): TelemetryStats {
  const { recorded = 0, sent = 0, pending = 0, dropped: reasons = {} } = stats ?? {};
  return {
    recorded: recorded + queued + dropped,
    sent,
    pending: pending + queued,
    dropped: dropped > 0 ? { ...reasons, blocked: (reasons.blocked ?? 0) + dropped } : { ...reasons },
  };
}

/** Returns the browser's own `fetch`: instrumentation of the page that wraps it must not report the library's requests in turn. */
function uninstrumented(fetch: typeof globalThis.fetch): typeof globalThis.fetch {
  const { __original, __sentry_original__ } = (fetch ?? {}) as {
    __original?: typeof fetch;
    __sentry_original__?: typeof fetch;
  };
  return (__original ?? __sentry_original__ ?? fetch)?.bind(globalThis);
}

/** What is reported of an error: its code, and its message without the strings of its data, which are URLs and the page's own names. */
export function describeFailure(error: unknown): Pick<FailedRecord, "errorType" | "message"> {
  if (!isInsituError(error)) return { errorType: "unknown", message: "" };
  let { message } = error;
  for (const value of Object.values(error.data).flat())
    if (typeof value === "string" && value.length > 1) message = message.replaceAll(value, "…");
  return { errorType: error.code, message };
}
