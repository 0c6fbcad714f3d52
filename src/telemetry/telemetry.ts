// What the page reports of itself: records in, one request at a time out, nothing at all without an endpoint.
import { isInsituError } from "../errors.js";
import type { Backend, Consent, ModelInfo, TelemetryOptions, TelemetryStats, Timings } from "../types.js";
import { createAggregate } from "./aggregate.js";
import { type Batch, toOtlp } from "./otlp.js";

/** Never throws, never blocks, and carries durations and names of models only. */
export interface Telemetry {
  predicted(model: ModelInfo, backend: Backend, timings: Timings): void;
  loaded(model: ModelInfo, milliseconds: number): void;
  failed(stage: "load" | "predict", error: unknown, model?: ModelInfo, milliseconds?: number): void;
  setConsent(consent: Consent): void;
  flush(): Promise<void>;
  stats(): TelemetryStats;
  close(): Promise<void>;
}

const FLUSH_MS = 30_000;
// A collector that hangs must not hold the next batch for good.
const SEND_MS = 10_000;
// Batches that wait for a collector that is away: about an hour of them, some kilobytes each.
const MAX_WAITING = 120;
const STAGES = ["queue", "transfer", "preprocess", "execute", "readback", "postprocess"] as const;

interface Waiting extends Batch {
  records: number;
}

export function createTelemetry(options: TelemetryOptions): Telemetry {
  const { endpoint } = options;
  if (!endpoint) return silent();
  const url = `${endpoint.replace(/\/+$/, "")}/v1/metrics`;
  // Kept now: a page's own instrumentation of fetch must not see our requests and report them in turn.
  const send = globalThis.fetch?.bind(globalThis);
  const resource = resourceOf(options);
  const aggregate = createAggregate();
  const dropped: Record<string, number> = {};
  let consent: Consent = options.consent ?? "granted";
  let records = 0;
  let recorded = 0;
  let sent = 0;
  let start = Date.now();
  let waiting: Waiting[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let sending: Promise<void> | undefined;

  const drop = (reason: string, count: number) => {
    if (count > 0) dropped[reason] = (dropped[reason] ?? 0) + count;
  };

  const record = (write: () => void) => {
    recorded += 1;
    if (consent === "denied") {
      drop("consent", 1);
      return;
    }
    write();
    records += 1;
    timer ??= setTimeout(() => void flush(), options.flushInterval ?? FLUSH_MS);
  };

  /** Closes the current sums into a batch that waits. */
  const cut = () => {
    if (records === 0) return;
    const end = Date.now();
    waiting.push({ metrics: aggregate.take(), start, end, records });
    start = end;
    records = 0;
    for (const oldest of waiting.splice(0, Math.max(0, waiting.length - MAX_WAITING)))
      drop("queue_overflow", oldest.records);
  };

  const post = async (batch: Waiting, keepalive: boolean): Promise<"sent" | "later" | "never"> => {
    try {
      const headers: Record<string, string> = { "content-type": "application/json" };
      if (options.writeKey) headers["x-insitu-key"] = options.writeKey;
      const body = JSON.stringify(toOtlp(batch, resource));
      // A request that outlives its page must not hang on a signal that ends with the page.
      const signal = keepalive ? undefined : AbortSignal.timeout(SEND_MS);
      const response = await send(url, { method: "POST", headers, body, keepalive, signal, credentials: "omit" });
      // The body is read so that the connection is free again.
      await response.text();
      if (response.ok) return "sent";
      return RETRY.has(response.status) ? "later" : "never";
    } catch {
      return "later";
    }
  };

  const drain = async (keepalive: boolean) => {
    for (let batch = waiting.shift(); batch; batch = waiting.shift()) {
      const outcome = await post(batch, keepalive);
      if (outcome === "sent") sent += batch.records;
      else if (outcome === "never") drop("rejected", batch.records);
      else if (consent === "granted") {
        waiting.unshift(batch);
        // The next flush tries again; meanwhile the page's own requests come first.
        timer ??= setTimeout(() => void flush(), options.flushInterval ?? FLUSH_MS);
        return;
      } else drop("consent", batch.records);
    }
  };

  const flush = async (keepalive = false): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    if (consent !== "granted" || !send) return;
    cut();
    sending ??= drain(keepalive).finally(() => {
      sending = undefined;
    });
    await sending;
  };

  const onHide = () => {
    if (document.visibilityState === "hidden") void flush(true);
  };
  const onLeave = () => void flush(true);
  if (typeof document !== "undefined") {
    document.addEventListener("visibilitychange", onHide);
    addEventListener("pagehide", onLeave);
  }

  return {
    predicted: (model, backend, timings) =>
      record(() => {
        const attributes = { ...ref(model), "ml.runtime.backend": backend, "ml.inference.mode": "online" };
        aggregate.histogram("ml.inference.duration", timings.total / 1000, attributes);
        for (const stage of STAGES) {
          const staged = { "ml.model.name": model.name, "ml.runtime.backend": backend, "ml.inference.stage": stage };
          aggregate.histogram("ml.inference.stage.duration", timings[stage] / 1000, staged);
        }
      }),
    loaded: (model, milliseconds) =>
      record(() =>
        aggregate.histogram("ml.model.load.duration", milliseconds / 1000, {
          ...ref(model),
          "ml.model.source": model.source,
        }),
      ),
    failed: (stage, error, model, milliseconds) =>
      record(() => {
        const type = isInsituError(error) ? error.code : "_OTHER";
        aggregate.counter("ml.errors", "{error}", { "error.type": type, "ml.inference.stage": stage });
        if (!model || milliseconds === undefined) return;
        const attributes = {
          ...ref(model),
          "ml.runtime.backend": model.backend,
          "ml.inference.mode": "online",
          "error.type": type,
        };
        aggregate.histogram("ml.inference.duration", milliseconds / 1000, attributes);
      }),
    setConsent(next) {
      consent = next;
      if (next === "denied") {
        aggregate.take();
        drop("consent", records + waiting.reduce((sum, batch) => sum + batch.records, 0));
        records = 0;
        waiting = [];
      } else if (next === "granted" && records > 0)
        timer ??= setTimeout(() => void flush(), options.flushInterval ?? FLUSH_MS);
    },
    flush: () => flush(),
    stats: () => ({
      recorded,
      sent,
      pending: recorded - sent - Object.values(dropped).reduce((a, b) => a + b, 0),
      dropped: { ...dropped },
    }),
    async close() {
      if (typeof document !== "undefined") {
        document.removeEventListener("visibilitychange", onHide);
        removeEventListener("pagehide", onLeave);
      }
      await flush(true);
      clearTimeout(timer);
    },
  };
}

// OTLP/HTTP: these answers may be tried again, all others never.
const RETRY = new Set([429, 502, 503, 504]);

function ref(model: ModelInfo): Record<string, string> {
  return { "ml.model.name": model.name, "ml.model.version": model.version };
}

function resourceOf({ service }: TelemetryOptions): Record<string, string> {
  return {
    "service.name": service?.name ?? "unknown_service",
    ...(service?.version && { "service.version": service.version }),
    "telemetry.sdk.name": "insitu",
    "telemetry.sdk.language": "webjs",
  };
}

function silent(): Telemetry {
  const nothing = () => undefined;
  return {
    predicted: nothing,
    loaded: nothing,
    failed: nothing,
    setConsent: nothing,
    flush: async () => undefined,
    stats: () => ({ recorded: 0, sent: 0, pending: 0, dropped: {} }),
    close: async () => undefined,
  };
}
