// The Kolmogorov-Smirnov statistic of two samples, raw or in bins, with its exact and its asymptotic p-value; pure.

/** The largest distance between the distribution functions of two samples of raw values. */
export function ksDistance(a: readonly number[], b: readonly number[]): number {
  const [x, y] = [[...a].sort((one, other) => one - other), [...b].sort((one, other) => one - other)];
  let [i, j, distance] = [0, 0, 0];
  while (i < x.length && j < y.length) {
    const value = Math.min(x[i] as number, y[j] as number);
    while (i < x.length && x[i] === value) i += 1;
    while (j < y.length && y[j] === value) j += 1;
    distance = Math.max(distance, Math.abs(i / x.length - j / y.length));
  }
  return distance;
}

/** The same of shares in bins. It cannot be larger than that of the values, so a p-value from it is conservative. */
export function binnedKsDistance(a: readonly number[], b: readonly number[]): number {
  let [sum, distance] = [0, 0];
  for (const [i, share] of a.entries()) {
    sum += share - (b[i] ?? 0);
    distance = Math.max(distance, Math.abs(sum));
  }
  return distance;
}

/** P(D >= distance) for samples of n and m values without ties: counts the paths that stay nearer (Kim and Jennrich 1973). */
export function ksExact(distance: number, n: number, m: number): number {
  // A multiple of 1 / (n m), less half a step, so that rounding decides nothing.
  const limit = (Math.round(distance * n * m) - 0.5) / (n * m);
  const inside: number[] = Array.from({ length: m + 1 }, (_, j) => (j / m > limit ? 0 : 1));
  for (let i = 1; i <= n; i += 1) {
    // The weights keep the numbers below 1: the last one is the share of all paths.
    const weight = i / (i + m);
    inside[0] = i / n > limit ? 0 : weight * (inside[0] ?? 0);
    for (let j = 1; j <= m; j += 1)
      inside[j] = Math.abs(i / n - j / m) > limit ? 0 : weight * (inside[j] ?? 0) + (inside[j - 1] ?? 0);
  }
  return 1 - (inside[m] ?? 0);
}

// Above it the limit distribution is within 1e-3 of the exact one, and the matrices would become large.
const MAX_EXACT = 140;

/**
 * P(D >= distance) by the distribution of one sample of nm / (n + m) values, as SciPy's `method="asymp"`. Above 140 values by Kolmogorov's limit
 * with Stephens' correction.
 */
export function ksAsymptotic(distance: number, n: number, m: number): number {
  const values = (n * m) / (n + m);
  // A half goes to the even number, as in SciPy.
  const whole = values % 2 === 0.5 ? Math.floor(values) : Math.round(values);
  if (distance <= 0 || whole < 1) return 1;
  if (distance >= 1) return 0;
  if (whole > MAX_EXACT) return kolmogorovTail((Math.sqrt(values) + 0.12 + 0.11 / Math.sqrt(values)) * distance);
  // Far out the distance is exceeded on one side only, and 1 minus the matrix's result would be rounding.
  const isFar = distance >= 0.5 || whole * distance * distance > 4;
  return Math.min(1, isFar ? 2 * smirnovTail(distance, whole) : 1 - marsaglia(distance, whole));
}

/** Kolmogorov's limit: P(sqrt(n) D > x). */
function kolmogorovTail(x: number): number {
  if (x < 0.2) return 1;
  let sum = 0;
  for (let k = 1; k <= 100; k += 1) {
    const term = Math.exp(-2 * k * k * x * x);
    sum += k % 2 === 1 ? term : -term;
    if (term < 1e-18) break;
  }
  return Math.min(1, 2 * sum);
}

/** P(D+ >= d) of one sample of n values (Birnbaum and Tingey 1951). */
function smirnovTail(d: number, n: number): number {
  let [sum, logChoose] = [0, 0];
  for (let j = 0; j <= Math.floor(n * (1 - d)); j += 1) {
    if (j > 0) logChoose += Math.log((n - j + 1) / j);
    const [low, high] = [d + j / n, 1 - d - j / n];
    if (high <= 0) continue;
    sum += Math.exp(logChoose + (j - 1) * Math.log(low) + (n - j) * Math.log(high));
  }
  return d * sum;
}

/** P(D < d) of one sample of n values: n! / n^n times a power of a matrix (Marsaglia, Tsang and Wang 2003). */
function marsaglia(d: number, n: number): number {
  const k = Math.floor(n * d) + 1;
  const size = 2 * k - 1;
  const rest = k - n * d;
  const factorial = (value: number) => {
    let product = 1;
    for (let i = 2; i <= value; i += 1) product *= i;
    return product;
  };
  const matrix = Array.from({ length: size }, (_, i) =>
    Array.from({ length: size }, (_, j) => {
      if (i - j + 1 < 0) return 0;
      const corner = i === size - 1 && j === 0;
      const edge = (j === 0 ? rest ** (i + 1) : 0) + (i === size - 1 ? rest ** (size - j) : 0);
      const both = corner && 2 * rest > 1 ? (2 * rest - 1) ** size : 0;
      return (1 - edge + both) / factorial(i - j + 1);
    }),
  );
  let row = Float64Array.from({ length: size }, (_, j) => (j === k - 1 ? 1 : 0));
  // One vector instead of a power of the matrix; each step takes its part of n! / n^n, so that nothing overflows.
  for (let i = 1; i <= n; i += 1) {
    const next = new Float64Array(size);
    for (const [l, column] of matrix.entries()) {
      const value = (row[l] as number) * (i / n);
      // Below the first diagonal under it the matrix is empty.
      for (let j = 0; j <= Math.min(size - 1, l + 1); j += 1)
        next[j] = (next[j] as number) + value * (column[j] as number);
    }
    row = next;
  }
  return row[k - 1] ?? 0;
}
