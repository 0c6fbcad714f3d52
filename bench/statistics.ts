// Percentiles, and the interval of a ratio of medians by resampling; pure.

export function percentile(values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  // Nearest rank.
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export interface Ratio {
  value: number;
  /** 95 % by the bootstrap (Efron 1979) over rounds, since both sides of a round shared its noise. */
  low: number;
  high: number;
}

const RESAMPLES = 2000;

/** Median of `ours` over median of `theirs`; element i of both is of one round. */
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
