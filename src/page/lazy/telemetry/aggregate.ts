// Sums what is recorded between two batches: delta histograms and counters, one stream for each set of attributes.

import { boundAttributes } from "./attributes.js";
import type * as ExponentialHistogram from "./exponential-histogram.js";
import { INSTRUMENTS, type Instrument } from "./instruments.js";
import type {
  TelemetryAttributes,
  TelemetryCounterPoint,
  TelemetryExponentialPoint,
  TelemetryHistogramPoint,
  TelemetryMetric,
} from "./types.js";

// OpenTelemetry's own limit is 2000 streams per instrument; a page has a few models on a few backends.
const MAX_STREAMS = 200;
const OVERFLOW: TelemetryAttributes = { "otel.metric.overflow": "true" };

export interface Aggregate {
  /** False when the value cannot be summed: not finite, or negative. */
  add(instrument: Instrument, value: number, attributes?: TelemetryAttributes): boolean;
  /** Returns everything since the last call; the sums start again at 0. */
  take(): TelemetryMetric[];
  /** Adds metrics that `take` returned to the sums again. */
  merge(metrics: readonly TelemetryMetric[]): void;
}

type Point = TelemetryHistogramPoint | TelemetryExponentialPoint | TelemetryCounterPoint;

/** The functions of exponential histograms: a file of its own, which only pages that ask for such histograms fetch. */
export type Exponential = typeof ExponentialHistogram;

/** With `exponential`, histograms are exponential instead of having fixed bounds. */
export function createAggregate(exponential?: Exponential): Aggregate {
  let metrics = new Map<Instrument, TelemetryMetric>();
  let streams = new Map<string, Point>();

  const metricOf = (name: Instrument): TelemetryMetric => {
    let metric = metrics.get(name);
    if (!metric) {
      metric = emptyMetric(name, exponential !== undefined);
      metrics.set(name, metric);
    }
    return metric;
  };

  const pointOf = (metric: TelemetryMetric, attributes: TelemetryAttributes): Point => {
    // Each caller passes its attributes in one order.
    const key = [metric.name, ...Object.entries(attributes)].join("\n");
    const known = streams.get(key);
    if (known) return known;
    if (metric.points.length >= MAX_STREAMS && attributes !== OVERFLOW) return pointOf(metric, OVERFLOW);
    const point = emptyPoint(metric, boundAttributes(attributes) as TelemetryAttributes, exponential);
    streams.set(key, point);
    (metric.points as Point[]).push(point);
    return point;
  };

  return {
    add(name, value, attributes = {}) {
      if (!(value >= 0 && value < Infinity)) return false;
      const metric = metricOf(name);
      const point = pointOf(metric, attributes);
      if ("value" in point) {
        point.value += value;
        return true;
      }
      point.count += 1;
      point.sum += value;
      point.min = Math.min(point.min, value);
      point.max = Math.max(point.max, value);
      if ("scale" in point) exponential?.addExponential(point, value);
      else {
        const { bounds } = metric as { bounds: readonly number[] };
        const bound = bounds.findIndex((limit) => value <= limit);
        const bucket = bound < 0 ? bounds.length : bound;
        point.buckets[bucket] = (point.buckets[bucket] ?? 0) + 1;
      }
      return true;
    },
    merge(taken) {
      for (const metric of taken)
        for (const from of metric.points)
          mergePoint(pointOf(metricOf(metric.name as Instrument), from.attributes), from, exponential);
    },
    take() {
      const taken = [...metrics.values()];
      metrics = new Map();
      streams = new Map();
      return taken;
    },
  };
}

function emptyMetric(name: Instrument, isExponential: boolean): TelemetryMetric {
  const [unit, bounds]: readonly [string, (readonly number[])?] = INSTRUMENTS[name];
  if (!bounds) return { kind: "counter", name, unit, points: [] };
  if (isExponential) return { kind: "exponential", name, unit, points: [] };
  return { kind: "histogram", name, unit, bounds, points: [] };
}

function emptyPoint(metric: TelemetryMetric, attributes: TelemetryAttributes, exponential?: Exponential): Point {
  if (metric.kind === "counter") return { attributes, value: 0 };
  if (exponential) return exponential.emptyExponential(attributes);
  const { bounds } = metric as { bounds: readonly number[] };
  const buckets = new Array<number>(bounds.length + 1).fill(0);
  return { attributes, count: 0, sum: 0, min: Infinity, max: 0, buckets };
}

/** Both points belong to one instrument. */
function mergePoint(into: Point, from: Point, exponential?: Exponential): void {
  if ("value" in into) {
    into.value += (from as TelemetryCounterPoint).value;
    return;
  }
  const other = from as TelemetryHistogramPoint | TelemetryExponentialPoint;
  into.count += other.count;
  into.sum += other.sum;
  into.min = Math.min(into.min, other.min);
  into.max = Math.max(into.max, other.max);
  if ("scale" in into) exponential?.mergeExponential(into, other as TelemetryExponentialPoint);
  else into.buckets = into.buckets.map((count, i) => count + (other.buckets[i] ?? 0));
}
