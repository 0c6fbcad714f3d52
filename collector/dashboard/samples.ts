// Marks percentiles of few values, which say little more than the largest of them.
import { count } from "./format.js";

// With a confidence of 95 %: the largest of n values is above the quantile q with a probability of 1 - q^n.
const CHANCE = 0.05;

/** So few values that nothing limits the percentile from above: fewer than 59 for the p95, than 299 for the p99. */
export function isFew(samples: number, quantile = 0.95): boolean {
  return quantile ** samples > CHANCE;
}

export const FEW_NOTE =
  "Few: the largest value may be below the true percentile, with more than 5 % chance: fewer than 59 values for p95, 299 for p99.";

/** The number of values in a table. */
export function samplesCell(samples: number): { text: string; value: number } {
  return { text: isFew(samples) ? `${count(samples)}, few` : count(samples), value: samples };
}
