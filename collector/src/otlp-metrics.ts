// Turns the JSON body of `POST /v1/metrics` (OTLP/HTTP) into points, and reports what it rejects; pure.
import { createHash } from "node:crypto";
import { MAX_DESCRIPTION_CHARS, MAX_LABEL_CHARS, MAX_NAME_CHARS, MAX_UNIT_CHARS } from "./limits.js";
import { attempt, type Parsed, readResource, toMilliseconds, topEntries } from "./otlp.js";
import { type AmountReader, readCount, readExponential, readHistogram } from "./otlp-points.js";
import { attributes, type Fields, fields, isFields, list, nanos, oneOf, text, Unusable } from "./otlp-values.js";
import type { Attributes, Metric, Point } from "./records.js";

/**
 * The body of `POST /v1/metrics`. Delta and cumulative histograms and counters are accepted; everything else is counted as rejected.
 * Throws `BadBody` when it is not OTLP. `now` is this machine's time in epoch milliseconds.
 */
export function parseMetrics(body: unknown, now: number): Parsed<Point> {
  const parsed: Parsed<Point> = { records: [], rejected: [] };
  for (const resourceMetrics of topEntries(body, "resourceMetrics")) {
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

/** Identifies one series of one sender: official SDKs differ in resource and scope. */
function streamOf(origin: string, { metric, attributes }: Point): string {
  const identity = JSON.stringify([origin, metric.kind, metric.name, metric.unit, attributes]);
  // 128 bits: no two streams collide by accident.
  return createHash("sha256").update(identity).digest("hex").slice(0, 32);
}
