// Compares two models on the same inputs: McNemar's exact test, and an interval of the difference of their accuracies; pure.
import { seeded } from "../../models/digits/augment.js";

export interface PairedResult {
  n: number;
  /** Accuracies, 0 to 1. */
  before: number;
  after: number;
  /** `after` minus `before`, with its 95 % interval. */
  difference: number;
  low: number;
  high: number;
  /** Inputs that only one of both has right. */
  gained: number;
  lost: number;
  /** Two-sided, of McNemar's exact test. */
  p: number;
}

const RESAMPLES = 10_000;
const SEED = 20261128;

/** `before[i]` and `after[i]`: whether the model has input i right. The interval is the percentile bootstrap over inputs. */
export function comparePaired(before: readonly boolean[], after: readonly boolean[]): PairedResult {
  const n = before.length;
  if (n === 0 || after.length !== n) throw new Error("Both models need results for the same inputs, at least one.");
  const gained = before.filter((right, i) => !right && after[i]).length;
  const lost = before.filter((right, i) => right && !after[i]).length;
  const differences = bootstrap(n, gained, lost);
  const at = (q: number) => differences[Math.min(RESAMPLES - 1, Math.floor(q * RESAMPLES))] as number;
  const right = before.filter(Boolean).length;
  return {
    n,
    before: right / n,
    after: (right + gained - lost) / n,
    difference: (gained - lost) / n,
    low: at(0.025),
    high: at(0.975),
    gained,
    lost,
    p: mcnemar(gained, lost),
  };
}

/** A resample of inputs is a draw of how many were gained and lost: the others change nothing. */
function bootstrap(n: number, gained: number, lost: number): Float64Array {
  const random = seeded(SEED);
  const [g, l] = [gained / n, lost / n];
  return Float64Array.from({ length: RESAMPLES }, () => {
    let sum = 0;
    for (let i = 0; i < n; i += 1) {
      const u = random();
      if (u < g) sum += 1;
      else if (u < g + l) sum -= 1;
    }
    return sum / n;
  }).sort();
}

/** McNemar 1947, exact: as many gains or more extreme, when a gain is as likely as a loss. */
export function mcnemar(gained: number, lost: number): number {
  const n = gained + lost;
  const least = Math.min(gained, lost);
  let term = -n * Math.LN2;
  let sum = 0;
  for (let k = 0; k <= least; k += 1) {
    sum += Math.exp(term);
    term += Math.log(n - k) - Math.log(k + 1);
  }
  return Math.min(1, 2 * sum);
}
