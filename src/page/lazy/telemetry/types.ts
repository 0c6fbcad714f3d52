// The public data of telemetry: options, batches, requests and statistics.

/** `granted` sends, `pending` keeps in memory, `denied` drops everything and records nothing. */
export type TelemetryConsent = "granted" | "pending" | "denied";

/** Attributes of a metric's stream; every value is from a closed set. */
export type TelemetryAttributes = Readonly<Record<string, string>>;

/** One stream of a histogram with explicit bounds. */
export interface TelemetryHistogramPoint {
  attributes: TelemetryAttributes;
  /** Number of values. */
  count: number;
  sum: number;
  min: number;
  max: number;
  /** One more than there are bounds; bucket i counts values in (bound[i-1], bound[i]]. */
  buckets: number[];
}

/**
 * One stream of OpenTelemetry's exponential histogram: bucket i counts values in (base^(offset+i), base^(offset+i+1)], with
 * base = 2^(2^-scale).
 */
export interface TelemetryExponentialPoint {
  attributes: TelemetryAttributes;
  /** Number of values. */
  count: number;
  sum: number;
  min: number;
  max: number;
  /** Number of values that are 0. */
  zeroCount: number;
  scale: number;
  offset: number;
  buckets: number[];
}

/** One stream of a counter. */
export interface TelemetryCounterPoint {
  attributes: TelemetryAttributes;
  /** What was added since the last batch. */
  value: number;
}

/** What was added since the last batch: deltas, never totals. `unit` is UCUM's: `s`, `By`, `{item}`. */
export type TelemetryMetric =
  | { kind: "histogram"; name: string; unit: string; bounds: readonly number[]; points: TelemetryHistogramPoint[] }
  | { kind: "exponential"; name: string; unit: string; points: TelemetryExponentialPoint[] }
  | { kind: "counter"; name: string; unit: string; points: TelemetryCounterPoint[] };

/** One event, for example a sampled prediction. */
export interface TelemetryEvent {
  /** For example `ml.prediction`. */
  name: string;
  /** Epoch milliseconds. */
  recordedAt: number;
  /** OpenTelemetry's severity number: 9 is INFO, 17 is ERROR. */
  severity: 9 | 17;
  attributes: Record<string, string | number | boolean>;
}

/** What is about to be sent; `TelemetryOptions.beforeSend` may change it. */
export interface TelemetryBatch {
  /** Start of the time in which its records were made, epoch milliseconds. */
  startedAt: number;
  /** End of that time, epoch milliseconds. */
  endedAt: number;
  metrics: TelemetryMetric[];
  events: TelemetryEvent[];
}

/** One request, as `TelemetryOptions.exporter` receives it. The receiver must count each `id` once: a request whose arrival is not known is sent again. */
export interface TelemetryRequest {
  /** 128 random bits as 32 hexadecimal digits. */
  id: string;
  path: "/v1/metrics" | "/v1/logs" | "/v1/beacon";
  /** JSON. */
  body: string;
}

/** The part of OpenTelemetry's `Meter` that the library uses. */
export interface MeterLike {
  createHistogram(
    name: string,
    options: { unit: string; advice: { explicitBucketBoundaries: number[] } },
  ): { record(value: number, attributes: TelemetryAttributes): void };
  createCounter(name: string, options: { unit: string }): { add(value: number, attributes: TelemetryAttributes): void };
}

/** The part of OpenTelemetry's `Logger` that the library uses. */
export interface LoggerLike {
  emit(record: {
    eventName: string;
    /** Epoch milliseconds. */
    timestamp: number;
    severityNumber: number;
    attributes: Record<string, string | number | boolean>;
  }): void;
}

/**
 * What the library reports, and where to. Telemetry is on when `endpoint`, `exporter` or `otel` is given; else nothing is recorded.
 *
 * @example
 * ```ts
 * const client = createClient({
 *   telemetry: { endpoint: "https://collector.example", service: { name: "shop" }, sampling: 0.05, consent: "pending" },
 * });
 * // When the visitor has agreed:
 * client.telemetry.setConsent("granted");
 * ```
 */
