// The response of `GET /v1/report`, as the dashboard reads it.

/** Between these values lies one that is not known exactly; equal: it is. `high` is null where nothing limits it. */
export type ValueRange = [low: number, high: number | null];

/** Percentiles are interpolated within their buckets, as Prometheus does it; `ranges` are the limits of those, cut at the extremes. */
export interface Spread {
  count: number;
  p50: number;
  p95: number;
  p99: number;
  ranges: { p50: ValueRange; p95: ValueRange; p99: ValueRange };
  /** The largest value. */
  max: ValueRange;
}

/** Times are epoch milliseconds, durations seconds. */
export interface Report {
  from: number;
  to: number;
  step: number;
  models: { name: string; versions: string[]; backends: string[] }[];
  /** Seconds. `stage` "total" comes from ml.inference.duration and has a version; the other stages have none. Times are the starts of steps, ms. */
  latency: ({
    stage: string;
    model: string;
    version: string | null;
    backend: string;
    points: ({ time: number } & Spread)[];
  } & Spread)[];
  throughput: { model: string; backend: string; items: number; points: { time: number; items: number }[] }[];
  errors: { type: string; stage: string; count: number; points: { time: number; count: number }[] }[];
  fallbacks: { from: string; to: string; type: string; count: number }[];
  restarts: { reason: string; count: number }[];
  cache: { result: string; count: number }[];
  loads: ({ model: string; version: string; source: string } & Spread)[];
  /** One a model × version × arm: labelled outcomes with their Wilson 95 % interval, and the label-free estimate (mean confidence with its sampling error) */
  accuracy: {
    model: string;
    version: string;
    arm: string;
    labelled: number;
    correct: number;
    accuracy: number | null;
    low: number;
    high: number;
    brier: number | null;
    estimate: { accuracy: number; standardError: number; n: number } | null;
    points: { time: number; labelled: number; correct: number; low: number; high: number }[];
  }[];
  /** Bytes. */
  memory: { backend: string; kind: string; count: number; mean: number; max: ValueRange }[];
  /**
   * One a model × version × arm, of all backends: predictions with those that failed, `share` of all of the model's, Wilson's 95 % intervals of
   * errors and labelled outcomes, and of each percentile of the successful ones its 95 % interval beside the limits of its bucket.
   */
  arms: {
    model: string;
    version: string;
    arm: string;
    predictions: number;
    share: number;
    errors: { count: number; low: number; high: number };
    latency: Spread & { intervals: Spread["ranges"] };
    accuracy: { labelled: number; correct: number; low: number; high: number };
    points: { time: number; predictions: number }[];
  }[];
  /** What pages did by themselves, and why: `rolled_back` for `latency`. */
  decisions: { model: string; version: string; arm: string; action: string; reason: string; count: number }[];
  /** A shadow beside the version that pages use. Wilson's interval is that of the agreement; `slowdown` is its time over the other's. */
  shadows: {
    model: string;
    version: string;
    agree: number;
    disagree: number;
    failed: number;
    low: number;
    high: number;
    /** Mean absolute difference of confidences. */
    difference: number | null;
    slowdown: Spread | null;
  }[];
  /** What the detectors in the pages found. */
  detections: { model: string; version: string; arm: string; detector: string; target: string; count: number }[];
  telemetry: {
    dropped: { signal: string; reason: string; count: number }[];
    batches: number;
    duplicates: number;
  };
  /** Cells (model × version × arm × backend) left out since fewer than `minBatches` batches hold data of them. */
  hidden: number;
  minBatches: number;
}
