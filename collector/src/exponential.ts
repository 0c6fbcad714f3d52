// The fine layout of exponential histograms: OpenTelemetry's buckets, at most eight between two powers of two; pure.
import { POWERS } from "./catalogue.js";
import type { Histogram } from "./histograms.js";
import type { Fine } from "./records.js";

/** A bucket ends 9 % above its begin: no quantile is further than that from a value that was measured. */
const FINE_SCALE = 3;
// From a microsecond, or a millionth, to a terabyte, in powers of two; what is below counts as 0, what is above as the last.
const LOWEST_POWER = -20;
const HIGHEST_POWER = 40;

/** The buckets in at most `FINE_SCALE`. Finer ones are merged pair by pair, so every value stays in the range that held it. */
export function fineOf({ scale, offset, buckets }: Fine): Fine {
  const to = Math.min(scale, FINE_SCALE);
  const [lowest, highest] = [LOWEST_POWER * 2 ** to, HIGHEST_POWER * 2 ** to - 1];
  const sums = new Map<number, number>();
  for (const [i, count] of buckets.entries()) {
    // Not a shift: an offset may have 32 bits, and more after the addition.
    const at = Math.floor((offset + i) / 2 ** (scale - to));
    if (count > 0 && at >= lowest) sums.set(Math.min(at, highest), (sums.get(Math.min(at, highest)) ?? 0) + count);
  }
  return fromSums(to, sums);
}

/** The sum of `a` and `sign` times `b`, at the coarser scale of the two. */
export function addFine(a: Fine, b: Fine, sign: 1 | -1 = 1): Fine {
  const scale = Math.min(a.scale, b.scale);
  const sums = new Map<number, number>();
  for (const [part, factor] of [
    [a, 1],
    [b, sign],
  ] as const)
    for (const [i, count] of part.buckets.entries()) {
      const at = Math.floor((part.offset + i) / 2 ** (part.scale - scale));
      sums.set(at, (sums.get(at) ?? 0) + factor * count);
    }
  return fromSums(scale, sums);
}

function fromSums(scale: number, sums: ReadonlyMap<number, number>): Fine {
  const places = [...sums].filter(([, count]) => count !== 0).map(([at]) => at);
  if (places.length === 0) return { scale, offset: 0, buckets: [] };
  const [offset, last] = [Math.min(...places), Math.max(...places)];
  return { scale, offset, buckets: Array.from({ length: last - offset + 1 }, (_, i) => sums.get(offset + i) ?? 0) };
}

/** The same counts in the buckets between `POWERS`, which every finer scale divides evenly. Values of 0 are not in it. */
export function coarseOf({ scale, offset, buckets }: Fine): number[] {
  const coarse = new Array<number>(POWERS.length + 1).fill(0);
  for (const [i, count] of buckets.entries()) {
    const power = Math.floor((offset + i) / 2 ** scale);
    const at = Math.min(POWERS.length, Math.max(0, power + 1 - LOWEST_POWER));
    coarse[at] = (coarse[at] ?? 0) + count;
  }
  return coarse;
}

/** The buckets with their bounds. */
export function toHistogram({ scale, offset, buckets }: Fine): Histogram {
  const bounds = Array.from({ length: buckets.length + 1 }, (_, i) => 2 ** ((offset + i) / 2 ** scale));
  return { bounds, buckets: [0, ...buckets, 0] };
}
