// Reads what the collector has received of a model's stable version: outcomes, errors over time, confidence, number of labels.
import { OUTCOME } from "../catalogue.js";
import { accuracyEstimate, isJudged, outcomeShare } from "../report-accuracy.js";
import { type GrownSeries, groupBy, named, steps, total } from "../report-groups.js";
import { ARM, MODEL, VERSION } from "../report-sections.js";
import type { Span } from "../slots.js";
import type { Store } from "../store.js";
import type { TriggerConfig } from "./config.js";

/** Labelled outcomes of one window, with Wilson's 95 % interval. Times are epoch milliseconds. */
export interface LabelledWindow {
  from: number;
  to: number;
  labelled: number;
  correct: number;
  low: number;
  high: number;
}

/** The label-free estimate of one window: the mean confidence, with its sampling error. */
export interface EstimatedWindow {
  from: number;
  to: number;
  n: number;
  accuracy: number;
  standardError: number;
}

/** The outcomes of one step of time. */
export interface ErrorStep {
  time: number;
  n: number;
  errors: number;
}

export interface Observed {
  accuracy: LabelledWindow[];
  estimate: EstimatedWindow[];
  errors: ErrorStep[];
  /** Labels of the version. */
  labels: number;
  /** Epoch milliseconds: the hour of the first of them. */
  labelsSince?: number;
}

type Reader = Pick<Store, "series" | "slots">;

export interface ObserveQuery {
  model: string;
  version: string;
  triggers: TriggerConfig;
  /** Epoch milliseconds; windows end before it. */
  now: number;
  /** Labels and errors count from here. */
  from: number;
}

// Windows without enough labels (nights, weekends) are passed over, within so many times the number that is wanted.
const LOOK_BACK = 4;
const ERROR_STEPS = 1_000;
const MIN_STEP_MS = 1_000;
const LABELS_STEP_MS = 3_600_000;
/** Longer than points are stored by any configuration that is in use. */
const LABELS_LOOK_BACK_MS = 366 * 24 * LABELS_STEP_MS;

export async function observe(store: Reader, query: ObserveQuery): Promise<Observed> {
  const { model, version, triggers, now, from } = query;
  const grown = (name: string, span: Span, version?: string) => grownSeries(store, { name, model, version }, span);
  const { accuracy, estimate, drift, labels } = triggers;
  const observed: Observed = { accuracy: [], estimate: [], errors: [], labels: 0 };
  if (accuracy) {
    const span = windowsBefore(now, accuracy);
    const outcomes = await grown("ml.prediction.outcomes", span, version);
    observed.accuracy = steps(outcomes, span, outcomeShare).map(({ time, ...all }) => ({
      from: time,
      to: time + span.step,
      ...all,
    }));
  }
  if (estimate) {
    const span = windowsBefore(now, estimate);
    const confidences = await grown("ml.prediction.confidence", span, version);
    observed.estimate = steps(confidences, span, (series) => ({ estimate: accuracyEstimate(series) })).flatMap(
      ({ time, estimate }) => (estimate ? [{ from: time, to: time + span.step, ...estimate }] : []),
    );
  }
  if (drift) {
    const step = Math.max(MIN_STEP_MS, Math.ceil(drift.lookBack / ERROR_STEPS));
    const span = { from: Math.max(from, now - drift.lookBack), to: now, step };
    const outcomes = span.from < now ? await grown("ml.prediction.outcomes", span, version) : [];
    observed.errors = steps(outcomes, span, (series) => {
      const wrong = series.filter(({ attributes }) => attributes[OUTCOME] === "incorrect");
      return { n: total(series.filter(isJudged), "sum"), errors: total(wrong, "sum") };
    });
  }
  if (labels && from < now) {
    const span = { from: Math.max(from, now - LABELS_LOOK_BACK_MS), to: now, step: LABELS_STEP_MS };
    const outcomes = (await grown("ml.prediction.outcomes", span, version)).filter(isJudged);
    observed.labels = total(outcomes, "sum");
    const [first] = steps(outcomes, span, () => ({}));
    if (first) observed.labelsSince = first.time;
  }
  return observed;
}

/** Complete windows, aligned to multiples of their length, so that every check sees the same ones. */
function windowsBefore(now: number, { window, windows }: { window: number; windows: number }): Span {
  const to = Math.floor(now / window) * window;
  return { from: Math.max(0, to - LOOK_BACK * windows * window), to, step: window };
}

async function grownSeries(
  store: Reader,
  wanted: { name: string; model: string; version?: string },
  span: Span,
): Promise<GrownSeries[]> {
  const series = store
    .series()
    .filter(({ metric }) => metric.name === wanted.name)
    .map(({ id, metric, attributes }) => ({ id, bounds: metric.bounds, attributes: named(attributes) }))
    .filter(({ attributes }) => attributes[MODEL] === wanted.model && attributes[ARM] !== "shadow")
    .filter(({ attributes }) => wanted.version === undefined || attributes[VERSION] === wanted.version);
  const slots = groupBy(
    await store.slots(
      series.map(({ id }) => id),
      span,
    ),
    ({ id }) => id,
  );
  return series.flatMap(({ id, ...one }) => {
    const grown = slots.get(id);
    return grown ? [{ ...one, slots: grown }] : [];
  });
}

// In this order: after a release the old version still has most of the last day's predictions.
const RECENT_MS = [3_600_000, 86_400_000, 30 * 86_400_000];

/** The version with most predictions of the stable arm, lately; where pages send none, with most outcomes. Undefined before the first. */
export async function stableVersion(store: Reader, model: string, now: number): Promise<string | undefined> {
  for (const ms of RECENT_MS) {
    const span = { from: Math.max(0, now - ms), to: now + 1, step: ms + 1 };
    for (const name of ["ml.inference.items", "ml.prediction.outcomes"]) {
      const all = await grownSeries(store, { name, model }, span);
      const version = busiest(all.filter(({ attributes }) => (attributes[ARM] ?? "stable") === "stable"));
      if (version !== undefined) return version;
    }
  }
  return undefined;
}

function busiest(series: GrownSeries[]): string | undefined {
  const versions = [...groupBy(series, ({ attributes }) => attributes[VERSION] ?? "")]
    .map(([version, some]) => ({ version, n: total(some, "sum") }))
    .filter(({ version, n }) => version !== "" && n > 0);
  return versions.sort((a, b) => b.n - a.n)[0]?.version;
}
