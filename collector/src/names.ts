// OpenTelemetry's names and units in Prometheus's form, by OpenTelemetry's compatibility rules; pure.
import type { Attributes, Metric } from "./records.js";

// UCUM's units as Prometheus spells them; `1` and annotations in braces have no word.
const UNITS: Readonly<Record<string, string>> = {
  s: "seconds",
  ms: "milliseconds",
  us: "microseconds",
  ns: "nanoseconds",
  min: "minutes",
  h: "hours",
  d: "days",
  By: "bytes",
  KiBy: "kibibytes",
  MiBy: "mebibytes",
  GiBy: "gibibytes",
  kBy: "kilobytes",
  MBy: "megabytes",
  GBy: "gigabytes",
  "%": "percent",
  "1": "",
};

/** The counter `ml.model.download.io` in `By` becomes `ml_model_download_io_bytes_total`. */
export function familyName({ name, kind, unit }: Pick<Metric, "name" | "kind" | "unit">): string {
  const plain = name.replace(/[^A-Za-z0-9_]+/g, "_").replace(/_+$/, "");
  const word = unitWord(unit);
  const counted = kind === "counter";
  const base = counted ? plain.replace(/_total$/, "") : plain;
  const measured = word === "" || base.endsWith(`_${word}`) ? base : `${base}_${word}`;
  return counted ? `${measured}_total` : measured;
}

/** Every name that a metric's samples have in the text. */
export function sampleNames(metric: Pick<Metric, "name" | "kind" | "unit">): string[] {
  const family = familyName(metric);
  return metric.kind === "counter" ? [family] : [family, `${family}_bucket`, `${family}_sum`, `${family}_count`];
}

function unitWord(unit: string): string {
  const bare = unit.replace(/\{[^}]*\}/g, "");
  const word = Object.hasOwn(UNITS, bare) ? UNITS[bare] : bare;
  return (word ?? "").replace(/[^A-Za-z0-9]+/g, "_").replace(/^_+|_+$/g, "");
}

/**
 * Attributes as labels, sorted by name. Two keys that become one label (`a.b`, `a_b`) share it, their values joined by ";"; a label
 * never has one of Prometheus's reserved names (`__name__`, a histogram's `le`), nor one that `prometheus.ts` adds (`insitu_…`).
 */
export function labelsOf(attributes: Attributes): Attributes {
  const labels = new Map<string, string>();
  for (const [key, value] of attributes) {
    const name = labelName(key);
    const known = labels.get(name);
    labels.set(name, known === undefined ? value : `${known};${value}`);
  }
  return [...labels].sort(([a], [b]) => (a < b ? -1 : 1));
}

function labelName(key: string): string {
  const name = key.replace(/[^A-Za-z0-9_]/g, "_");
  return /^(\d|__|le$|insitu_)/.test(name) ? `key_${name.replace(/^_+/, "")}` : name;
}
