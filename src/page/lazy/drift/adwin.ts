// ADWIN: a window that is cut where the means of its two parts differ by more than chance (Bifet and Gavalda 2007, doi 10.1137/1.9781611972771.42).
import { type AdwinWindow, createWindow } from "./adwin-window.js";
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

/**
 * After a detection it starts with an empty window, as river does. The defaults, and each index of a detection, are those of river 0.21
 * (`drift.ADWIN`), whose older versions never checked the cut after the last bucket of each size.
 */
export function createAdwin(options: AdwinOptions = {}, stored: readonly number[] = []): Adwin {
  const { delta = 0.002, clock = 32, maxBuckets = 5, minWindow = 5, grace = 10 } = options;
  const [storedTicks = 0, storedHighest = 0, ...storedWindow] = stored;
  let window = createWindow(maxBuckets, storedWindow);
  let ticks = window.width() > 0 ? storedTicks : 0;
  let highest = window.width() > 0 ? storedHighest : 0;

  const reset = () => {
    window = createWindow(maxBuckets);
    ticks = 0;
    highest = 0;
  };

  /** The cut that shows a change best; undefined where none shows one. */
  const bestCut = (): Detection | undefined => {
    let best: Detection | undefined;
    highest = 0;
    const width = window.width();
    for (const [n0, u0] of window.cuts()) {
      const n1 = width - n0;
      if (n0 < minWindow || n1 < minWindow) continue;
      const [before, after] = [u0 / n0, (window.total() - u0) / n1];
      const statistic = Math.abs(before - after);
      const threshold = bound(window, n0 - minWindow + 1, n1 - minWindow + 1, delta);
      if (statistic / threshold <= highest) continue;
      highest = statistic / threshold;
      if (statistic > threshold) best = { statistic, threshold, before, after, since: n1 };
    }
    return best;
  };

  return {
    update(value) {
      window.insert(value);
      ticks += 1;
      if (ticks % clock !== 0 || window.width() <= grace) return undefined;
      const found = bestCut();
      if (found) reset();
      return found;
    },
    reset,
    state: () => [ticks, highest, ...window.state()],
    level: () => highest,
    width: () => window.width(),
    total: () => window.total(),
    deviations: () => window.deviations(),
  };
}

/** The bound of a difference of means by chance, for parts of `n0` and `n1` values. */
function bound(window: AdwinWindow, n0: number, n1: number, delta: number): number {
  const width = window.width();
  const log = Math.log((2 * Math.log(width)) / delta);
  const m = 1 / n0 + 1 / n1;
  return Math.sqrt(2 * m * (window.deviations() / width) * log) + (2 / 3) * log * m;
}
