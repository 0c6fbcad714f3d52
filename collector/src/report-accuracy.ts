// The report's accuracy by model, version and arm: labelled outcomes with their interval, and an estimate without labels; pure.
import { isOutcome, OUTCOME } from "./catalogue.js";
import { sumOf } from "./histograms.js";
import { type Group, type GrownSeries, groupBy, grouped, steps, total } from "./report-groups.js";
import { ARM, MODEL, type SeriesOf, VERSION } from "./report-sections.js";
import type { Report } from "./report-types.js";
import { histogramsIn } from "./report-values.js";
import type { Span } from "./slots.js";
import { truthOf, wilson } from "./statistics.js";

export function accuracy(of: SeriesOf, span: Span): Report["accuracy"] {
  const keys = [MODEL, VERSION, ARM];
  const outcomes = grouped(of("ml.prediction.outcomes").filter(isJudged), keys);
  const errors = byKey(grouped(of("ml.prediction.squared_error"), keys));
  const confidences = grouped(of("ml.prediction.confidence"), keys);
  const cells = new Map([...outcomes, ...confidences].map(({ key, attributes }) => [key, attributes]));
  const [outcomesOf, confidencesOf] = [byKey(outcomes), byKey(confidences)];
  return [...cells].map(([key, attributes]) => {
    const labelledSeries = outcomesOf.get(key) ?? [];
    const squared = errors.get(key) ?? [];
    const { labelled, correct, low, high } = outcomeShare(labelledSeries);
    return {
      model: attributes[MODEL] ?? "",
      version: attributes[VERSION] ?? "",
      arm: attributes[ARM] ?? "",
      labelled,
      correct,
      low,
      high,
      accuracy: labelled > 0 ? correct / labelled : null,
      brier: squared.length > 0 ? total(squared, "sum") / total(squared, "count") : null,
      estimate: accuracyEstimate(confidencesOf.get(key) ?? []),
      points: steps(labelledSeries, span, outcomeShare),
    };
  });
}

function byKey(groups: Group[]): Map<string, GrownSeries[]> {
  return new Map(groups.map(({ key, series }) => [key, series]));
}

interface Share {
  labelled: number;
  correct: number;
  low: number;
  high: number;
}

/** Whether a series of outcomes says if predictions were right. An older collector stored others, and there is the overflow series. */
export const isJudged = ({ attributes }: GrownSeries): boolean => isOutcome(attributes[OUTCOME]);

/** The share of correct outcomes; randomised outcomes are corrected by their epsilon. */
export function outcomeShare(series: GrownSeries[]): Share {
  const parts = [...groupBy(series.filter(isJudged), ({ attributes }) => attributes["ml.privacy.epsilon"] ?? "")].map(
    ([epsilon, some]) => shareOfEpsilon(some, epsilon === "" ? undefined : Number(epsilon)),
  );
  const labelled = parts.reduce((sum, part) => sum + part.labelled, 0);
  const correct = parts.reduce((sum, part) => sum + part.correct, 0);
  const [only] = parts;
  // With several epsilons the interval ignores the randomisation, and so is too narrow; a site has one.
  const [low, high] = parts.length === 1 && only ? [only.low, only.high] : wilson(correct, labelled);
  return { labelled, correct, low, high };
}

function shareOfEpsilon(series: GrownSeries[], epsilon: number | undefined): Share {
  const labelled = total(series, "sum");
  const reported = total(
    series.filter(({ attributes }) => attributes[OUTCOME] === "correct"),
    "sum",
  );
  const truth = (value: number) => (epsilon === undefined ? value : truthOf(value, epsilon));
  const [low, high] = wilson(reported, labelled).map(truth);
  return {
    labelled,
    correct: labelled > 0 ? truth(reported / labelled) * labelled : 0,
    low: low ?? 0,
    high: high ?? 1,
  };
}

/** The mean confidence is exact; the spread within a bucket is not known, so the bucket's middle stands for its values. */
export function accuracyEstimate(series: GrownSeries[]): Report["accuracy"][number]["estimate"] {
  const n = total(series, "count");
  if (n === 0) return null;
  const { bounds, buckets } = sumOf(histogramsIn(series));
  const variance = buckets.reduce((sum, count, i) => {
    const middle = ((i === 0 ? 0 : (bounds[i - 1] as number)) + (bounds[i] ?? 1)) / 2;
    return sum + count * Math.max(0, middle * (1 - middle));
  }, 0);
  return { accuracy: total(series, "sum") / n, standardError: Math.sqrt(variance) / n, n };
}
