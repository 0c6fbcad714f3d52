// The metrics that are accepted: the library's own, with their kind, unit and bounds, and those that the operator allows.
import { nameMatcher } from "./allow-list.js";
import { familyName, sampleNames } from "./names.js";
import type { Metric } from "./records.js";
import { Unusable } from "./unusable.js";

// The values of `src/page/lazy/telemetry/instruments.ts`; a test compares them.
const SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24];
const SHARES = Array.from({ length: 19 }, (_, i) => Math.round(5 * (i + 1)) / 100);
const BYTES = [1e5, 1e6, 1e7, 3e7, 1e8, 2e8, 4e8, 8e8, 1.6e9, 3.2e9];
const DEPTHS = [1, 2, 4, 8, 16, 32, 64, 128, 256];
const DELAYS = [1, 10, 60, 600, 3600, 21_600, 86_400, 259_200, 604_800];
const RATIOS = [0.25, 0.5, 0.71, 1, 1.41, 2, 4, 8];
const EXAMPLES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000];

// The largest single value that is plausible; what is above cannot have been measured.
/** Seconds: a page that slept for a week measured a duration across it. */
const WEEK = 604_800;
/** Seconds: feedback for a prediction of a year ago. */
const YEAR = 366 * 86_400;
/** A squared error of probabilities is at most 1, over all classes 2. */
const SHARE = 2;
/** Bytes: no browser gives an origin a terabyte. */
const TERABYTE = 1e12;
/** Requests that wait, examples of a person, and how many times as slow a shadow is. */
const MILLION = 1e6;

/** The library's own metrics: a histogram has bounds and a largest value, a counter none. */
export const CATALOGUE: Readonly<Record<string, readonly [unit: string, bounds?: readonly number[], max?: number]>> = {
  "ml.inference.duration": ["s", SECONDS, WEEK],
  "ml.inference.stage.duration": ["s", SECONDS, WEEK],
  "ml.inference.items": ["{item}"],
  "ml.inference.queue.depth": ["{request}", DEPTHS, MILLION],
  "ml.model.load.duration": ["s", SECONDS, WEEK],
  "ml.model.warmup.duration": ["s", SECONDS, WEEK],
  "ml.model.download.io": ["By"],
  "ml.model.cache.requests": ["{request}"],
  "ml.runtime.memory.usage": ["By", BYTES, TERABYTE],
  "ml.runtime.long_task.duration": ["s", SECONDS, WEEK],
  "ml.runtime.fallbacks": ["{fallback}"],
  "ml.runtime.worker.restarts": ["{restart}"],
  "ml.errors": ["{error}"],
  "ml.prediction.outcomes": ["{prediction}"],
  "ml.prediction.confidence": ["1", SHARES, SHARE],
  "ml.prediction.squared_error": ["1", SHARES, SHARE],
  "ml.feedback.delay": ["s", DELAYS, YEAR],
  "ml.feedback.unmatched": ["{feedback}"],
  "ml.personal.training.duration": ["s", SECONDS, WEEK],
  "ml.personal.examples": ["{example}", EXAMPLES, MILLION],
  "ml.personal.accuracy": ["1", SHARES, SHARE],
  "ml.personal.outcomes": ["{prediction}"],
  "ml.prediction.classes": ["{prediction}"],
  "ml.input.quantile": ["1", SHARES, SHARE],
  "ml.input.missing": ["{value}"],
  "ml.drift.detections": ["{detection}"],
  "ml.rollout.decisions": ["{decision}"],
  "ml.shadow.comparisons": ["{prediction}"],
  "ml.shadow.difference": ["1", SHARES, SHARE],
  "ml.shadow.slowdown": ["1", RATIOS, MILLION],
  "ml.telemetry.dropped": ["{record}"],
};

/** Of a metric that the operator allowed: more than a terabyte in bytes, or 30 years in milliseconds, is no measurement. */
const MAX_FOREIGN_VALUE = 1e12;

/**
 * Powers of two from 2^-20 to 2^20 of the unit. At scale 0 the buckets of an exponential histogram lie between them, and every finer
 * scale divides them evenly: so the counts are exact, and Prometheus's text format can hold them.
 */
export const POWERS: readonly number[] = Array.from({ length: 41 }, (_, i) => 2 ** (i - 20));

/** The attributes of the library's metrics. */
const OWN_ATTRIBUTES = new Set([
  "error.type",
  "ml.cache.result",
  "ml.drift.detector",
  "ml.drift.target",
  "ml.fallback.from",
  "ml.fallback.to",
  "ml.inference.mode",
  "ml.inference.stage",
  "ml.input.feature",
  "ml.memory.kind",
  "ml.model.name",
  "ml.model.source",
  "ml.model.version",
  "ml.prediction.class",
  "ml.prediction.outcome",
  "ml.privacy.epsilon",
  "ml.restart.reason",
  "ml.retrain.outcome",
  "ml.retrain.trigger",
  "ml.rollout.action",
  "ml.rollout.arm",
  "ml.rollout.reason",
  "ml.runtime.backend",
  "ml.shadow.result",
  "ml.telemetry.drop_reason",
  "ml.telemetry.signal",
  "otel.metric.overflow",
  "service.name",
]);

