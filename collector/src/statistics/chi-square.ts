// Chi-square tests of counts: two histograms against each other, and one against expected shares; pure.
import { chiSquareTail } from "./distributions.js";

export interface ChiSquare {
  statistic: number;
  degrees: number;
  p: number;
}

/** Whether two histograms with the same bins have the same distribution; bins that are empty in both are left out. */
export function contingency(a: readonly number[], b: readonly number[]): ChiSquare {
  const [n, m] = [sumOf(a), sumOf(b)];
  let [statistic, bins] = [0, 0];
  for (const [i, count] of a.entries()) {
    const other = b[i] ?? 0;
    const share = (count + other) / (n + m);
    if (share === 0) continue;
    bins += 1;
    statistic += (count - n * share) ** 2 / (n * share) + (other - m * share) ** 2 / (m * share);
  }
  return result(statistic, bins);
}

/** Whether counts have the given distribution, whose shares need not add up to 1. */
export function goodnessOfFit(counts: readonly number[], shares: readonly number[]): ChiSquare {
  const [n, all] = [sumOf(counts), sumOf(shares)];
  let [statistic, bins] = [0, 0];
  for (const [i, count] of counts.entries()) {
    const expected = ((shares[i] ?? 0) / all) * n;
    if (expected === 0 && count === 0) continue;
    bins += 1;
    statistic += (count - expected) ** 2 / expected;
  }
  return result(statistic, bins);
}

function result(statistic: number, bins: number): ChiSquare {
  const degrees = Math.max(1, bins - 1);
  return { statistic, degrees, p: chiSquareTail(statistic, degrees) };
}

const sumOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
