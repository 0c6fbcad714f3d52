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

/** The response of `GET /metrics`: the same text for the same sums, families sorted by name. */
export function toPrometheus(series: readonly Series[], own: readonly OwnMetric[]): string {
  const families = new Map<string, { metric: Metric; lines: string[] }>();
  for (const one of series) {
    const name = familyName(one.metric);
    const family = families.get(name) ?? { metric: one.metric, lines: [] };
    family.lines.push(...linesOf(name, one));
    families.set(name, family);
  }
  const blocks = [...families]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { metric, lines }]) => [...head(name, metric.kind, helpOf(metric)), ...lines]);
  const ownBlocks = own.map(({ name, kind, help, value }) => [...head(name, kind, help), `${name} ${format(value)}`]);
  return `${[...blocks, ...ownBlocks].flat().join("\n")}\n`;
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
