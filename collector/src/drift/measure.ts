// Compares a distribution of the fleet with its reference: distances, tests, and the threshold that fits the number of values; pure.
import { effectiveSize, type Spread } from "../evidence/spread.js";
import { contingency } from "../statistics/chi-square.js";
import { chiSquareQuantile } from "../statistics/distributions.js";
import { jensenShannon, psi, sharesOf } from "../statistics/divergence.js";
import { binnedKsDistance, ksAsymptotic } from "../statistics/kolmogorov-smirnov.js";
import { binnedWasserstein } from "../statistics/wasserstein.js";

export interface Reference {
  /** Shares of the bins. */
  shares: readonly number[];
  /** Values that they were counted from: a reference of few values is itself uncertain. */
  size: number;
}

/** What decides. */
export interface Measured {
  psi: number;
  chi2: { statistic: number; p: number };
  threshold: number;
}

/** What is told besides; the p-value of `ks` takes longer than all of `Measured`. */
export interface Distances {
  js: number;
  wasserstein: number;
  ks: { statistic: number; p: number };
}

/** Below it a distribution says nothing. */
export const MIN_VALUES = 50;
const MIN_CLUSTERS = 10;
/** What is called drift at least, however many values there are: evidently's and everybody's value. */
const MIN_PSI = 0.1;
/** The PSI of n values without drift is above its quantile in one of so many cases. */
const PSI_TAIL = 0.001;
/** Fewer values than that are expected in a bin: it is joined with the next one, as chi-square tests need it. */
const MIN_EXPECTED = 5;

/** Null when there are too few values, or all are in one bin. */
export function measure(current: Spread, reference: Reference): Measured | null {
  const n = current.total.reduce((sum, count) => sum + count, 0);
  const size = effectiveSize(current);
  if (n < MIN_VALUES || current.clusters < MIN_CLUSTERS || size < 2) return null;
  const bins = joined(reference.shares, sharesOf(current.total), Math.min(size, reference.size));
  if (bins.length < 2) return null;
  const [expected, found] = split(bins);
  // As if there were so many independent values: values of one sender resemble each other.
  const counts = (shares: readonly number[], values: number) => shares.map((share) => share * values);
  const { statistic, p } = contingency(counts(found, size), counts(expected, reference.size));
  return {
    psi: psi(expected, found),
    chi2: { statistic, p },
    threshold: psiThreshold(size, reference.size, bins.length),
  };
}

/** Of what `measure` has measured. */
export function distances(current: Spread, reference: Reference): Distances {
  const size = effectiveSize(current);
  const [expected, found] = split(joined(reference.shares, sharesOf(current.total), Math.min(size, reference.size)));
  const distance = binnedKsDistance(found, expected);
  return {
    js: jensenShannon(expected, found),
    wasserstein: binnedWasserstein(sharesOf(current.total), sharesOf(reference.shares)),
    ks: { statistic: distance, p: ksAsymptotic(distance, size, reference.size) },
  };
}

const split = (bins: readonly [number, number][]) =>
  [bins.map(([share]) => share), bins.map(([, share]) => share)] as const;

/**
 * Without drift the PSI is distributed like (1/n + 1/m) times a chi-square variable with one degree of freedom less than bins (Yurdakul and
 * Naranjo 2020): a fixed threshold of 0.1 is a false alarm in 37 of 100 cases of 200 values.
 */
function psiThreshold(n: number, m: number, bins: number): number {
  const quantile = QUANTILES.get(bins) ?? chiSquareQuantile(PSI_TAIL, bins - 1);
  QUANTILES.set(bins, quantile);
  return Math.max(MIN_PSI, (1 / n + 1 / m) * quantile);
}

/** By the number of bins, of which there are at most a hundred. */
const QUANTILES = new Map<number, number>();

/** Pairs of shares, in which bins that expect too few values are joined with their neighbours. */
function joined(reference: readonly number[], current: readonly number[], n: number): [number, number][] {
  const bins: [number, number][] = [];
  let [expected, found] = [0, 0];
  const shares = sharesOf(reference);
  for (let i = 0; i < Math.max(shares.length, current.length); i += 1) {
    expected += shares[i] ?? 0;
    found += current[i] ?? 0;
    if (expected * n < MIN_EXPECTED) continue;
    bins.push([expected, found]);
    [expected, found] = [0, 0];
  }
  const last = bins.pop();
  // What is left at the end belongs to the last bin.
  if (last) bins.push([last[0] + expected, last[1] + found]);
  return bins;
}
