// Writes batches as OTLP/HTTP JSON, which an OpenTelemetry Collector and ours read; pure.

import type { TelemetryBatch, TelemetryMetric } from "./types.js";

type Values = Readonly<Record<string, string | number | boolean>>;
type Times = { startTimeUnixNano: string; timeUnixNano: string };

/** Delta: each point holds what was added since the point before. Enums are numbers in OTLP's JSON. */
const DELTA = 1;
const SCOPE = { name: "insitu" };

/** The body of `POST {endpoint}/v1/metrics`. */
export function otlpMetrics({ metrics, startedAt, endedAt }: TelemetryBatch, resource: Values): object {
  const times = { startTimeUnixNano: nanos(startedAt), timeUnixNano: nanos(endedAt) };
  const scopeMetrics = [{ scope: SCOPE, metrics: metrics.map((metric) => otlpMetric(metric, times)) }];
  return { resourceMetrics: [{ resource: { attributes: pairs(resource) }, scopeMetrics }] };
}

/** The body of `POST {endpoint}/v1/logs`. */
export function otlpLogs({ events }: TelemetryBatch, resource: Values): object {
  const logRecords = events.map(({ name, recordedAt, severity, attributes }) => ({
    timeUnixNano: nanos(recordedAt),
    observedTimeUnixNano: nanos(recordedAt),
    severityNumber: severity,
    eventName: name,
    attributes: pairs(attributes),
  }));
  const scopeLogs = [{ scope: SCOPE, logRecords }];
  return { resourceLogs: [{ resource: { attributes: pairs(resource) }, scopeLogs }] };
}

/** A 64-bit integer is a decimal string. */
function otlpMetric(metric: TelemetryMetric, times: Times): object {
  const { name, unit } = metric;
  const data = <P extends { attributes: Values }>(points: P[], fieldsOf: (point: P) => object) => ({
    aggregationTemporality: DELTA,
    dataPoints: points.map((point) => ({ ...fieldsOf(point), attributes: pairs(point.attributes), ...times })),
  });
  if (metric.kind === "counter") {
    const sum = data(metric.points, ({ value }) => ({ asInt: String(Math.round(value)) }));
    return { name, unit, sum: { ...sum, isMonotonic: true } };
  }
  if (metric.kind === "histogram") {
    const histogram = data(metric.points, ({ buckets, ...point }) => ({
      ...point,
      count: String(point.count),
      bucketCounts: buckets.map(String),
      explicitBounds: metric.bounds,
    }));
    return { name, unit, histogram };
  }
  const exponentialHistogram = data(metric.points, ({ offset, buckets, ...point }) => ({
    ...point,
    count: String(point.count),
    zeroCount: String(point.zeroCount),
    positive: { offset, bucketCounts: buckets.map(String) },
  }));
  return { name, unit, exponentialHistogram };
}

function pairs(values: Values): object[] {
  return Object.entries(values).map(([key, value]) => ({ key, value: anyValue(value) }));
}

function anyValue(value: string | number | boolean): object {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}

function nanos(milliseconds: number): string {
  return `${Math.round(milliseconds)}000000`;
}
