// The report's sections of a rollout: versions and arms beside each other, what pages did and why, shadows, detected drift; pure.
import { outcomeShare } from "./report-accuracy.js";
import { type GrownSeries, groupBy, grouped, type NamedAttributes, steps, total } from "./report-groups.js";
import { ARM, MODEL, type SeriesOf, VERSION } from "./report-sections.js";
import type { Report } from "./report-types.js";
import { intervals, spread } from "./report-values.js";
import type { Span } from "./slots.js";
import { wilson } from "./statistics.js";

const ERROR_TYPE = "error.type";
const KEYS = [MODEL, VERSION, ARM];

const idOf = (attributes: NamedAttributes) => ({
  model: attributes[MODEL] ?? "",
  version: attributes[VERSION] ?? "",
  arm: attributes[ARM] ?? "",
});

/** Of all backends together: one arm's pages have the same devices as the other's. */
export function arms(of: SeriesOf, span: Span): Report["arms"] {
  const outcomes = new Map(grouped(of("ml.prediction.outcomes"), KEYS).map(({ key, series }) => [key, series]));
  const all = grouped(of("ml.inference.duration"), KEYS).map(({ key, attributes, series }) => {
    const [succeeded, failed] = parted(series);
    const predictions = total(series, "count");
    const failures = total(failed, "count");
    const { labelled, correct, low, high } = outcomeShare(outcomes.get(key) ?? []);
    const [errorsLow, errorsHigh] = wilson(failures, predictions);
    return {
      ...idOf(attributes),
      predictions,
      errors: { count: failures, low: errorsLow, high: errorsHigh },
      latency: { ...spread(succeeded), intervals: intervals(succeeded) },
      accuracy: { labelled, correct, low, high },
      points: steps(series, span, (some) => ({ predictions: total(some, "count") })),
    };
  });
  const sums = new Map(
    [...groupBy(all, ({ model }) => model)].map(([model, some]) => [
      model,
      some.reduce((sum, { predictions }) => sum + predictions, 0),
    ]),
  );
  return all.map((one) => ({ ...one, share: one.predictions / Math.max(1, sums.get(one.model) ?? 0) }));
}

function parted(series: GrownSeries[]): [succeeded: GrownSeries[], failed: GrownSeries[]] {
  const isFailed = ({ attributes }: GrownSeries) => attributes[ERROR_TYPE] !== undefined;
  return [series.filter((one) => !isFailed(one)), series.filter(isFailed)];
}

export function decisions(of: SeriesOf): Report["decisions"] {
  const keys = [...KEYS, "ml.rollout.action", "ml.rollout.reason"];
  return grouped(of("ml.rollout.decisions"), keys).map(({ attributes, series }) => ({
    ...idOf(attributes),
    action: attributes["ml.rollout.action"] ?? "",
    reason: attributes["ml.rollout.reason"] ?? "",
    count: total(series, "sum"),
  }));
}

export function shadows(of: SeriesOf): Report["shadows"] {
  const keys = [MODEL, VERSION];
  const byKey = (metric: string) => new Map(grouped(of(metric), keys).map(({ key, series }) => [key, series]));
  const [differences, slowdowns] = [byKey("ml.shadow.difference"), byKey("ml.shadow.slowdown")];
  return grouped(of("ml.shadow.comparisons"), keys).map(({ key, attributes, series }) => {
    const counted = (result: string) =>
      total(
        series.filter(({ attributes }) => attributes["ml.shadow.result"] === result),
        "sum",
      );
    const [agree, disagree, failed] = [counted("agree"), counted("disagree"), counted("failed")];
    const [low, high] = wilson(agree, agree + disagree);
    const difference = differences.get(key) ?? [];
    const n = total(difference, "count");
    const slowdown = slowdowns.get(key) ?? [];
    return {
      model: attributes[MODEL] ?? "",
      version: attributes[VERSION] ?? "",
      agree,
      disagree,
      failed,
      low,
      high,
      difference: n > 0 ? total(difference, "sum") / n : null,
      slowdown: slowdown.length > 0 ? spread(slowdown) : null,
    };
  });
}

export function detections(of: SeriesOf): Report["detections"] {
  const keys = [...KEYS, "ml.drift.detector", "ml.drift.target"];
  return grouped(of("ml.drift.detections"), keys).map(({ attributes, series }) => ({
    ...idOf(attributes),
    detector: attributes["ml.drift.detector"] ?? "",
    target: attributes["ml.drift.target"] ?? "",
    count: total(series, "sum"),
  }));
}
