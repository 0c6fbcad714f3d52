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

/** The rank of the quantile `q` of `n` values, from 1: that of the smallest value up to which a share of `q` lies. */
export function ceilRank(q: number, n: number): number {
  return Math.min(n, Math.max(1, Math.ceil(q * n)));
}

/** The value of a rank, of values in their order, each of which occurs `count` times. 0 without values. */
export function valueAt(values: readonly { value: number; count: number }[], rank: number): number {
  let below = 0;
  for (const { value, count } of values) {
    below += count;
    if (below >= rank) return value;
  }
  return values.at(-1)?.value ?? 0;
}

/**
 * The ranks between which the quantile `q` of what the `n` values were drawn from lies with 95 %, whatever their distribution: the number of
 * values below it is binomial (order statistics; here by the normal approximation, rounded outwards). The first is below 1, or the
 * second above `n`, when there are too few values to limit it.
 */
export function ranksAround(q: number, n: number): [low: number, high: number] {
  const half = Z * Math.sqrt(n * q * (1 - q));
  return [Math.floor(n * q - half), Math.ceil(n * q + half) + 1];
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
