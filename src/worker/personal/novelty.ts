// Computes the novelty threshold of each class: inputs beyond it are reported as unknown; pure.

/**
 * Share of inputs of a class that may be reported as unknown. Measured over 20 seeds with 10 examples a class: at 5 %, 73 of 100 digits of
 * other classes and 100 of 100 images other than surfaces are reported as unknown; at 1 %, 7 and 98.
 */
const FALSE_UNKNOWN = 0.05;
/** The 95 % point of the normal distribution. */
const Z = 1.6448536269514722;
// Largest factor of a threshold that has room; measured as the end of a 99.9 % interval, which was no better.
const MAX_FACTOR = 1.5;
// Two identical images have a distance of 0, which has no logarithm; two frames of a still camera are farther apart than this.
const MIN_DISTANCE = 1e-3;

/**
 * The threshold of a class is the upper end of a one-sided 95 % prediction interval for the distance of the next example, by Student's t
 * (Hahn & Meeker 1991, "Statistical Intervals", section 4.3). It is computed on logarithms, since the logarithms of distances are closer to a normal
 * distribution; the spread is pooled over classes, since three examples of one class say little. Infinite while no class has three examples.
 *
 * A spread that was estimated from few examples is often too small: with five of each of three surfaces, 1 of 20 draws reported a fifth of
 * the classes' own crops as unknown. Where `nearest`, the distance of the nearest example of another class to the mean, leaves room, the
 * threshold goes a third of the way to it, on the logarithm. Where it leaves none, strangers may be as near.
 */
export function noveltyThresholds(
  distances: { class: number; distance: number }[],
  classes: number,
  nearest: readonly number[] = [],
): Float32Array {
  const limits = new Float32Array(classes).fill(Number.POSITIVE_INFINITY);
  const logs = distances.map(({ class: index, distance }) => ({
    index,
    log: Math.log(Math.max(distance, MIN_DISTANCE)),
  }));
  const groups = Array.from({ length: classes }, (_, index) => logs.filter((entry) => entry.index === index));
  // Two examples have the same leave-one-out distance: one value, which has no spread.
  const spreading = groups.filter((group) => group.length > 2);
  if (spreading.length === 0) return limits;
  const mean = (group: { log: number }[]) => group.reduce((sum, { log }) => sum + log, 0) / group.length;
  const overall = mean(logs);
  const freedom = spreading.reduce((sum, group) => sum + group.length - 1, 0);
  const squares = spreading.reduce((sum, group) => {
    const own = mean(group);
    return sum + group.reduce((total, { log }) => total + (log - own) ** 2, 0);
  }, 0);
  const spread = Math.sqrt(squares / freedom);
  for (const [index, group] of groups.entries()) {
    const centre = group.length > 0 ? mean(group) : overall;
    const n = group.length > 2 ? group.length : 1;
    const limit = Math.exp(centre + studentPoint(freedom) * spread * Math.sqrt(1 + 1 / n));
    limits[index] = limit * Math.min(Math.max(1, Math.cbrt((nearest[index] ?? 0) / limit)), MAX_FACTOR);
  }
  return limits;
}

/** The 95 % quantile of Student's t; exact for 1 and 2 degrees of freedom, otherwise by expansion (Abramowitz & Stegun 26.7.5). */
export function studentPoint(freedom: number): number {
  const p = 1 - FALSE_UNKNOWN;
  if (freedom === 1) return Math.tan(Math.PI * (p - 0.5));
  if (freedom === 2) return (2 * p - 1) * Math.sqrt(2 / (4 * p * (1 - p)));
  const [z3, z5, z7] = [Z ** 3, Z ** 5, Z ** 7];
  const first = (z3 + Z) / 4;
  const second = (5 * z5 + 16 * z3 + 3 * Z) / 96;
  const third = (3 * z7 + 19 * z5 + 17 * z3 - 15 * Z) / 384;
  return Z + first / freedom + second / freedom ** 2 + third / freedom ** 3;
}
