// Counts the values of a feature in 20 bins, whatever their range is: the range doubles when a value lies outside.

import type { InputFeatureState } from "./types.js";

const BINS = 20;
const TINY = 1e-30;

export interface FeatureHistogram {
  /** NaN and infinity count as missing. */
  add(value: number, quantile?: number): void;
  state(feature: string): InputFeatureState;
}

export function createFeatureHistogram(isQuantile: boolean): FeatureHistogram {
  let n = 0;
  let missing = 0;
  let mean = 0;
  let deviations = 0;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let from = 0;
  let width = isQuantile ? 1 / BINS : 0;
  let counts = new Array<number>(BINS).fill(0);

  /** Merges pairs of bins, and makes room below or above. */
  const widen = (isDown: boolean) => {
    const half = Array.from({ length: BINS / 2 }, (_, i) => (counts[2 * i] ?? 0) + (counts[2 * i + 1] ?? 0));
    const empty = new Array<number>(BINS / 2).fill(0);
    counts = isDown ? [...empty, ...half] : [...half, ...empty];
    if (isDown) from -= BINS * width;
    width *= 2;
  };
  const count = (value: number) => {
    if (width === 0) {
      // The first value, in the middle of a range of its own size; of a value near 0 half of that would be 0.
      width = (Math.abs(value) > TINY ? Math.abs(value) : 1) / (BINS / 2);
      from = value - (BINS / 2) * width;
    }
    // Quantiles lie within their range.
    while (!isQuantile && value < from) widen(true);
    while (!isQuantile && value >= from + BINS * width) widen(false);
    const bin = Math.min(BINS - 1, Math.floor((value - from) / width));
    counts[bin] = (counts[bin] ?? 0) + 1;
  };

  return {
    add(value, quantile) {
      if (!Number.isFinite(value)) {
        missing += 1;
        return;
      }
      n += 1;
      const before = mean;
      mean += (value - before) / n;
      deviations += (value - before) * (value - mean);
      min = Math.min(min, value);
      max = Math.max(max, value);
      count(quantile ?? value);
    },
    state: (feature) => ({
      feature,
      n,
      missing,
      ...(n > 0 && { mean, spread: Math.sqrt(deviations / n), min, max }),
      histogram: { from, to: from + BINS * width, counts: [...counts], isQuantile },
    }),
  };
}
