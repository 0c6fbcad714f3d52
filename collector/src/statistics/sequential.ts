// A one-sided test that may be looked at after every value, as often as one likes: the half-normal mixture of likelihood ratios; pure.
import { normalTail } from "./distributions.js";

/**
 * An estimate of a difference with its standard error. `effect` is the size of a difference that the test is to find soonest: it only decides for
 * which sample size the test has most power, and its guarantee holds for any.
 */
export interface Estimate {
  difference: number;
  error: number;
}

/**
 * The p-value of "the difference is at least `bound`", valid at every look: under that hypothesis the chance that it ever falls below alpha is at
 * most alpha (Ville's inequality). The likelihood ratio of the estimate is mixed over differences below `bound`, with the weights of half a
 * normal distribution (Robbins 1970; Howard et al. 2021; Johari et al. 2022), and 1 over the mixture is the p-value.
 */
export function sequentialP({ difference, error }: Estimate, bound: number, effect: number): number {
  if (!(error > 0)) return 1;
  return Math.min(1, Math.exp(-logMixture((bound - difference) / error, error, effect)));
}

/** The logarithm of the mixture; `z` is the distance from the bound in standard errors. */
function logMixture(z: number, error: number, effect: number): number {
  const share = (effect * effect) / (effect * effect + error * error);
  const root = z * Math.sqrt(share);
  // log(2 phi): below -8 the normal distribution's tail is what matters, and nothing is significant there.
  const side = Math.log(2 * Math.max(1e-300, normalTail(-root)));
  return Math.log(1 - share) / 2 + (root * root) / 2 + side;
}

/** Half the width of the one-sided confidence sequence: with probability 1 - alpha the truth is never further than that on this side. */
export function sequentialMargin(error: number, alpha: number, effect: number): number {
  if (!(error > 0) || !Number.isFinite(error)) return Number.POSITIVE_INFINITY;
  const target = Math.log(1 / alpha);
  let [low, high] = [0, 1];
  while (logMixture(high, error, effect) < target) high *= 2;
  for (let i = 0; i < 60; i += 1) {
    const middle = (low + high) / 2;
    if (logMixture(middle, error, effect) < target) low = middle;
    else high = middle;
  }
  return high * error;
}
