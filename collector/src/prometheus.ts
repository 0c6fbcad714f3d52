// Writes sums in Prometheus's text format 0.0.4; pure.
import { familyName, labelsOf } from "./names.js";
import type { Attributes, Metric, Series } from "./records.js";

export const PROMETHEUS_TEXT = "text/plain; version=0.0.4; charset=utf-8";

/** A metric about the collector itself. */
export interface OwnMetric {
  name: string;
  kind: "counter" | "gauge";
  help: string;
  value: number;
}

// 200 histograms are some 500 kB, written in a few milliseconds.
const SERIES_IN_PIECE = 200;

/** The response of `GET /metrics` in pieces: the same text for the same sums, families sorted by name. */
export function* toPrometheus(series: readonly Series[], own: readonly OwnMetric[]): Generator<string> {
  for (const [name, members] of familiesOf(series)) {
    const { metric } = members[0] as Series;
    yield text(head(name, metric.kind, helpOf(metric)));
    for (let from = 0; from < members.length; from += SERIES_IN_PIECE)
      yield text(members.slice(from, from + SERIES_IN_PIECE).flatMap((one) => linesOf(name, one)));
  }
  yield text(own.flatMap(({ name, kind, help, value }) => [...head(name, kind, help), `${name} ${format(value)}`]));
}

function familiesOf(series: readonly Series[]): [string, Series[]][] {
  const families = new Map<string, Series[]>();
  for (const one of series) {
    const name = familyName(one.metric);
    const family = families.get(name);
    if (family) family.push(one);
    else families.set(name, [one]);
  }
  return [...families].sort(([a], [b]) => (a < b ? -1 : 1));
}

function text(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join("");
}

function head(name: string, type: string, help: string): string[] {
  return [`# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}`, `# TYPE ${name} ${type}`];
}

function helpOf({ name, unit, description }: Metric): string {
  return description || `OpenTelemetry's ${name}${unit ? ` in ${unit}` : ""}.`;
}

function linesOf(name: string, { metric, attributes, total }: Series): string[] {
  const labels = labelsOf(attributes);
  if (metric.kind === "counter") return [`${name}${braces(labels)} ${format(total.sum)}`];
  let below = 0;
  const buckets = total.buckets.map((count, i) => {
    // OTLP's buckets are disjoint, Prometheus's are cumulative.
    below += count;
    const bound = metric.bounds[i];
    return `${name}_bucket${braces([...labels, ["le", bound === undefined ? "+Inf" : format(bound)]])} ${below}`;
  });
  return [...buckets, `${name}_sum${braces(labels)} ${format(total.sum)}`, `${name}_count${braces(labels)} ${below}`];
}

function braces(labels: Attributes): string {
  if (labels.length === 0) return "";
  return `{${labels.map(([name, value]) => `${name}="${escapeLabel(value)}"`).join(",")}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

/** Go, and so Prometheus, reads JavaScript's shortest form of a number back to the same bits. */
function format(value: number): string {
  return String(value);
}
