// Estimates the hour at which a distribution changed, from its counts hour by hour; pure.
import { contingency } from "../statistics/chi-square.js";
import { MIN_VALUES } from "./measure.js";

/** Of the best of some fifty places, of values of which some resemble each other. */
const MAX_P = 1e-5;

export interface HourCounts {
  /** Epoch milliseconds at which the hour began. */
  time: number;
  counts: readonly number[];
}

/**
 * The beginning of the hour that parts the hours best: before it and from it on they differ most, by the chi-square statistic. Of hours without
 * any change before them, the first one. `hours` are in their order. Undefined without any values.
 *
 * It is an estimate: with few values, or a shift that grows slowly, it is some hours off.
 */
export function shiftOf(hours: readonly HourCounts[]): number | undefined {
  const filled = hours.filter(({ counts }) => sum(counts) > 0);
  const after = totals(filled);
  const before = after.map(() => 0);
  let best: { time: number; statistic: number } | undefined;
  for (const { time, counts } of filled) {
    if (Math.min(sum(before), sum(after)) >= MIN_VALUES) {
      const { statistic, p } = contingency(before, after);
      if (p < MAX_P && statistic > (best?.statistic ?? 0)) best = { time, statistic };
    }
    for (const [i, count] of counts.entries()) {
      before[i] = (before[i] ?? 0) + count;
      after[i] = (after[i] ?? 0) - count;
    }
  }
  return (best ?? filled[0])?.time;
}

function totals(hours: readonly HourCounts[]): number[] {
  const all: number[] = [];
  for (const { counts } of hours) for (const [i, count] of counts.entries()) all[i] = (all[i] ?? 0) + count;
  return all;
}

const sum = (values: readonly number[]) => values.reduce((all, one) => all + one, 0);
