// The Wasserstein distance of two samples, raw or in bins: how far values must move to make one sample of the other; pure.

/** The area between both distribution functions, in the unit of the values; 0 when a sample is empty. */
export function wasserstein(a: readonly number[], b: readonly number[]): number {
  if (a.length === 0 || b.length === 0) return 0;
  const [x, y] = [[...a].sort((one, other) => one - other), [...b].sort((one, other) => one - other)];
  let [i, j, area] = [0, 0, 0];
  let last = Math.min(x[0] as number, y[0] as number);
  while (i < x.length || j < y.length) {
    const value = Math.min(x[i] ?? Number.POSITIVE_INFINITY, y[j] ?? Number.POSITIVE_INFINITY);
    area += Math.abs(i / x.length - j / y.length) * (value - last);
    last = value;
    while (x[i] === value) i += 1;
    while (y[j] === value) j += 1;
  }
  return area;
}

/** The same of shares in bins of the same width, as a share of the whole range: 0.1 says that values moved by a tenth of it on average. */
export function binnedWasserstein(a: readonly number[], b: readonly number[]): number {
  let [sum, area] = [0, 0];
  for (const [i, share] of a.entries()) {
    sum += share - (b[i] ?? 0);
    area += Math.abs(sum);
  }
  return a.length > 1 ? area / a.length : 0;
}
