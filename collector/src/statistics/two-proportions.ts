// The two-proportion z test: whether one share of successes is lower than another; pure.
import { normalTail } from "./distributions.js";

/** Successes of n. */
export interface Share {
  successes: number;
  n: number;
}

/**
 * Tests whether the candidate's share is below the control's, with the pooled variance. `z` is positive when it is; `p` is one-sided. Both are
 * those of a single look at the data.
 */
export function twoProportions(control: Share, candidate: Share): { z: number; p: number } {
  const pooled = (control.successes + candidate.successes) / (control.n + candidate.n);
  const error = Math.sqrt(pooled * (1 - pooled) * (1 / control.n + 1 / candidate.n));
  // Nothing differs when everything or nothing was a success, and nothing is known without values.
  if (!(error > 0)) return { z: 0, p: 0.5 };
  const z = (control.successes / control.n - candidate.successes / candidate.n) / error;
  return { z, p: normalTail(z) };
}
