// Reads from the points of a batch what they say about versions: counts for the cells of decisions and drift; pure.
import { OUTCOME, OUTCOMES, ownBounds } from "../catalogue.js";
import { sumOf } from "../histograms.js";
import type { Amount, Attributes, Metric } from "../records.js";
import { type Cell, cellKey, FAILED, MAX_CLASSES, SECONDS_SUM } from "./subjects.js";

/** A point that was added to a series of its own: not one of those that had no place. */
export interface CountedPoint {
  metric: Metric;
  attributes: Attributes;
  amount: Amount;
}

export interface Contribution {
  cell: Cell;
  counts: number[];
}

/** What a batch adds to each cell; points of one cell are added up. */
export function contributionsOf(points: readonly CountedPoint[], isTrusted: boolean): Contribution[] {
  const all = new Map<string, Contribution>();
  for (const point of points)
    for (const one of readPoint(point, isTrusted)) {
      const key = cellKey(one.cell);
      const known = all.get(key);
      if (known) known.counts = known.counts.map((count, i) => count + (one.counts[i] ?? 0));
      else all.set(key, one);
    }
  return [...all.values()];
}

type Reader = (of: (key: string) => string, amount: Amount, metric: Metric) => Reading[];
type Reading = { subject: Cell["subject"]; detail?: string; counts: number[] };

// Neither says anything about the version: the caller changed its mind, sent what the model does not take, or sent too much.
const NO_FAILURES = new Set(["aborted", "input_invalid", "overloaded", "disposed"]);
// Above it a randomised value is the truth for all that anybody can tell.
const MAX_EPSILON = 30;

const READERS: Readonly<Record<string, Reader>> = {
  "ml.prediction.outcomes": (of, { sum }) => {
    const place = OUTCOMES.indexOf(of(OUTCOME));
    const epsilon = epsilonOf(of);
    return place < 0 || epsilon === null ? [] : [{ subject: "outcomes", detail: epsilon, counts: at(place, 2, sum) }];
  },
  "ml.inference.duration": (of, amount, metric) => {
    const type = of("error.type");
    if (NO_FAILURES.has(type)) return [];
    const counts = new Array<number>(SECONDS_SUM + 1).fill(0);
    if (type !== "") counts[FAILED] = amount.count;
    else {
      const bounds = ownBounds(metric.name);
      const buckets = inBounds(metric, amount, bounds);
      for (const [i, count] of buckets.entries()) counts[i] = count;
      counts[SECONDS_SUM] = secondsOf(amount.sum, buckets, bounds);
    }
    return [{ subject: "runs", counts }];
  },
  "ml.shadow.comparisons": (of, { sum }) => {
    const place = ["agree", "disagree", "failed"].indexOf(of("ml.shadow.result"));
    return place < 0 ? [] : [{ subject: "shadow", counts: at(place, 3, sum) }];
  },
  "ml.prediction.confidence": (_of, amount, metric) => [
    { subject: "confidence", counts: inBounds(metric, amount, ownBounds(metric.name)) },
  ],
  "ml.input.quantile": (of, amount, metric) => {
    const detail = of("ml.input.feature");
    if (detail === "") return [];
    const counts = inBounds(metric, amount, ownBounds(metric.name));
    return [
      { subject: "inputs", detail, counts },
      { subject: "missing", detail, counts: at(0, 2, amount.count) },
    ];
  },
  "ml.input.missing": (of, { sum }) => {
    const detail = of("ml.input.feature");
    return detail === "" ? [] : [{ subject: "missing", detail, counts: at(1, 2, sum) }];
  },
  "ml.prediction.classes": (of, { sum }) => {
    const name = of("ml.prediction.class");
    const epsilon = epsilonOf(of);
    if (!/^\d{1,2}$/.test(name) || epsilon === null) return [];
    return [{ subject: "classes", detail: epsilon, counts: at(Number(name), MAX_CLASSES, sum) }];
  },
};

function readPoint({ metric, attributes, amount }: CountedPoint, trusted: boolean): Contribution[] {
  const read = READERS[metric.name];
  if (!read) return [];
  const named = new Map(attributes);
  const of = (key: string) => named.get(key) ?? "";
  const [model, version, arm] = [of("ml.model.name"), of("ml.model.version"), of("ml.rollout.arm")];
  if (model === "" || version === "" || !["stable", "canary", "shadow"].includes(arm)) return [];
  return read(of, amount, metric).map(({ subject, detail = "", counts }) => ({
    // What a site's own backend knows is whether a prediction was right; the rest pages measure.
    cell: { model, version, arm, subject, detail, trusted: trusted && subject === "outcomes" },
    counts,
  }));
}

/** Empty without one; null when it is no number that a page can have. */
function epsilonOf(of: (key: string) => string): string | null {
  const text = of("ml.privacy.epsilon");
  if (text === "") return "";
  const epsilon = Number(text);
  return Number.isFinite(epsilon) && epsilon > 0 && epsilon <= MAX_EPSILON ? String(epsilon) : null;
}

function at(place: number, size: number, count: number): number[] {
  return Array.from({ length: size }, (_, i) => (i === place ? count : 0));
}

/** The buckets of the catalogue's bounds, also of the exponential layout. */
function inBounds(metric: Metric, amount: Amount, bounds: readonly number[]): number[] {
  if (metric.bounds.length === bounds.length) return [...amount.buckets];
  const all = sumOf([
    { bounds, buckets: bounds.map(() => 0) },
    { bounds: metric.bounds, buckets: amount.buckets },
  ]);
  const found = new Array<number>(bounds.length + 1).fill(0);
  for (const [i, count] of all.buckets.entries()) {
    const upper = all.bounds[i] ?? Number.POSITIVE_INFINITY;
    const within = bounds.findIndex((bound) => upper <= bound);
    const place = within < 0 ? bounds.length : within;
    found[place] = (found[place] ?? 0) + count;
  }
  return found;
}

/** The sum of seconds, in which a value above the last bound counts as twice that: a page that slept for a week says nothing about the version. */
function secondsOf(sum: number, buckets: readonly number[], bounds: readonly number[]): number {
  const most = buckets.reduce((all, count, i) => all + count * (bounds[i] ?? 2 * (bounds.at(-1) as number)), 0);
  return Math.min(sum, most);
}
