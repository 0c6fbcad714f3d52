// The plain data of telemetry that a page passes in or is handed: options, batches, requests, books.

export type TelemetryConsent = "granted" | "pending" | "denied";

/** Attributes of a metric's stream; every value is of a closed set. */
export type TelemetryAttributes = Readonly<Record<string, string>>;

export interface TelemetryHistogramPoint {
  attributes: TelemetryAttributes;
  count: number;
  sum: number;
  min: number;
  max: number;
  /** One more than there are bounds; bucket i counts values in (bound[i-1], bound[i]]. */
  buckets: number[];
}

/** OpenTelemetry's exponential histogram: bucket i counts values in (base^(offset+i), base^(offset+i+1)], base = 2^(2^-scale). */
export interface TelemetryExponentialPoint {
  attributes: TelemetryAttributes;
  count: number;
  sum: number;
  min: number;
  max: number;
  zeroCount: number;
  scale: number;
  offset: number;
  buckets: number[];
}

export interface TelemetryCounterPoint {
  attributes: TelemetryAttributes;
  value: number;
}

/** What was added up since the batch before: deltas, never totals. */
export type TelemetryMetric =
  | { kind: "histogram"; name: string; unit: string; bounds: readonly number[]; points: TelemetryHistogramPoint[] }
  | { kind: "exponential"; name: string; unit: string; points: TelemetryExponentialPoint[] }
  | { kind: "counter"; name: string; unit: string; points: TelemetryCounterPoint[] };

export interface TelemetryEvent {
  /** `ml.prediction`, say. */
  name: string;
  /** Milliseconds since 1970. */
  recordedAt: number;
  /** OpenTelemetry's INFO or ERROR. */
  severity: 9 | 17;
  attributes: Record<string, string | number | boolean>;
}

/** What is about to be sent. */
export interface TelemetryBatch {
  /** Milliseconds since 1970: when its first and last record may have been made. */
  startedAt: number;
  endedAt: number;
  metrics: TelemetryMetric[];
  events: TelemetryEvent[];
}

/** One request. Whoever receives it must count an `id` once: what is not known to have arrived is sent again. */
export interface TelemetryRequest {
  /** 128 random bits in hex. */
  id: string;
  path: "/v1/metrics" | "/v1/logs" | "/v1/beacon";
  /** JSON. */
  body: string;
}

/** The part of OpenTelemetry's `Meter` that is used. */
export interface MeterLike {
  createHistogram(
    name: string,
    options: { unit: string },
  ): { record(value: number, attributes: TelemetryAttributes): void };
  createCounter(name: string, options: { unit: string }): { add(value: number, attributes: TelemetryAttributes): void };
}

/** The part of OpenTelemetry's `Logger` that is used. */
export interface LoggerLike {
  emit(record: {
    eventName: string;
    timestamp: number;
    severityNumber: number;
    attributes: Record<string, string | number | boolean>;
  }): void;
}

/** On where `endpoint`, `exporter` or `otel` is given; else nothing is recorded. */
export interface TelemetryOptions {
  /** Base URL of the collector; `/v1/metrics` and `/v1/logs` are added. */
  endpoint?: string;
  /**
   * `otlp`, the default: OTLP/HTTP in JSON, which every OpenTelemetry Collector takes. `beacon`: one small `text/plain` request to
   * `{endpoint}/v1/beacon`, which other origins get without a preflight.
   */
  protocol?: "otlp" | "beacon";
  /** Sends a request in place of the library: `retry` is asked again later, `drop` is given up. */
  exporter?: (parcel: TelemetryRequest) => Promise<"sent" | "retry" | "drop">;
  /** Instruments of an OpenTelemetry SDK that the page runs anyway: they are told each figure as it comes. */
  otel?: { meter?: MeterLike; logger?: LoggerLike };
  /** Sent as `service.name` and `service.version`. */
  service?: { name: string; version?: string };
  /** Default `granted`. `pending` keeps up to 50 events and the sums in memory, `denied` drops all and records nothing. */
  consent?: TelemetryConsent;
  /** The collector's public write key, sent as `X-Insitu-Key`; as `?key=` where a browser lets no header be set. */
  writeKey?: string;
  /** Milliseconds between two sends. Default 30,000. */
  flushInterval?: number;
  /** Share of predictions that become an event of their own, 0 to 1. Default 0.1; the sums count all. */
  sampling?: number;
  /** Default `explicit` buckets, which Prometheus's text form can carry; `exponential` for stores that speak OTLP natively. */
  histogram?: "explicit" | "exponential";
  /** Sends the index of the predicted and of the true class. Default false. */
  classes?: boolean;
  /** Sends messages of errors, scrubbed and cut to 256 bytes. Default false. */
  messages?: boolean;
  /** Under Global Privacy Control, or Do Not Track: only sums, no events (`aggregates`, the default), or nothing (`off`). */
  globalPrivacyControl?: "aggregates" | "off";
  /** Local differential privacy: classes and outcomes are answered at random with the odds that epsilon sets (k-ary randomised response). */
  privacy?: { epsilon: number };
  /** Sees each batch before it is sent; what it answers is sent, `null` drops the batch. */
  beforeSend?: (batch: TelemetryBatch) => TelemetryBatch | null;
  /** False for browsers that refuse requests which outlive their page. Default `auto`. */
  keepalive?: "auto" | false;
}

/** The books: `recorded` is `sent` and `pending` and all of `dropped` together. */
export interface TelemetryStats {
  /** Records since the page opened. */
  recorded: number;
  /** Of those, acknowledged by the collector. */
  sent: number;
  /** Of those, waiting, in memory or in this browser's outbox. */
  pending: number;
  /** Of those, given up, by reason. */
  dropped: Record<string, number>;
}
