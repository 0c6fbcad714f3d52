// Quantiles from buckets and intervals of shares; pure.

/**
 * The quantile `q` of a histogram, by linear interpolation within its bucket, as Prometheus's `histogram_quantile` has it: the first
 * bucket begins at 0, and what lies in the last one is its lower bound. 0 of nothing.
 */
export function quantile(q: number, bounds: readonly number[], buckets: readonly number[]): number {
  const total = buckets.reduce((sum, count) => sum + count, 0);
  const rank = q * total;
  let below = 0;
  for (const [i, count] of buckets.entries()) {
    if (count > 0 && below + count >= rank) {
      const low = i === 0 ? 0 : (bounds[i - 1] as number);
      const high = bounds[i];
      return high === undefined ? low : low + ((high - low) * (rank - below)) / count;
    }
    below += count;
  }
  return 0;
}

const Z = 1.959963984540054;

/** Wilson's 95 % score interval for `successes` of `n` (Wilson 1927); [0, 1] of nothing. */
export function wilson(successes: number, n: number): [low: number, high: number] {
  if (n === 0) return [0, 1];
  const p = successes / n;
  const centre = p + (Z * Z) / (2 * n);
  const half = Z * Math.sqrt((p * (1 - p)) / n + (Z * Z) / (4 * n * n));
  const below = 1 + (Z * Z) / n;
  return [Math.max(0, (centre - half) / below), Math.min(1, (centre + half) / below)];
}

/**
 * What share was true when each answer was given at random with the odds e^epsilon to 1 of the truth (randomised response, Warner
 * 1965), from the share that was answered.
 */
export function truthOf(answered: number, epsilon: number): number {
  const p = Math.exp(epsilon) / (Math.exp(epsilon) + 1);
  return Math.min(1, Math.max(0, (answered - (1 - p)) / (2 * p - 1)));
}
