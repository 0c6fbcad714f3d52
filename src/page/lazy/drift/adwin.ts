// ADWIN: a window that is cut where the means of its two parts differ by more than chance (Bifet and Gavalda 2007, doi 10.1137/1.9781611972771.42).
import type { Detection, Detector } from "./detector.js";

export interface AdwinOptions {
  /** Bound of the probability of a false alarm at one check. */
  delta?: number;
  /** Values between two checks. */
  clock?: number;
  /** Buckets of one size. */
  maxBuckets?: number;
  /** Values in each part of a cut. */
  minWindow?: number;
  /** Values before the first check. */
  grace?: number;
}

export interface Adwin extends Detector {
  /** Values in the window. */
  width(): number;
  /** Their sum. */
  total(): number;
  /** The sum of their squared deviations from their mean. */
  deviations(): number;
}

/** The buckets of one size, the oldest first: of each the sum of its values, and of their squared deviations. */
type Row = [total: number, deviations: number][];

// A window of 2^30 values; what a browser stored is not believed to be larger.
const MAX_ROWS = 30;

/**
 * Keeps 5 buckets of each size 1, 2, 4, … values, so that the window of a million values has 100 buckets. The defaults, and each index of a
 * detection, are those of river 0.21 (`drift.ADWIN`), whose older versions never checked the cut after the last bucket of each size.
 */
export function createAdwin(options: AdwinOptions = {}, stored: readonly number[] = []): Adwin {
  const { delta = 0.002, clock = 32, maxBuckets = 5, minWindow = 5, grace = 10 } = options;
  /** Row i holds buckets of 2^i values. */
  let rows: Row[] = [[]];
  let width = 0;
  let total = 0;
  let deviations = 0;
  let ticks = 0;
  let highest = 0;

  const reset = () => {
    rows = [[]];
    width = 0;
    total = 0;
    deviations = 0;
    ticks = 0;
    highest = 0;
  };

  const insert = (value: number) => {
    if (width > 0) deviations += (width * (value - total / width) ** 2) / (width + 1);
    width += 1;
    total += value;
    rows[0]?.push([value, 0]);
    compress(rows, maxBuckets);
  };

  const dropOldest = () => {
    const last = rows.length - 1;
    const row = rows[last] as Row;
    const [sum, own] = row.shift() as Row[number];
    const count = 2 ** last;
    width -= count;
    total -= sum;
    deviations -= own + (count * width * (sum / count - total / width) ** 2) / (count + width);
    if (row.length === 0 && last > 0) rows.pop();
    return { count, sum };
  };

  /** The bound of a difference of means by chance, for parts of `n0` and `n1` values. */
  const bound = (n0: number, n1: number) => {
    const log = Math.log((2 * Math.log(width)) / delta);
    const m = 1 / (n0 - minWindow + 1) + 1 / (n1 - minWindow + 1);
    return Math.sqrt(2 * m * (deviations / width) * log) + (2 / 3) * log * m;
  };

  /** The first cut, from the oldest value on, that shows a change. */
  const findCut = (): { statistic: number; threshold: number } | undefined => {
    let [n0, u0] = [0, 0];
    highest = 0;
    for (let row = rows.length - 1; row >= 0; row -= 1) {
      for (const [sum] of rows[row] as Row) {
        n0 += 2 ** row;
        u0 += sum;
        const n1 = width - n0;
        if (n0 < minWindow || n1 < minWindow) continue;
        const statistic = Math.abs(u0 / n0 - (total - u0) / n1);
        const threshold = bound(n0, n1);
        highest = Math.max(highest, statistic / threshold);
        if (statistic > threshold) return { statistic, threshold };
      }
    }
    return undefined;
  };

  const restore = () => {
    const [length = 0, ...rest] = stored;
    if (!(length >= 1 && length <= MAX_ROWS)) return;
    [ticks = 0, width = 0, total = 0, deviations = 0, highest = 0] = rest;
    let at = 5;
    rows = Array.from({ length }, () => {
      const count = rest[at] ?? 0;
      at += 1;
      const row: Row = [];
      for (let i = 0; i < count && i <= maxBuckets; i += 1, at += 2) row.push([rest[at] ?? 0, rest[at + 1] ?? 0]);
      return row;
    });
    const held = rows.reduce((sum, row, size) => sum + row.length * 2 ** size, 0);
    if (held !== width || at !== rest.length) reset();
  };
  restore();

  return {
    update(value) {
      insert(value);
      ticks += 1;
      if (ticks % clock !== 0 || width <= grace) return undefined;
      let found: Detection | undefined;
      let dropped = { count: 0, sum: 0 };
      for (let cut = findCut(); cut; cut = findCut()) {
        const { count, sum } = dropOldest();
        dropped = { count: dropped.count + count, sum: dropped.sum + sum };
        const { statistic, threshold } = found ?? cut;
        const before = dropped.sum / dropped.count;
        found = { statistic, threshold, before, after: total / width, since: width };
      }
      if (found) reset();
      return found;
    },
    reset,
    state: () => [
      rows.length,
      ticks,
      width,
      total,
      deviations,
      highest,
      ...rows.flatMap((row) => [row.length, ...row.flat()]),
    ],
    level: () => highest,
    width: () => width,
    total: () => total,
    deviations: () => deviations,
  };
}

/** Merges the two oldest buckets of a size of which there are too many into one of the next size. */
function compress(rows: Row[], maxBuckets: number): void {
  for (let size = 0; size < rows.length; size += 1) {
    const row = rows[size] as Row;
    if (row.length <= maxBuckets) return;
    const [[sumA, ownA], [sumB, ownB]] = row.splice(0, 2) as [Row[number], Row[number]];
    const count = 2 ** size;
    // Both hold as many values.
    const between = ((sumA / count - sumB / count) ** 2 * count) / 2;
    const next = rows[size + 1] ?? [];
    next.push([sumA + sumB, ownA + ownB + between]);
    rows[size + 1] = next;
  }
}
