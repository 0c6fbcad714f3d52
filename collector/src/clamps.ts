// The limits of amounts: what one point may hold, that it does not contradict itself, and how far a series may grow; pure.
import { histogramsOf } from "./amounts.js";
import { maxValue } from "./catalogue.js";
import { type Cell, cellsOf } from "./histograms.js";
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
function contradiction(metric: Metric, amount: Amount, tolerance: number): string | null {
  const { sum } = amount;
  let [least, most] = [0, 0];
  for (const { low, high, count } of cellsOf(histogramsOf(metric.bounds, amount))) {
    least += count * low;
    most += count * Math.min(high, highestOf(metric));
  }
  if (sum >= least * (1 - TOLERANCE) - tolerance && sum <= most * (1 + TOLERANCE) + tolerance) return null;
  return `${metric.name}: the sum ${sum} contradicts its buckets, whose values add up to between ${least} and ${most}`;
}

function highestOf(metric: Metric): number {
  return Math.max(maxValue(metric), metric.bounds.at(-1) ?? 0);
}

/**
 * Why the extremes of a point cannot be true; null when they can. They lie in the first and the last bucket that holds values, and the mean
 * between them: so a sender who lies moves neither further than its buckets do.
 */
export function refusalOfExtremes(metric: Metric, amount: Amount): string | null {
  const { sum, count } = amount;
  if (amount.min === undefined && amount.max === undefined) return null;
  const cells = cellsOf(histogramsOf(metric.bounds, amount));
  const [first, last] = [cells.reduce(lower, NO_CELL), cells.reduce(higher, NO_CELL)];
  const [min, max] = [amount.min ?? first.low, amount.max ?? last.low];
  const [highestMin, highestMax] = [amount.min ?? first.high, amount.max ?? Math.min(last.high, highestOf(metric))];
  const limits: [name: string, value: number, low: number, high: number][] = [
    ["min", min, first.low, Math.min(first.high, highestMax)],
    ["max", max, last.low, Math.min(last.high, highestOf(metric))],
    ["sum", sum, (count - 1) * min + max, (count - 1) * highestMax + Math.min(highestMin, highestMax)],
  ];
  const wrong = limits.find(([, value, low, high]) => !isWithin(value, low, high));
  if (!wrong) return null;
  const [name, value, low, high] = wrong;
  return `${metric.name}: the ${name} ${value} contradicts the rest of its point, which puts it between ${low} and ${high}`;
}

const NO_CELL: Cell = { low: 0, high: 0, count: 0 };
const lower = (a: Cell, b: Cell) => (a.count > 0 && a.high <= b.high ? a : b);
const higher = (a: Cell, b: Cell) => (a.count > 0 && a.high >= b.high ? a : b);

function isWithin(value: number, low: number, high: number): boolean {
  return value >= low * (1 - TOLERANCE) && value <= high * (1 + TOLERANCE);
}

/** Whether a series has come to its end: it then begins again, which Prometheus reads as a restart. */
export function isFull(metric: Metric, { count, sum, buckets }: Amount): boolean {
  return sum > MAX_STEPS * resolution(metric) || Math.max(count, ...buckets) > MAX_STEPS;
}
