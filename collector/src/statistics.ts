// Quantiles from buckets, and confidence intervals of shares; pure.

/**
 * The quantile `q` of a histogram, by linear interpolation within its bucket, as Prometheus's `histogram_quantile` does it: the first
 * bucket starts at 0, and a value in the last bucket counts as its lower bound. 0 without values.
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

/** Wilson's 95 % score interval for `successes` of `n` (Wilson 1927); [0, 1] when n is 0. */
export function wilson(successes: number, n: number): [low: number, high: number] {
  if (n === 0) return [0, 1];
  const p = successes / n;
  const centre = p + (Z * Z) / (2 * n);
  const half = Z * Math.sqrt((p * (1 - p)) / n + (Z * Z) / (4 * n * n));
  const below = 1 + (Z * Z) / n;
  return [Math.max(0, (centre - half) / below), Math.min(1, (centre + half) / below)];
}

/**
 * Estimates the true share from the share of randomised responses, each of which is the truth with probability
 * e^epsilon / (e^epsilon + 1) (Warner 1965).
 */
export function truthOf(reported: number, epsilon: number): number {
  const p = Math.exp(epsilon) / (Math.exp(epsilon) + 1);
  return Math.min(1, Math.max(0, (reported - (1 - p)) / (2 * p - 1)));
}
