// Writes sums in Prometheus's text format 0.0.4; pure.

import { isExponential, isOwnAttribute } from "./catalogue.js";
import { familyName, labelsOf } from "./names.js";
import type { Attributes, Metric, Series } from "./records.js";

export const PROMETHEUS_TEXT = "text/plain; version=0.0.4; charset=utf-8";

/** A metric about the collector itself. */
export interface OwnMetric {
  name: string;
  kind: "counter" | "gauge";
  help: string;
  value: number;
  labels?: Attributes;
}

// 200 histograms are some 500 kB, written in a few milliseconds.
const SERIES_IN_PIECE = 200;

/** A series with labels that no other of its family has. */
interface Labelled {
  one: Series;
  labels: Attributes;
}

/** The response of `GET /metrics` in pieces: the same text for the same sums, families sorted by name. */
export function* toPrometheus(
  series: readonly (Series & { id: number })[],
  own: readonly OwnMetric[],
): Generator<string> {
  for (const [name, members] of familiesOf(labelled(series))) {
    const { metric } = (members[0] as Labelled).one;
    yield text(head(name, metric.kind, helpOf(metric)));
    for (let from = 0; from < members.length; from += SERIES_IN_PIECE)
      yield text(members.slice(from, from + SERIES_IN_PIECE).flatMap(({ one, labels }) => linesOf(name, labels, one)));
  }
  yield text(
    own.flatMap(({ name, kind, help, value, labels = [] }, i) => [
      ...(own[i - 1]?.name === name ? [] : head(name, kind, help)),
      `${name}${braces(labels)} ${format(value)}`,
    ]),
  );
}

function familiesOf(series: readonly Labelled[]): [string, Labelled[]][] {
  const families = new Map<string, Labelled[]>();
  for (const one of series) {
    const name = familyName(one.one.metric);
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

/**
 * Each series with labels that no other of its family has. Attributes can differ where labels do not (`a.b`, `a_b`): then the series of the
 * library's own attributes has them, or else the oldest, and the others get a label with their number. The exponential layout of a
 * metric has a label as well, since its buckets must not be added to the others.
 */
function labelled(series: readonly (Series & { id: number })[]) {
  const owners = new Map<string, number>();
  const all = series.map((one) => {
    const layout: Attributes = isExponential(one.metric.bounds) ? [["insitu_layout", "exponential"]] : [];
    const labels = [...labelsOf(one.attributes), ...layout];
    return { one, labels, key: `${familyName(one.metric)}${JSON.stringify(labels)}` };
  });
  const isOwn = ({ attributes }: Series) => attributes.every(([key]) => isOwnAttribute(key));
  for (const [i, { one, key }] of all.entries()) {
    const owner = all[owners.get(key) ?? i]?.one ?? one;
    const isBetter = isOwn(one) === isOwn(owner) ? one.id <= owner.id : isOwn(one);
    if (isBetter) owners.set(key, i);
  }
  return all.map(({ one, labels, key }, i) => ({
    one,
    labels: owners.get(key) === i ? labels : [...labels, ["insitu_series", String(one.id)] as const],
  }));
}

function linesOf(name: string, labels: Attributes, { metric, total }: Series): string[] {
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