/** What `ml.prediction.outcomes` is counted by. */
export const OUTCOME = "ml.prediction.outcome";
export const OUTCOMES: readonly string[] = ["correct", "incorrect"];

export const isOutcome = (value: string | undefined): boolean => value !== undefined && OUTCOMES.includes(value);

export const isOwnAttribute = (key: string): boolean => OWN_ATTRIBUTES.has(key);

export const isOwn = (name: string): boolean => Object.hasOwn(CATALOGUE, name);

/** The bounds of an own histogram, not of its exponential layout. */
export const ownBounds = (name: string): readonly number[] => CATALOGUE[name]?.[1] ?? [];

/** The largest single value of a histogram. */
export function maxValue({ name }: Pick<Metric, "name">): number {
  return (isOwn(name) ? CATALOGUE[name]?.[2] : undefined) ?? MAX_FOREIGN_VALUE;
}

/** Identifies a metric. An own histogram has two layouts, that of its bounds and the exponential one, which are never added. */
export function metricKey({ name, bounds }: Pick<Metric, "name" | "bounds">): string {
  return isOwn(name) && isExponential(bounds) ? `${name} (exponential)` : name;
}

export function isExponential(bounds: readonly number[]): boolean {
  return sameBounds(bounds, POWERS);
}

export function sameBounds(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((bound, i) => bound === b[i]);
}

/** The catalogue's own definition of a metric. */
function ownMetric(name: string, isPowers: boolean): Metric {
  const [unit = "", bounds] = CATALOGUE[name] ?? [];
  const layout = isPowers ? POWERS : (bounds ?? []);
  return { name, kind: bounds ? "histogram" : "counter", unit, description: "", bounds: layout };
}

/** Every name that the library's metrics have in Prometheus's text, with the metric. */
const OWN_SAMPLES = new Map(
  Object.keys(CATALOGUE).flatMap((name) =>
    sampleNames(ownMetric(name, false)).map((sample) => [sample, name] as const),
  ),
);

// The collector's metrics about itself, in every spelling that Prometheus's form makes equal.
const RESERVED = /^insitu_collector(_|$)/;

export interface Catalogue {
  /** The definition that holds for a metric as its sender describes it. Throws `Unusable`. */
  admit(metric: Metric): Metric;
}

/** `more` are names that the operator allows; one that ends with a dot stands for all that begin with it. */
export function createCatalogue(more: readonly string[] = []): Catalogue {
  const isAllowed = nameMatcher(more);
  return {
    admit(metric) {
      if (isOwn(metric.name)) return admitOwn(metric);
      const { name } = metric;
      const taken = takenName(metric);
      if (taken) throw new Unusable(taken, "reserved_name");
      if (!isAllowed(name))
        throw new Unusable(`${name} is not a metric of insitu; start with --allow-metric ${name}`, "unknown_metric");
      return metric;
    },
  };
}

function admitOwn(metric: Metric): Metric {
  const { name, kind, unit, bounds } = metric;
  const known = ownMetric(name, isExponential(bounds));
  if (kind !== known.kind) throw new Unusable(`${name} is a ${known.kind}, not a ${kind}`, "definition");
  if (unit !== known.unit)
    throw new Unusable(`${name} has the unit ${known.unit}, not ${JSON.stringify(unit)}`, "definition");
  if (!sameBounds(bounds, known.bounds))
    throw new Unusable(`${name} must have the explicitBounds ${known.bounds.join(", ")}`, "definition");
  return known;
}

/** Why a metric that is not the library's cannot have its name; null when it can. */
function takenName(metric: Metric): string | null {
  if (RESERVED.test(familyName(metric))) return `${metric.name} is a name of the collector's own metrics`;
  const own = sampleNames(metric).flatMap((sample) => OWN_SAMPLES.get(sample) ?? [])[0];
  return own === undefined ? null : `${metric.name} would have the name of ${own} in Prometheus`;
}

/**
 * The definition of a metric of a database that an older collector wrote: the library's own where both agree, also under a name that has the
 * same form in Prometheus, because older collectors added both. Null when it contradicts the catalogue.
 */
export function storedMetric(stored: Metric): Metric | null {
  const name = isOwn(stored.name) ? stored.name : OWN_SAMPLES.get(familyName(stored));
  if (name === undefined) return takenName(stored) === null ? stored : null;
  const known = ownMetric(name, isExponential(stored.bounds));
  const isSame = stored.kind === known.kind && stored.unit === known.unit && sameBounds(stored.bounds, known.bounds);
  return isSame ? known : null;
}
