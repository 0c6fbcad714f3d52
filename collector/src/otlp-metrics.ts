// Turns the JSON body of `POST /v1/metrics` (OTLP/HTTP) into points, and reports what it rejects; pure.
import { createHash } from "node:crypto";
import { type Catalogue, isExponential } from "./catalogue.js";
import { refusalOf, refusalOfExtremes } from "./clamps.js";
import { MAX_CLOCK_SKEW_MS, MAX_DESCRIPTION_CHARS, MAX_LABEL_CHARS, MAX_NAME_CHARS, MAX_UNIT_CHARS } from "./limits.js";
import { attempt, type Parsed, readResource, toMilliseconds, topEntries } from "./otlp.js";
import { type AmountReader, readCount, readExponential, readHistogram } from "./otlp-points.js";
import { attributes, type Fields, fields, isFields, list, nanos, oneOf, text } from "./otlp-values.js";
import type { Attributes, Metric, Point } from "./records.js";
import { Unusable } from "./unusable.js";

/**
 * The body of `POST /v1/metrics`. Delta and cumulative histograms and counters of the catalogue are accepted; everything else is counted as
 * rejected. Throws `BadBody` when it is not OTLP. `now` is this machine's time in epoch milliseconds.
 */
export function parseMetrics(body: unknown, now: number, catalogue: Catalogue): Parsed<Point> {
  const parsed: Parsed<Point> = { records: [], rejected: [] };
  for (const resourceMetrics of topEntries(body, "resourceMetrics")) {
    attempt(parsed.rejected, () => {
      const { resource, scopeMetrics } = fields(resourceMetrics, "an entry of resourceMetrics");
      const sender = readResource(resource, MAX_LABEL_CHARS);
      for (const one of list(scopeMetrics, "scopeMetrics"))
        attempt(parsed.rejected, () => readScope(one, { sender, now, catalogue }, parsed));
    });
  }
  return parsed;
}

interface Context {
  sender: Attributes;
  now: number;
  catalogue: Catalogue;
}

function readScope(value: unknown, context: Context, into: Parsed<Point>): void {
  const { scope, metrics } = fields(value, "an entry of scopeMetrics");
  const { name, version } = isFields(scope) ? scope : {};
  const origin = JSON.stringify([
    context.sender,
    ...[name, version].map((one) => (typeof one === "string" ? one : "")),
  ]);
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
      if (!METRIC_NAME.test(name)) throw new Unusable(`${JSON.stringify(name)} is not a valid metric name`);
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
          const given = fields(point, `${name}: a data point`);
          if (isEmpty(given)) return;
          const taken = readPoint(given, common, read, context);
          into.records.push(temporality === "delta" ? asDelta(taken) : asCumulative(taken, given, origin, context.now));
        });
    },
    all,
  );
}

/** Pages report histograms and counters only: a gauge of many pages cannot be merged (docs/decisions). */
function readerOf(name: string, { kind, body }: Data): AmountReader {
  if (kind === "histogram") return readHistogram;
  if (kind === "exponentialHistogram") return readExponential;
  if (kind !== "sum") throw new Unusable(`${name} is a ${kind}; only sums and histograms are accepted`);
  if (body.isMonotonic !== true) throw new Unusable(`${name} is a sum that is not monotonic; it cannot be added`);
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

// Bit 0 of a point's flags: nothing was recorded, the point only marks the end of the stream.
const NO_RECORDED_VALUE = 1;

function isEmpty({ flags }: Fields): boolean {
  return typeof flags === "number" && (flags & NO_RECORDED_VALUE) !== 0;
}

function readPoint(value: Fields, common: Omit<Metric, "bounds">, read: AmountReader, context: Context): Point {
  const { sender, now, catalogue } = context;
  const { name } = common;
  const { amount, bounds } = read(value, name);
  const own = attributes(value.attributes, `${name}: attributes`, MAX_LABEL_CHARS);
  const metric = catalogue.admit({ ...common, bounds });
  const reason = refusalOfExtremes(metric, amount);
  if (reason) throw new Unusable(reason, "amount");
  // Two apps may share one collector; every other resource attribute would only multiply the series.
  const service = sender.filter(([key]) => key === "service.name" && !own.some(([known]) => known === key));
  return {
    metric,
    attributes: service.length === 0 ? own : [...own, ...service].sort(([a], [b]) => (a < b ? -1 : 1)),
    time: toMilliseconds(nanos(value.timeUnixNano, `${name}: timeUnixNano`), now),
    amount,
  };
}

function asDelta(point: Point): Point {
  const reason = refusalOf(point.metric, point.amount);
  if (reason) throw new Unusable(reason, "amount");
  return point;
}

// Longer than a sender without network keeps its points, and shorter than streams are stored (`keepDays` is at least 8).
const MAX_AGE_MS = 7 * 24 * 3600 * 1000;

/** The differences of its amounts are checked when they are known. Its times order the points of a stream, and so must be true. */
function asCumulative(point: Point, value: Fields, origin: string, now: number): Point {
  const { name } = point.metric;
  const start = nanos(value.startTimeUnixNano, `${name}: startTimeUnixNano`);
  const time = nanos(value.timeUnixNano, `${name}: timeUnixNano`);
  const milliseconds = Number(BigInt(time) / 1_000_000n);
  if (milliseconds > now + MAX_CLOCK_SKEW_MS || milliseconds < now - MAX_AGE_MS)
    throw new Unusable(`${name}: timeUnixNano of a cumulative point is more than a day ahead or a week old`, "time");
  if (BigInt(start) > BigInt(time)) throw new Unusable(`${name}: startTimeUnixNano is after timeUnixNano`, "time");
  return { ...point, cumulative: { stream: streamOf(origin, point, start), start, time } };
}

/**
 * Identifies one series of one sender since its start: official SDKs differ in resource and scope. A stranger who invents a later start for
 * the same series begins a stream of its own.
 */
function streamOf(origin: string, { metric, attributes }: Point, start: string): string {
  const identity = JSON.stringify([origin, metric.kind, metric.name, metric.unit, attributes]);
  // 128 bits: no two streams collide by accident.
  return `${createHash("sha256").update(identity).digest("hex").slice(0, 32)}@${start}${isExponential(metric.bounds) ? "e" : ""}`;
}
