// Percentiles, and a bootstrap confidence interval for a ratio of medians.

export function percentile(values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  // Nearest rank.
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export interface Ratio {
  value: number;
  /** 95 % confidence interval by bootstrap (Efron 1979) over rounds, since both sides of a round share its noise. */
  low: number;
  high: number;
}

const RESAMPLES = 2000;

/** Median of `ours` divided by median of `theirs`; element i of both was measured in the same round. */
export function ratioOfMedians(ours: number[], theirs: number[]): Ratio {
  const ratios = Array.from({ length: RESAMPLES }, () => {
    const picks = Array.from(ours, () => Math.floor(Math.random() * ours.length));
    return percentile(picks.map((at) => ours[at] ?? 0), 0.5) / percentile(picks.map((at) => theirs[at] ?? 0), 0.5); // biome-ignore format: both sides on one line
  });
  return {
    value: percentile(ours, 0.5) / percentile(theirs, 0.5),
    low: percentile(ratios, 0.025),
    high: percentile(ratios, 0.975),
  };
}

/** The median, with a 95 % confidence interval by bootstrap. */
export function intervalOfMedian(values: number[]): Ratio {
  const medians = Array.from({ length: RESAMPLES }, () =>
    percentile(
      Array.from(values, () => values[Math.floor(Math.random() * values.length)] ?? 0),
      0.5,
    ),
  );
  return { value: percentile(values, 0.5), low: percentile(medians, 0.025), high: percentile(medians, 0.975) };
}