export interface TelemetryOptions {
  /**
   * Base URL of the collector, to which `/v1/metrics` and `/v1/logs` are added; one that ends in either is taken as well. A query string is sent
   * with every request.
   */
  endpoint?: string;
  /**
   * Headers by name that are sent with every request, such as `Authorization`. They are never stored. A collector of another origin must allow
   * them (`Access-Control-Allow-Headers`). Everybody who opens the page can read them. With `keepalive: false` what was recorded since the last send may be lost
   * when the page ends, since `sendBeacon` cannot set headers.
   * @defaultValue none
   */
  headers?: Record<string, string>;
  /**
   * `otlp`: OTLP/HTTP in JSON, which every OpenTelemetry Collector accepts. `beacon`: one small `text/plain` request to
   * `{endpoint}/v1/beacon`, which needs no preflight on other origins.
   * @defaultValue `"otlp"`
   */
  protocol?: "otlp" | "beacon";
  /** Sends a request in place of the library. Resolve with `retry` to have it sent again later, with `drop` to give it up. */
  exporter?: (request: TelemetryRequest) => Promise<"sent" | "retry" | "drop">;
  /** Instruments of an OpenTelemetry SDK that the page runs: they receive each figure and event as it is recorded. */
  otel?: { meter?: MeterLike; logger?: LoggerLike };
  /** Sent as `service.name` and `service.version`. */
  service?: { name: string; version?: string };
  /**
   * `pending` keeps up to 500 events and the sums in memory, `denied` drops everything and records nothing.
   * @defaultValue `"granted"`
   */
  consent?: TelemetryConsent;
  /** The collector's public write key, sent as `X-Insitu-Key`; as `?key=` where the browser's API cannot set headers. */
  writeKey?: string;
  /**
   * Time between two sends, in milliseconds.
   * @defaultValue 30_000
   */
  flushInterval?: number;
  /**
   * Share of predictions that become an event of their own, 0 to 1; the sums count all predictions.
   * @defaultValue 0.1
   */
  sampling?: number;
  /**
   * `explicit` bounds can be written as Prometheus's text format; `exponential` is for stores that read OTLP natively.
   * @defaultValue `"explicit"`
   */
  histogram?: "explicit" | "exponential";
  /**
   * Sends the index of the predicted and of the true class.
   * @defaultValue false
   */
  classes?: boolean;
  /**
   * Sends messages of errors, without what may identify somebody and shortened to 256 bytes.
   * @defaultValue false
   */
  messages?: boolean;
  /**
   * When the browser sends Global Privacy Control or Do Not Track: only sums and no events (`aggregates`), or nothing (`off`).
   * @defaultValue `"aggregates"`
   */
  globalPrivacyControl?: "aggregates" | "off";
  /**
   * Local differential privacy: classes and outcomes are randomised in the browser with the probabilities that epsilon sets (k-ary
   * randomised response; Kairouz, Bonawitz, Ramage 2016). Off without this option.
   */
  privacy?: { epsilon: number };
  /** Receives each batch before it is sent; the returned batch is sent, `null` drops it. */
  beforeSend?: (batch: TelemetryBatch) => TelemetryBatch | null;
  /**
   * `auto` sends requests that outlive the page; false is for browsers that refuse them.
   * @defaultValue `"auto"`
   */
  keepalive?: "auto" | false;
}

/** What became of the records: `recorded` is the sum of `sent`, `pending` and all of `dropped`. */
export interface TelemetryStats {
  /** Records since the page was opened. */
  recorded: number;
  /** Of those, accepted by the collector. */
  sent: number;
  /** Of those, waiting in memory or in this browser's outbox. */
  pending: number;
  /** Of those, dropped, by reason. */
  dropped: Record<string, number>;
}

/** The options after their check. */
export interface CheckedTelemetryOptions extends TelemetryOptions {
  /** Attributes of everything that is sent. */
  resource: Record<string, string>;
}
