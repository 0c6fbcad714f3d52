// Summaries of many runs: quantiles of what they came to, and shares of them with their interval.
import { wilsonInterval } from "../src/shared/wilson-interval.js";

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

/** `12 (3 to 40)`: the median, and the range of 95 of 100 runs. */
export function spread(values: readonly number[], digits = 0): string {
  if (values.length === 0) return "none";
  const show = (share: number) => quantile(values, share).toLocaleString("en", { maximumFractionDigits: digits });
  return `${show(0.5)} (${show(0.025)} to ${show(0.975)})`;
}

/** `97 of 100 (91 to 99 %)`, with Wilson's 95 % interval. */
export function shareOf(count: number, n: number): string {
  const [low, high] = wilsonInterval(count, n);
  return `${count} of ${n} (${Math.round(100 * low)} to ${Math.round(100 * high)} %)`;
}
