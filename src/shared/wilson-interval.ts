// How sure a share of few is: Wilson's interval; pure.

/** The 97.5 % point of the normal distribution: intervals of 95 %. */
const Z = 1.959963984540054;

/**
 * Wilson's score interval for `successes` of `n` (Wilson 1927, doi 10.2307/2276774): [0, 1] for none of none. It keeps within 0 and 1,
 * and is right for few and for shares near the ends, where the usual p +- z * sqrt(p(1 - p) / n) is not.
 */
export function wilsonInterval(successes: number, n: number, z = Z): [low: number, high: number] {
  if (n === 0) return [0, 1];
  const p = successes / n;
  const square = z * z;
  const centre = p + square / (2 * n);
  const half = z * Math.sqrt((p * (1 - p)) / n + square / (4 * n * n));
  const below = 1 + square / n;
  // By the formula they are 0 and 1 exactly there, by the machine nearly.
  return [successes === 0 ? 0 : (centre - half) / below, successes === n ? 1 : (centre + half) / below];
}
