// The Page-Hinkley test: finds that a mean has risen by the cumulative deviation from it (Page 1954, doi 10.2307/2333009).
import type { Detector } from "./detector.js";

export interface PageHinkleyOptions {
  /** Values before the first detection. */
  minInstances?: number;
  /** Deviation from the mean that is tolerated. */
  delta?: number;
  /** Of the cumulative deviation. */
  threshold?: number;
  /** Factor by which earlier deviations fade, with each value. */
  alpha?: number;
}

/** The defaults, and each index of a detection, are those of river and scikit-multiflow (`PageHinkley`). */
export function createPageHinkley(options: PageHinkleyOptions = {}, stored: readonly number[] = []): Detector {
  const { minInstances = 30, delta = 0.005, threshold = 50, alpha = 0.9999 } = options;
  let n = 0;
  let total = 0;
  let mean = 0;
  let sum = 0;
  /** Values since the sum was last 0, and their total: those after the change, if there is one. */
  let since = 0;
  let totalSince = 0;
  if (stored.length === 6 && stored.every(Number.isFinite))
    [n = 0, total = 0, mean = 0, sum = 0, since = 0, totalSince = 0] = stored;

  const reset = () => {
    n = 0;
    total = 0;
    mean = 0;
    sum = 0;
    since = 0;
    totalSince = 0;
  };

  return {
    update(value) {
      n += 1;
      total += value;
      mean += (value - mean) / n;
      sum = Math.max(0, alpha * sum + (value - mean - delta));
      since = sum > 0 ? since + 1 : 0;
      totalSince = sum > 0 ? totalSince + value : 0;
      if (n < minInstances || sum <= threshold) return undefined;
      const before = since < n ? (total - totalSince) / (n - since) : mean;
      const found = { statistic: sum, threshold, before, after: totalSince / since, since };
      reset();
      return found;
    },
    reset,
    state: () => [n, total, mean, sum, since, totalSince],
    level: () => sum / threshold,
  };
}
