// The drift detection method: finds that errors become more frequent than they ever were (Gama et al. 2004, doi 10.1007/978-3-540-28645-5_29).
import type { Detector } from "./detector.js";

export interface DdmOptions {
  /** Values that are no warning and no detection yet. */
  warmStart?: number;
  /** Standard deviations above the lowest rate of errors. */
  warning?: number;
  drift?: number;
}

/** Values and errors, those of them up to the lowest rate, and that rate with its deviation. */
const EMPTY: readonly [number, number, number, number, number] = [0, 0, 0, 0, Number.MAX_VALUE];

export interface Ddm extends Detector {
  isWarning(): boolean;
}

/** Values are 1 for an error, else 0. The defaults, and each index of a warning or detection, are those of river 0.21 (`drift.binary.DDM`). */
export function createDdm(options: DdmOptions = {}, stored: readonly number[] = []): Ddm {
  const { warmStart = 30, warning = 2, drift = 3 } = options;
  let [n, errors, lowN, lowErrors, lowest] = EMPTY;
  const start = (state: readonly number[]) => {
    [n = 0, errors = 0, lowN = 0, lowErrors = 0, lowest = 0] = state;
  };
  const reset = () => start(EMPTY);
  if (stored.length === EMPTY.length && stored.every(Number.isFinite)) start(stored);
  const deviationOf = (p: number, count: number) => Math.sqrt((p * (1 - p)) / count);
  /** How far the rate is above the lowest one, in standard deviations of that one, and the limits in the rate's own unit. */
  const compare = () => {
    const p = errors / n;
    const low = lowErrors / lowN;
    const deviation = deviationOf(low, lowN);
    return { statistic: p + deviationOf(p, n), low, deviation };
  };
  const isAbove = (limit: number) => {
    if (n <= warmStart || lowN === 0) return false;
    const { statistic, low, deviation } = compare();
    return statistic > low + limit * deviation;
  };

  return {
    update(value) {
      n += 1;
      errors += value;
      if (n <= warmStart) return undefined;
      const p = errors / n;
      const sum = p + deviationOf(p, n);
      if (sum <= lowest) {
        lowest = sum;
        lowN = n;
        lowErrors = errors;
      }
      if (!isAbove(drift)) return undefined;
      const { statistic, low, deviation } = compare();
      const since = n - lowN;
      const after = (errors - lowErrors) / since;
      const found = { statistic, threshold: low + drift * deviation, before: low, after, since };
      reset();
      return found;
    },
    isWarning: () => isAbove(warning),
    reset,
    state: () => [n, errors, lowN, lowErrors, lowest],
    level() {
      if (n <= warmStart || lowN === 0) return 0;
      const { statistic, low, deviation } = compare();
      return deviation > 0 ? Math.max(0, (statistic - low) / (drift * deviation)) : 0;
    },
  };
}
