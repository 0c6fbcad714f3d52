// Counts of many senders in bins, with what says how much values of one sender resemble each other, for each bin on its own; pure.

/** Sums over clusters (what one sender reported in one day), for tests of a whole distribution. */
export interface Spread {
  clusters: number;
  /** The sum of the squares of the clusters' sizes. */
  sizes: number;
  /** By bin: values, the sum of the squares of the clusters' counts, and of their products with the clusters' sizes. */
  total: number[];
  squares: number[];
  cross: number[];
}

export function emptySpread(size: number): Spread {
  const zeros = () => new Array<number>(size).fill(0);
  return { clusters: 0, sizes: 0, total: zeros(), squares: zeros(), cross: zeros() };
}

/** Adds what a cluster grew by, from `before` (undefined: it is new) to `after`. */
export function growSpread(spread: Spread, before: readonly number[] | undefined, after: readonly number[]): void {
  const [was, is] = [sum(before ?? []), sum(after)];
  if (!before) spread.clusters += 1;
  spread.sizes += is * is - was * was;
  for (const [i, now] of after.entries()) {
    const old = before?.[i] ?? 0;
    spread.total[i] = (spread.total[i] as number) + now - old;
    spread.squares[i] = (spread.squares[i] as number) + now * now - old * old;
    spread.cross[i] = (spread.cross[i] as number) + now * is - old * was;
  }
}

/**
 * How many independent values say as much as these do: fewer when values of one sender resemble each other. The mean design effect of the bins
 * divides the chi-square statistic (Rao and Scott 1981), which is the same as to divide the number of values by it.
 */
export function effectiveSize({ clusters, sizes, total, squares, cross }: Spread): number {
  const n = sum(total);
  if (n === 0 || clusters < 2) return Math.min(n, clusters);
  let [effect, bins] = [0, 0];
  for (const [i, count] of total.entries()) {
    const share = count / n;
    if (share === 0) continue;
    bins += 1;
    const between = (squares[i] as number) - 2 * share * (cross[i] as number) + share * share * sizes;
    effect += (Math.max(0, between) * clusters) / (clusters - 1) / (n * share);
  }
  // The sum over bins of (1 - share) times their effects, over the degrees of freedom.
  return n / Math.max(1, bins > 1 ? effect / (bins - 1) : 1);
}

/** As one list of numbers, for the database; sums of such lists are sums of spreads. */
export const spreadToSums = ({ clusters, sizes, total, squares, cross }: Spread): number[] => [
  clusters,
  sizes,
  ...total,
  ...squares,
  ...cross,
];

export function spreadFromSums(sums: readonly number[], size: number): Spread {
  const part = (i: number) => sums.slice(2 + i * size, 2 + (i + 1) * size);
  return { clusters: sums[0] ?? 0, sizes: sums[1] ?? 0, total: part(0), squares: part(1), cross: part(2) };
}

const sum = (values: readonly number[]) => values.reduce((all, one) => all + one, 0);
