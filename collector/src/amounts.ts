// Arithmetic of amounts: sums, the difference of two points of a cumulative stream, and an amount as histograms; pure.
import { addFine, coarseOf, toHistogram } from "./exponential.js";
import type { Histogram } from "./histograms.js";
import type { Amount, Metric } from "./records.js";

export function zeroOf({ kind, bounds }: Pick<Metric, "kind" | "bounds">): Amount {
  return { count: 0, sum: 0, buckets: kind === "counter" ? [] : new Array<number>(bounds.length + 1).fill(0) };
}

/** The sum without fine buckets and extremes: what `GET /metrics` has no place for. */
export function add(to: Amount, what: Amount, sign: 1 | -1 = 1): Amount {
  return {
    count: to.count + sign * what.count,
    sum: to.sum + sign * what.sum,
    buckets: to.buckets.map((count, i) => count + sign * (what.buckets[i] ?? 0)),
  };
}

/** What a cumulative point adds to the last one of its stream; null when its sums have fallen, which only a restart does. */
export function growth(amount: Amount, last: Amount): Amount | null {
  const grown = add(amount, last, -1);
  const fine = amount.fine && last.fine ? addFine(amount.fine, last.fine, -1) : undefined;
  if ([grown.count, grown.sum, ...grown.buckets, ...(fine?.buckets ?? [])].some((one) => one < 0)) return null;
  // Extremes are those since the start: only one that has moved was measured since the last point.
  const { min, max } = amount;
  return {
    ...grown,
    ...(fine && { fine }),
    ...(min !== undefined && min < (last.min ?? 0) && { min }),
    ...(max !== undefined && max > (last.max ?? Infinity) && { max }),
  };
}

/** The same values as histograms: those that have fine buckets, and the others. */
export function histogramsOf(
  bounds: readonly number[],
  { buckets, fine }: Pick<Amount, "buckets" | "fine">,
): Histogram[] {
  if (!fine) return [{ bounds, buckets }];
  const coarse = coarseOf(fine);
  return [{ bounds, buckets: buckets.map((count, i) => count - (coarse[i] ?? 0)) }, toHistogram(fine)];
}
