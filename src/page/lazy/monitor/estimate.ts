// Estimates accuracy without labels from a model's own confidences: valid while they are calibrated, blind to concept drift; pure.
//
// Confidence-based performance estimation (CBPE): NannyML's documentation, "performance estimation"; Bialek et al. 2025, arXiv 2505.05295.
import { mean } from "./calibration.js";

export interface Estimate {
  /** Expected share of correct predictions. */
  accuracy: number;
  /** Standard deviation of that share over `n` predictions. */
  standardError: number;
  n: number;
}

/** `confidences`: the calibrated probability of the predicted class, for each prediction. NaN without values. */
export function estimateAccuracy(confidences: readonly number[]): Estimate {
  const n = confidences.length;
  // Each prediction is an independent Bernoulli trial with its own probability.
  const variance = confidences.reduce((sum, p) => sum + p * (1 - p), 0) / n;
  return { accuracy: mean(confidences), standardError: Math.sqrt(variance / n), n };
}

export interface BinaryEstimate {
  /** Expected numbers of true and false positives and negatives. */
  tp: number;
  fp: number;
  fn: number;
  tn: number;
  accuracy: number;
  precision: number;
  recall: number;
  f1: number;
  auroc: number;
}

/** `probabilities`: calibrated, of the positive class, which is predicted from `threshold` on. A ratio with denominator 0 is NaN. */
export function estimateBinary(probabilities: readonly number[], threshold = 0.5): BinaryEstimate {
  const [positive, negative] = [[] as number[], [] as number[]];
  for (const p of probabilities) (p >= threshold ? positive : negative).push(p);
  const [tp, fn] = [sum(positive), sum(negative)];
  const [fp, tn] = [positive.length - tp, negative.length - fn];
  const [precision, recall] = [tp / (tp + fp), tp / (tp + fn)];
  return {
    tp,
    fp,
    fn,
    tn,
    precision,
    recall,
    accuracy: (tp + tn) / probabilities.length,
    f1: (2 * tp) / (2 * tp + fp + fn),
    auroc: auroc(probabilities),
  };
}

/**
 * Area under the expected ROC curve, by trapezoids over the thresholds at each probability, from "all are positive" to "none is", as
 * NannyML does it.
 */
function auroc(probabilities: readonly number[]): number {
  const sorted = [...probabilities].sort((a, b) => a - b);
  const positives = sum(sorted);
  const negatives = sorted.length - positives;
  let [tp, fp, area] = [positives, negatives, 0];
  for (const p of sorted) {
    const [nextTp, nextFp] = [tp - p, fp - (1 - p)];
    area += ((fp - nextFp) / negatives) * ((tp + nextTp) / (2 * positives));
    [tp, fp] = [nextTp, nextFp];
  }
  return area;
}

const sum = (values: readonly number[]) => values.reduce((all, value) => all + value, 0);
