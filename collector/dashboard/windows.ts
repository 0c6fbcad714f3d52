// Puts neighbouring steps of labels together until a window has enough of them to say something; pure.
import type { Report } from "../src/report-types.js";

type Point = Report["accuracy"][number]["points"][number];

export interface Windows {
  /** Where the first window begins: at the report's begin or before it. */
  from: number;
  to: number;
  /** The length of a window, a multiple of the report's step. */
  step: number;
  points: Point[];
}

// Fifty labels make an interval of about ± 10 % at an accuracy of 85 %; fewer mostly draw noise.
const WANTED_LABELS = 50;
// With fewer windows a plot over time shows no time.
const FEWEST_WINDOWS = 6;
const SIZES = [1, 2, 3, 5, 10, 15, 20, 30, 60];

export function windowsOf({ from, to, step }: Report, points: readonly Point[]): Windows {
  const labelled = points.filter((point) => point.labelled > 0);
  const steps = Math.max(1, Math.round((to - from) / step));
  const mean = labelled.reduce((sum, point) => sum + point.labelled, 0) / Math.max(1, labelled.length);
  const most = Math.max(1, Math.floor(steps / FEWEST_WINDOWS));
  const fitting = SIZES.filter((size) => size <= most);
  const size = fitting.find((one) => one * mean >= WANTED_LABELS) ?? fitting.at(-1) ?? 1;
  if (size === 1) return { from, to, step, points: labelled };
  // Cut where the clock cuts, not where the range begins: the range moves on, and the same labels would be cut anew.
  const begin = (time: number) => Math.floor(time / (size * step)) * size * step;
  const sums = new Map<number, { labelled: number; correct: number }>();
  for (const { time, labelled: n, correct } of labelled) {
    const sum = sums.get(begin(time)) ?? { labelled: 0, correct: 0 };
    sums.set(begin(time), { labelled: sum.labelled + n, correct: sum.correct + correct });
  }
  const pooled = [...sums].map(([time, sum]) => ({ time, ...sum, ...wilson(sum.correct, sum.labelled) }));
  return { from: begin(from), to, step: size * step, points: pooled };
}

// The two-sided 95 % quantile of the normal distribution.
const Z = 1.959963984540054;

/** Wilson's score interval (1927), as the collector computes it for the steps. */
function wilson(correct: number, n: number): { low: number; high: number } {
  const share = correct / n;
  const scale = 1 + Z ** 2 / n;
  const middle = (share + Z ** 2 / (2 * n)) / scale;
  const half = (Z / scale) * Math.sqrt((share * (1 - share)) / n + Z ** 2 / (4 * n ** 2));
  return { low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
}
