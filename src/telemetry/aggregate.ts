// Sums what is recorded between two sends: delta histograms and counters, a stream for each set of attributes.

export type Attributes = Readonly<Record<string, string>>;

export interface HistogramPoint {
  attributes: Attributes;
  count: number;
  sum: number;
  min: number;
  max: number;
  /** One more than there are bounds; bucket i counts values in (bound[i-1], bound[i]]. */
  buckets: number[];
}

export interface CounterPoint {
  attributes: Attributes;
  value: number;
}

export type Metric =
  | { kind: "histogram"; name: string; unit: string; bounds: readonly number[]; points: HistogramPoint[] }
  | { kind: "counter"; name: string; unit: string; points: CounterPoint[] };

/** Seconds: 0.01 * 2^k as OpenTelemetry's GenAI conventions have it, continued down for models of a few milliseconds. */
export const DURATION_BOUNDS = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24,
] as const;

// OpenTelemetry's own limit is 2000 streams an instrument; a page has a few models on a few backends.
const MAX_STREAMS = 200;
const OVERFLOW: Attributes = { "otel.metric.overflow": "true" };

export interface Aggregate {
  histogram(name: string, seconds: number, attributes: Attributes): void;
  counter(name: string, unit: string, attributes: Attributes): void;
  /** Everything since the last call; the sums start again at nothing. */
  take(): Metric[];
}

export function createAggregate(): Aggregate {
  let metrics = new Map<string, Metric>();
  let streams = new Map<string, HistogramPoint | CounterPoint>();

  const stream = <P extends HistogramPoint | CounterPoint>(
    metric: Metric,
    attributes: Attributes,
    make: (attributes: Attributes) => P,
  ): P => {
    const used =
      metric.points.length < MAX_STREAMS || streams.has(keyOf(metric.name, attributes)) ? attributes : OVERFLOW;
    const key = keyOf(metric.name, used);
    const known = streams.get(key);
    if (known) return known as P;
    const point = make(used);
    streams.set(key, point);
    (metric.points as P[]).push(point);
    return point;
  };

  return {
    histogram(name, seconds, attributes) {
      if (!Number.isFinite(seconds) || seconds < 0) return;
      const metric = getOrMake(metrics, name, () => ({
        kind: "histogram",
        name,
        unit: "s",
        bounds: DURATION_BOUNDS,
        points: [],
      }));
      const point = stream<HistogramPoint>(metric, attributes, (used) => ({
        attributes: used,
        count: 0,
        sum: 0,
        min: seconds,
        max: seconds,
        buckets: new Array<number>(DURATION_BOUNDS.length + 1).fill(0),
      }));
      const bound = DURATION_BOUNDS.findIndex((limit) => seconds <= limit);
      const bucket = bound === -1 ? DURATION_BOUNDS.length : bound;
      point.buckets[bucket] = (point.buckets[bucket] ?? 0) + 1;
      point.count += 1;
      point.sum += seconds;
      point.min = Math.min(point.min, seconds);
      point.max = Math.max(point.max, seconds);
    },
    counter(name, unit, attributes) {
      const metric = getOrMake(metrics, name, () => ({ kind: "counter", name, unit, points: [] }));
      stream<CounterPoint>(metric, attributes, (used) => ({ attributes: used, value: 0 })).value += 1;
    },
    take() {
      const taken = [...metrics.values()];
      metrics = new Map();
      streams = new Map();
      return taken;
    },
  };
}

function getOrMake(metrics: Map<string, Metric>, name: string, make: () => Metric): Metric {
  const metric = metrics.get(name) ?? make();
  metrics.set(name, metric);
  return metric;
}

function keyOf(name: string, attributes: Attributes): string {
  return JSON.stringify([name, ...Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1))]);
}
