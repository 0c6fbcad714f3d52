// The Wasserstein distance of two samples of raw values: how far values must move to make one sample of the other; pure.

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
