// What the values of many senders add up to, with the products that a variance needs when values of one sender resemble each other; pure.

/**
 * Sums over clusters, a cluster being what one sender reported in one day. Values of one device resemble each other: a slow phone is slow a
 * hundred times. A variance from the clusters' sums is right whatever they have in common; one from the number of values would be too small.
 */
export interface Moments {
  clusters: number;
  /** The sum of the clusters' counts. */
  total: number[];
  /** The sum of the products of each cluster's counts: the upper triangle of a matrix, row by row. */
  products: number[];
}

export function emptyMoments(size: number): Moments {
  const zeros = (length: number) => new Array<number>(length).fill(0);
  return { clusters: 0, total: zeros(size), products: zeros((size * (size + 1)) / 2) };
}

/** Adds what a cluster grew by, from `before` (undefined: it is new) to `after`. */
export function growCluster(moments: Moments, before: readonly number[] | undefined, after: readonly number[]): void {
  const { total, products } = moments;
  if (!before) moments.clusters += 1;
  let place = 0;
  for (let i = 0; i < after.length; i += 1) {
    const [old, now] = [before?.[i] ?? 0, after[i] as number];
    total[i] = (total[i] as number) + now - old;
    for (let j = i; j < after.length; j += 1) {
      products[place] = (products[place] as number) + now * (after[j] as number) - old * (before?.[j] ?? 0);
      place += 1;
    }
  }
}

/** Adds counts of things that have nothing in common: each is a cluster of its own. */
export function addIndependent(moments: Moments, counts: readonly number[]): void {
  let place = 0;
  for (const [i, count] of counts.entries()) {
    moments.clusters += count;
    moments.total[i] = (moments.total[i] as number) + count;
    moments.products[place] = (moments.products[place] as number) + count;
    place += counts.length - i;
  }
}

/** The sum over clusters of the square of the clusters' counts weighted by `coefficients`. */
export function squareSum({ products }: Moments, coefficients: readonly number[]): number {
  let [sum, place] = [0, 0];
  for (let i = 0; i < coefficients.length; i += 1) {
    const coefficient = coefficients[i] as number;
    // Most coefficients are zero where a mean is that of a few of the counts.
    if (coefficient !== 0) {
      let row = 0;
      for (let j = i + 1; j < coefficients.length; j += 1)
        row += (coefficients[j] as number) * (products[place + j - i] as number);
      sum += coefficient * (coefficient * (products[place] as number) + 2 * row);
    }
    place += coefficients.length - i;
  }
  return Math.max(0, sum);
}

/** As one list of numbers, for the database; sums of such lists are sums of moments. */
export const toSums = ({ clusters, total, products }: Moments): number[] => [clusters, ...total, ...products];

export function fromSums(sums: readonly number[], size: number): Moments {
  return { clusters: sums[0] ?? 0, total: sums.slice(1, 1 + size), products: sums.slice(1 + size) };
}
