// Distances between two distributions in the same bins: PSI, Kullback-Leibler, Jensen-Shannon, Hellinger, total variation, L-infinity; pure.

/** What an empty bin counts as where a logarithm needs a share: the value that evidently and NannyML use. */
const EMPTY = 1e-4;

/** Counts as shares of 1. */
export function sharesOf(counts: readonly number[]): number[] {
  const all = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count) => (all > 0 ? count / all : 0));
}

const filled = (counts: readonly number[]) => sharesOf(counts).map((share) => (share === 0 ? EMPTY : share));

/** Sums a function of both shares over the bins. */
function over(a: readonly number[], b: readonly number[], term: (p: number, q: number) => number): number {
  return a.reduce((sum, p, i) => sum + term(p, b[i] ?? 0), 0);
}

/** The population stability index of counts against reference counts. */
export function psi(reference: readonly number[], current: readonly number[]): number {
  return over(filled(reference), filled(current), (p, q) => (q - p) * Math.log(q / p));
}

/** The Kullback-Leibler divergence of a from b, in nats; empty bins count as 1e-4, and the shares add up to 1 again. */
export function kullbackLeibler(a: readonly number[], b: readonly number[]): number {
  return over(sharesOf(filled(a)), sharesOf(filled(b)), (p, q) => p * Math.log(p / q));
}

/** The Jensen-Shannon distance, the root of the divergence: 0 to 1 with the logarithm to base 2. */
export function jensenShannon(a: readonly number[], b: readonly number[], base = 2): number {
  const half = (p: number, q: number) => (p === 0 ? 0 : p * Math.log((2 * p) / (p + q)));
  const divergence = over(sharesOf(a), sharesOf(b), (p, q) => (half(p, q) + half(q, p)) / 2);
  return Math.sqrt(Math.max(0, divergence) / Math.log(base));
}

/** 0 to 1. */
export function hellinger(a: readonly number[], b: readonly number[]): number {
  return Math.sqrt(over(sharesOf(a), sharesOf(b), (p, q) => (Math.sqrt(p) - Math.sqrt(q)) ** 2) / 2);
}

/** Half the sum of the differences of shares: 0 to 1. */
export function totalVariation(a: readonly number[], b: readonly number[]): number {
  return over(sharesOf(a), sharesOf(b), (p, q) => Math.abs(p - q)) / 2;
}

/** The largest difference of a share. */
export function lInfinity(a: readonly number[], b: readonly number[]): number {
  const other = sharesOf(b);
  return Math.max(0, ...sharesOf(a).map((p, i) => Math.abs(p - (other[i] ?? 0))));
}
