// Counts of randomised outcomes as if they were plain: each weighs as much as it says, and on average it says the truth; pure.
import type { Moments } from "../evidence/moments.js";
import type { Part } from "./stratified.js";

/**
 * The mean of this part is the true share of correct outcomes. With probability p = e^epsilon / (e^epsilon + 1) an outcome is the truth, so
 * (reported - (1 - p)) / (2p - 1) is the share (Warner 1965), and its variance is larger by 1 / (2p - 1)^2. Weighted by the inverse of that,
 * outcomes of several epsilons can be added, and an invented epsilon near 0 weighs nothing.
 */
export function truthPart({ epsilon, moments }: { epsilon?: number; moments: Moments }): Part {
  const p = epsilon === undefined ? 1 : Math.exp(epsilon) / (Math.exp(epsilon) + 1);
  const clarity = 2 * p - 1;
  return { moments, score: [clarity * p, -clarity * (1 - p)], weight: [clarity ** 2, clarity ** 2] };
}
