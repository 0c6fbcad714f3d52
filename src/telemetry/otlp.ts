// Writes metrics as OTLP/HTTP JSON, the form that an OpenTelemetry Collector and ours read; pure.
import type { Attributes, CounterPoint, HistogramPoint, Metric } from "./aggregate.js";

/** Delta: each point holds what happened since the one before. Enums are numbers in OTLP's JSON. */
const DELTA = 1;

export interface Batch {
  metrics: Metric[];
  /** Milliseconds since 1970: when the batch's first and last record may have been made. */
  start: number;
  end: number;
}

/** The body of `POST {endpoint}/v1/metrics`. */
export function toOtlp(batch: Batch, resource: Attributes): object {
  const times = { startTimeUnixNano: nanos(batch.start), timeUnixNano: nanos(batch.end) };
  return {
    resourceMetrics: [
      {
        resource: { attributes: pairs(resource) },
        scopeMetrics: [{ scope: { name: "insitu" }, metrics: batch.metrics.map((metric) => one(metric, times)) }],
      },
    ],
  };
}

type Times = { startTimeUnixNano: string; timeUnixNano: string };

function one(metric: Metric, times: Times): object {
  const { name, unit } = metric;
  switch (metric.kind) {
    case "histogram": {
      const dataPoints = metric.points.map((point) => histogramPoint(point, metric.bounds, times));
      return { name, unit, histogram: { aggregationTemporality: DELTA, dataPoints } };
    }
    case "counter": {
      const dataPoints = metric.points.map((point) => counterPoint(point, times));
      return { name, unit, sum: { aggregationTemporality: DELTA, isMonotonic: true, dataPoints } };
    }
    default:
      return metric satisfies never;
  }
}

function histogramPoint(
  { attributes, count, sum, min, max, buckets }: HistogramPoint,
  bounds: readonly number[],
  times: Times,
): object {
  // 64-bit integers are decimal strings.
  return {
    attributes: pairs(attributes),
    ...times,
    count: String(count),
    sum,
    min,
    max,
    bucketCounts: buckets.map(String),
    explicitBounds: bounds,
  };
}

function counterPoint({ attributes, value }: CounterPoint, times: Times): object {
  return { attributes: pairs(attributes), ...times, asInt: String(value) };
}

function pairs(attributes: Attributes): object[] {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: { stringValue: value } }));
}

function nanos(milliseconds: number): string {
  return `${Math.round(milliseconds)}000000`;
}
