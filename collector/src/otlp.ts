// Turns the JSON bodies of OTLP/HTTP into points and events, and says what it did not take; pure.
import { createHash } from "node:crypto";
import {
  MAX_CLOCK_SKEW_MS,
  MAX_DESCRIPTION_CHARS,
  MAX_EVENT_CHARS,
  MAX_LABEL_CHARS,
  MAX_NAME_CHARS,
  MAX_RESOURCE_ATTRIBUTES,
  MAX_UNIT_CHARS,
} from "./limits.js";
import { type AmountReader, readCount, readExponential, readHistogram } from "./otlp-points.js";
import {
  anyValue,
  attributes,
  cut,
  type Fields,
  fields,
  isFields,
  list,
  nanos,
  oneOf,
  text,
  Unusable,
} from "./otlp-values.js";
import type { Attributes, Event, Metric, Point, Rejected } from "./records.js";

export interface Parsed<Record> {
  records: Record[];
  rejected: Rejected[];
}

/** The whole body is not what the route takes; nothing of it was used. */
export class BadBody extends Error {
  override name = "BadBody";
}

/**
 * The body of `POST /v1/metrics`. Delta and cumulative histograms and counters are taken; whatever else is there is
 * counted as rejected. Throws `BadBody` when it is no OTLP at all. `now` is this machine's time in milliseconds.
 */
export function parseMetrics(body: unknown, now: number): Parsed<Point> {
  const parsed: Parsed<Point> = { records: [], rejected: [] };
  for (const resourceMetrics of top(body, "resourceMetrics")) {
    attempt(parsed.rejected, () => {
      const { resource, scopeMetrics } = fields(resourceMetrics, "an entry of resourceMetrics");
      const sender = readResource(resource, MAX_LABEL_CHARS);
      for (const one of list(scopeMetrics, "scopeMetrics"))
        attempt(parsed.rejected, () => readScope(one, { sender, now }, parsed));
    });
  }
  return parsed;
}

interface Context {
  sender: Attributes;
  now: number;
}

function readScope(value: unknown, context: Context, into: Parsed<Point>): void {
  const { scope, metrics } = fields(value, "an entry of scopeMetrics");
  const { name, version } = isFields(scope) ? scope : {};
  const origin = JSON.stringify([context.sender, String(name ?? ""), String(version ?? "")]);
  for (const metric of list(metrics, "metrics"))
    attempt(into.rejected, () => readMetric(fields(metric, "an entry of metrics"), origin, context, into));
}

const TEMPORALITY = [
  [1, "AGGREGATION_TEMPORALITY_DELTA", "delta"],
  [2, "AGGREGATION_TEMPORALITY_CUMULATIVE", "cumulative"],
] as const;

// OpenTelemetry's syntax of an instrument's name.
const METRIC_NAME = /^[A-Za-z][\w./-]*$/;

function readMetric(value: Fields, origin: string, context: Context, into: Parsed<Point>): void {
  const name = text(value.name, "a metric's name", MAX_NAME_CHARS);
  const data = dataOf(value);
  const points = list(data.body.dataPoints, `${name}: dataPoints`);
  const all = Math.max(1, points.length);
  attempt(
    into.rejected,
    () => {
      if (!METRIC_NAME.test(name)) throw new Unusable(`${JSON.stringify(name)} is no metric's name`);
      const read = readerOf(name, data);
      const temporality = oneOf(data.body.aggregationTemporality, `${name}: aggregationTemporality`, TEMPORALITY);
      const common = {
        name,
        kind: data.kind === "sum" ? ("counter" as const) : ("histogram" as const),
        unit: text(value.unit, `${name}: unit`, MAX_UNIT_CHARS),
        description: text(value.description, `${name}: description`, MAX_DESCRIPTION_CHARS),
      };
      for (const point of points)
        attempt(into.rejected, () => {
          const taken = readPoint(fields(point, `${name}: a data point`), common, read, context);
          if (!taken) return;
          if (temporality === "delta") into.records.push(taken.point);
          else
            into.records.push({
              ...taken.point,
              cumulative: { ...taken.times, stream: streamOf(origin, taken.point) },
            });
        });
    },
    all,
  );
}

/** Pages report histograms and counters only: a gauge of many pages cannot be merged (docs/decisions). */
function readerOf(name: string, { kind, body }: Data): AmountReader {
  if (kind === "histogram") return readHistogram;
  if (kind === "exponentialHistogram") return readExponential;
  if (kind !== "sum") throw new Unusable(`${name} is a ${kind}; only sums and histograms are taken`);
  if (body.isMonotonic !== true) throw new Unusable(`${name} is a sum that is not monotonic; it cannot be added up`);
  return readCount;
}

const KINDS = ["sum", "histogram", "gauge", "exponentialHistogram", "summary"] as const;

interface Data {
  kind: (typeof KINDS)[number] | "metric without data";
  body: Fields;
}

