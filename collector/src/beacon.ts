// Reads the body of `POST /v1/beacon`: the library's own small form of metrics and events; pure.
import type { Catalogue } from "./catalogue.js";
import { BadBody } from "./otlp.js";
import { parseLogs } from "./otlp-logs.js";
import { parseMetrics } from "./otlp-metrics.js";
import { type Fields, isFields } from "./otlp-values.js";
import type { Event, Point, Rejected } from "./records.js";

export interface Beacon {
  points: Point[];
  events: Event[];
  rejected: Rejected[];
  /** The same as bodies of OTLP. */
  otlp: { metrics: object; logs: object };
}

const VERSION = 1;
const DELTA = 1;

/**
 * `{ v: 1, resource, start, end, metrics, events }`, times in epoch milliseconds. It is converted to OTLP and parsed as that, so
 * that both pass the same checks. Throws `BadBody` for another body.
 */
export function parseBeacon(body: unknown, now: number, catalogue: Catalogue): Beacon {
  if (!isFields(body) || body.v !== VERSION || !Array.isArray(body.metrics) || !Array.isArray(body.events))
    throw new BadBody(`The body must be an object with "v": ${VERSION} and the arrays "metrics" and "events".`);
  const { metrics, logs } = otlpOf(body, body.metrics, body.events);
  const points = parseMetrics(metrics, now, catalogue);
  const events = parseLogs(logs, now);
  const rejected = [...points.rejected, ...events.rejected];
  return { points: points.records, events: events.records, rejected, otlp: { metrics, logs } };
}

function otlpOf(body: Fields, metrics: unknown[], events: unknown[]): Beacon["otlp"] {
  const resource = { attributes: pairs(body.resource) };
  const times = { startTimeUnixNano: nanos(body.start), timeUnixNano: nanos(body.end) };
  const scopeMetrics = [{ metrics: metrics.map((metric) => otlpMetric(metric, times)) }];
  const scopeLogs = [{ logRecords: events.map(otlpEvent) }];
  return {
    metrics: { resourceMetrics: [{ resource, scopeMetrics }] },
    logs: { resourceLogs: [{ resource, scopeLogs }] },
  };
}

function otlpMetric(value: unknown, times: object): unknown {
  if (!isFields(value) || !Array.isArray(value.points)) return value;
  const { name, unit, bounds: explicitBounds } = value;
  const dataPoints = value.points.map((point) =>
    isFields(point) ? otlpPoint(point, { ...times, explicitBounds }) : point,
  );
  const data = { aggregationTemporality: DELTA, isMonotonic: true, dataPoints };
  if (value.kind === "counter") return { name, unit, sum: data };
  return { name, unit, [value.kind === "exponential" ? "exponentialHistogram" : "histogram"]: data };
}

function otlpPoint({ attributes, value, buckets, offset, ...point }: Fields, common: object): object {
  return {
    ...point,
    ...common,
    attributes: pairs(attributes),
    asInt: value,
    ...(offset === undefined ? { bucketCounts: buckets } : { positive: { offset, bucketCounts: buckets } }),
  };
}

function otlpEvent(value: unknown): unknown {
  if (!isFields(value)) return value;
  const { name: eventName, time, severity: severityNumber, attributes } = value;
  return { eventName, severityNumber, timeUnixNano: nanos(time), attributes: pairs(attributes) };
}

function pairs(values: unknown): unknown {
  if (!isFields(values)) return values;
  return Object.entries(values).map(([key, value]) => ({ key, value: anyValue(value) }));
}

function anyValue(value: unknown): unknown {
  switch (typeof value) {
    case "string":
      return { stringValue: value };
    case "boolean":
      return { boolValue: value };
    case "number":
      return { doubleValue: value };
    default:
      return value;
  }
}

/** A value that is not a time stays as it is, and is rejected by OTLP's checks. */
function nanos(milliseconds: unknown): unknown {
  const isTime = typeof milliseconds === "number" && milliseconds >= 0 && Number.isFinite(milliseconds);
  return isTime ? `${Math.round(milliseconds)}000000` : milliseconds;
}
