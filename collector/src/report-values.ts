// What histograms tell of the values that were measured: percentiles with the limits between which they lie, and extremes; pure.
import { addFine, coarseOf, toHistogram } from "./exponential.js";
import { type Cell, cellsOf, type Histogram, sumOf } from "./histograms.js";
import type { Fine } from "./records.js";
import type { GrownSeries } from "./report-groups.js";
import type { Spread, ValueRange } from "./report-types.js";
import { ceilRank, quantile, ranksAround, valueAt } from "./statistics.js";

interface Values {
  histograms: Histogram[];
  /** The buckets that hold values, cut at the extremes. */
  cells: Cell[];
  n: number;
  min: ValueRange;
  max: ValueRange;
}

const QUANTILES = { p50: 0.5, p95: 0.95, p99: 0.99 } as const;

/** Percentiles of what all series grew by, and between which values each lies for certain: as far apart as its bucket is wide. */
export function spread(series: readonly GrownSeries[]): Spread {
  const values = valuesOf(series);
  const { bounds, buckets } = sumOf(values.histograms);
  const ranges = rangesOf((q) => {
    const rank = ceilRank(q, values.n);
    return [rank, rank];
  }, values);
  const within = (q: number, [low, high]: ValueRange) =>
    Math.min(high ?? Infinity, Math.max(low, quantile(q, bounds, buckets)));
  return {
    count: values.n,
    p50: within(QUANTILES.p50, ranges.p50),
    p95: within(QUANTILES.p95, ranges.p95),
    p99: within(QUANTILES.p99, ranges.p99),
    ranges,
    max: values.max,
  };
}

/** 95 % intervals of the percentiles: the limits of the buckets of those values whose ranks may be the percentile's (order statistics). */
export function intervals(series: readonly GrownSeries[]): Spread["ranges"] {
  const values = valuesOf(series);
  return rangesOf((q) => ranksAround(q, values.n), values);
}

function rangesOf(ranks: (q: number) => [number, number], { cells, n }: Values): Spread["ranges"] {
  const lows = cells.map(({ low, count }) => ({ value: low, count })).sort((a, b) => a.value - b.value);
  const highs = cells.map(({ high, count }) => ({ value: high, count })).sort((a, b) => a.value - b.value);
  const range = (q: number): ValueRange => {
    const [from, to] = ranks(q);
    return [from < 1 ? 0 : valueAt(lows, from), to > n ? null : finite(valueAt(highs, to))];
  };
  return { p50: range(QUANTILES.p50), p95: range(QUANTILES.p95), p99: range(QUANTILES.p99) };
}

/** The histograms of all series, those with other bounds beside each other. */
export function histogramsIn(series: readonly GrownSeries[]): Histogram[] {
  const coarse = new Map<readonly number[], number[]>();
  const fine = new Map<number, Fine>();
  for (const { bounds, slots } of series)
    for (const slot of slots) {
      const sums = coarse.get(bounds) ?? new Array<number>(bounds.length + 1).fill(0);
      coarse.set(bounds, sums);
      for (const [i, count] of slot.buckets.entries()) sums[i] = (sums[i] ?? 0) + count;
      for (const one of slot.fine) {
        const known = fine.get(one.scale);
        fine.set(one.scale, known ? addFine(known, one) : one);
        for (const [i, count] of coarseOf(one).entries()) sums[i] = (sums[i] ?? 0) - count;
      }
    }
  const all = [...coarse].map(([bounds, buckets]) => ({ bounds, buckets }));
  return [...all, ...[...fine.values()].map(toHistogram)].filter(({ buckets }) => buckets.some((count) => count > 0));
}

function valuesOf(series: readonly GrownSeries[]): Values {
  const histograms = histogramsIn(series);
  const cells = cellsOf(histograms);
  const min = minimum(series, cells);
  const max = maximum(series, cells);
  const cut = cells.map(({ low, high, count }) => ({
    low: Math.max(low, min[0]),
    high: Math.min(high, max[1] ?? Infinity),
    count,
  }));
  return { histograms, cells: cut, n: cells.reduce((sum, { count }) => sum + count, 0), min, max };
}

/** Exact when all senders told it; else between what is known and the limits of the buckets of the others. */
function maximum(series: readonly GrownSeries[], cells: readonly Cell[]): ValueRange {
  let [told, untold] = [0, 0];
  for (const { bounds, slots } of series)
    for (const { max, allToldMax, buckets } of slots) {
      told = Math.max(told, max ?? 0);
      const last = allToldMax ? -1 : buckets.findLastIndex((count) => count > 0);
      if (last >= 0) untold = Math.max(untold, bounds[last] ?? Infinity);
    }
  if (untold === 0) return [told, told];
  const low = Math.max(told, ...cells.map((cell) => cell.low));
  const high = Math.min(Math.max(told, untold), Math.max(...cells.map((cell) => cell.high)));
  return [low, finite(Math.max(low, high))];
}

function minimum(series: readonly GrownSeries[], cells: readonly Cell[]): [low: number, high: number] {
  let [told, untold] = [Infinity, Infinity];
  for (const { bounds, slots } of series)
    for (const { min, allToldMin, buckets } of slots) {
      told = Math.min(told, min ?? Infinity);
      const first = allToldMin ? -1 : buckets.findIndex((count) => count > 0);
      if (first >= 0) untold = Math.min(untold, bounds[first - 1] ?? 0);
    }
  if (untold === Infinity) return told === Infinity ? [0, 0] : [told, told];
  const high = Math.min(told, ...cells.map((cell) => cell.high));
  const low = Math.max(Math.min(told, untold), Math.min(...cells.map((cell) => cell.low)));
  return [Math.min(low, high), high];
}

function finite(value: number): number | null {
  return value === Infinity ? null : value;
}