function dataOf(value: Fields): Data {
  for (const kind of KINDS) {
    const body = value[kind];
    if (isFields(body)) return { kind, body };
  }
  return { kind: "metric without data", body: {} };
}

// Bit 0 of a point's flags: nothing was recorded, the point only says that the stream ended.
const NO_RECORDED_VALUE = 1;

function readPoint(value: Fields, common: Omit<Metric, "bounds">, read: AmountReader, { sender, now }: Context) {
  if (typeof value.flags === "number" && value.flags & NO_RECORDED_VALUE) return null;
  const { name } = common;
  const { amount, bounds } = read(value, name);
  const time = nanos(value.timeUnixNano, `${name}: timeUnixNano`);
  const own = attributes(value.attributes, `${name}: attributes`, MAX_LABEL_CHARS);
  // Two apps may share one collector; every other resource attribute would only multiply the series.
  const service = sender.filter(([key]) => key === "service.name" && !own.some(([known]) => known === key));
  const point: Point = {
    metric: { ...common, bounds },
    attributes: service.length === 0 ? own : [...own, ...service].sort(([a], [b]) => (a < b ? -1 : 1)),
    time: toMilliseconds(time, now),
    amount,
  };
  return { point, times: { start: nanos(value.startTimeUnixNano, `${name}: startTimeUnixNano`), time } };
}

/** One sender's one series: official SDKs tell themselves apart by resource and scope. */
function streamOf(origin: string, { metric, attributes }: Point): string {
  const identity = JSON.stringify([origin, metric.kind, metric.name, metric.unit, attributes]);
  // 128 bits: no two streams of a fleet meet by accident.
  return createHash("sha256").update(identity).digest("hex").slice(0, 32);
}

/** The body of `POST /v1/logs`: each log record becomes an event. Throws `BadBody` when it is no OTLP at all. */
export function parseLogs(body: unknown, now: number): Parsed<Event> {
  const parsed: Parsed<Event> = { records: [], rejected: [] };
  for (const resourceLogs of top(body, "resourceLogs")) {
    attempt(parsed.rejected, () => {
      const { resource, scopeLogs } = fields(resourceLogs, "an entry of resourceLogs");
      const sender = readResource(resource, MAX_EVENT_CHARS);
      for (const scope of list(scopeLogs, "scopeLogs"))
        attempt(parsed.rejected, () => {
          for (const record of list(fields(scope, "an entry of scopeLogs").logRecords, "logRecords"))
            attempt(parsed.rejected, () => {
              parsed.records.push(readEvent(fields(record, "a log record"), sender, now));
            });
        });
    });
  }
  return parsed;
}

// OpenTelemetry's severities: 1 (TRACE) to 24 (FATAL4); 0 is "not said".
const MAX_SEVERITY = 24;

function readEvent(value: Fields, resource: Attributes, now: number): Event {
  const all = attributes(value.attributes, "a log record's attributes", MAX_EVENT_CHARS);
  // Before `eventName` was a field of its own (OTLP 1.5), it was this attribute.
  const older = all.find(([key]) => key === "event.name")?.[1];
  const name = text(value.eventName, "eventName", MAX_NAME_CHARS) || older || null;
  const time = nanos(value.timeUnixNano, "timeUnixNano");
  const observed = nanos(value.observedTimeUnixNano, "observedTimeUnixNano");
  const severity = Number(value.severityNumber ?? 0);
  const body = cut(anyValue(value.body), MAX_EVENT_CHARS);
  return {
    time: toMilliseconds(time === "0" ? observed : time, now),
    name,
    severity: Number.isInteger(severity) && severity >= 0 && severity <= MAX_SEVERITY ? severity : 0,
    body: body === "" ? null : body,
    attributes: all.filter(([key]) => key !== "event.name"),
    resource,
  };
}

function readResource(resource: unknown, limit: number): Attributes {
  return isFields(resource)
    ? attributes(resource.attributes, "the resource's attributes", limit, MAX_RESOURCE_ATTRIBUTES)
    : [];
}

function top(body: unknown, field: string): readonly unknown[] {
  const entries = isFields(body) ? body[field] : undefined;
  if (!Array.isArray(entries)) throw new BadBody(`The body must be OTLP's JSON: an object with an array "${field}".`);
  return entries;
}

/** A device's clock may be years off: what is too far from ours is moved to the edge of the window. */
function toMilliseconds(time: string, now: number): number {
  if (time === "0") return now;
  const milliseconds = Number(BigInt(time) / 1_000_000n);
  return Math.min(now + MAX_CLOCK_SKEW_MS, Math.max(now - MAX_CLOCK_SKEW_MS, milliseconds));
}

/** One bad part must not cost the good ones beside it. */
function attempt(rejected: Rejected[], work: () => void, count = 1): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    rejected.push({ count, reason: error.message });
  }
}
