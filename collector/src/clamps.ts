// The limits of amounts: what one point may hold, that it does not contradict itself, and how far a series may grow; pure.
import { maxValue } from "./catalogue.js";
import type { Amount, Metric } from "./records.js";

/**
 * What one point may count: a minute of a million open pages with a prediction a second each, summed up by an OpenTelemetry Collector before
 * they come here, is 6e7.
 */
const MAX_POINT_COUNT = 1e8;

/**
 * A double holds 52 bits exactly. A series ends below 2^52 units of the smallest difference that matters for its metric, so that every honest
 * amount still changes it.
 */
const MAX_STEPS = 2 ** 52;
/** One point may use a tenth of that. */
const MAX_POINT_STEPS = MAX_STEPS / 10;
/** Sums of floating-point numbers in another order differ in their last bits, and cumulative sums are subtracted. */
const TOLERANCE = 1e-6;

/** The smallest difference that matters: a byte, a thing, a microsecond, a millionth; of other units a thousandth. */
function resolution({ unit }: Metric): number {
  if (unit === "By" || unit.startsWith("{")) return 1;
  return unit === "s" || unit === "1" ? 1e-6 : 1e-3;
}

/**
 * Why an amount cannot be added; null when it can. `magnitude` is the size of the numbers that it was computed from, where they are larger:
 * of a cumulative point its whole sum.
 */
export function refusalOf(metric: Metric, amount: Amount, magnitude = amount.sum): string | null {
  const { name, kind } = metric;
  const { count, sum } = amount;
  if (count > MAX_POINT_COUNT) return `${name}: one point may count ${MAX_POINT_COUNT}, not ${count}`;
  const maxSum = MAX_POINT_STEPS * resolution(metric);
  if (!(sum <= maxSum)) return `${name}: the sum of one point may be ${maxSum}, not ${sum}`;
  return kind === "histogram" ? contradiction(metric, amount, TOLERANCE * magnitude) : null;
}

/** The buckets say between which limits the sum lies. */
function contradiction(metric: Metric, { sum, buckets }: Amount, tolerance: number): string | null {
  const { name, bounds } = metric;
  const highest = Math.max(maxValue(metric), bounds.at(-1) ?? 0);
  let [least, most] = [0, 0];
  for (const [i, count] of buckets.entries()) {
    least += count * Math.max(0, bounds[i - 1] ?? 0);
    most += count * Math.max(0, bounds[i] ?? highest);
  }
  if (sum >= least * (1 - TOLERANCE) - tolerance && sum <= most * (1 + TOLERANCE) + tolerance) return null;
  return `${name}: the sum ${sum} contradicts its buckets, whose values add up to between ${least} and ${most}`;
}

/** Whether a series has come to its end: it then begins again, which Prometheus reads as a restart. */
export function isFull(metric: Metric, { count, sum, buckets }: Amount): boolean {
  return sum > MAX_STEPS * resolution(metric) || Math.max(count, ...buckets) > MAX_STEPS;
}
