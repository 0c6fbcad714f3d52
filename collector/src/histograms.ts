// Adds histograms, also those whose bounds differ; pure.

export interface Histogram {
  /** Upper bounds without the last, infinite one. */
  bounds: readonly number[];
  buckets: readonly number[];
}

/** So many values lie above `low`, which the first bucket includes, and up to `high`. */
export interface Cell {
  low: number;
  high: number;
  count: number;
}

/** The buckets that hold values; the last of a histogram has no upper bound. */
export function cellsOf(histograms: readonly Histogram[]): Cell[] {
  return histograms.flatMap(({ bounds, buckets }) =>
    buckets.flatMap((count, i) =>
      count > 0 ? [{ low: Math.max(0, bounds[i - 1] ?? 0), high: Math.max(0, bounds[i] ?? Infinity), count }] : [],
    ),
  );
}

/**
 * The sum of histograms. Where bounds differ (a metric with both layouts), it has the bounds of all, and a bucket between some of them is
 * divided as quantiles are: as if its values were spread evenly.
 */
export function sumOf(histograms: readonly Histogram[]): { bounds: readonly number[]; buckets: number[] } {
  const bounds = [...new Set(histograms.flatMap((one) => one.bounds))].sort((a, b) => a - b);
  const buckets = new Array<number>(bounds.length + 1).fill(0);
  const add = (at: number, count: number) => {
    buckets[at] = (buckets[at] ?? 0) + count;
  };
  for (const one of histograms) {
    if (one.bounds.length === bounds.length) for (const [i, count] of one.buckets.entries()) add(i, count);
    else for (const [i, count] of one.buckets.entries()) if (count > 0) divide(one.bounds, i, count, bounds, add);
  }
  return { bounds, buckets };
}

function divide(
  own: readonly number[],
  i: number,
  count: number,
  bounds: readonly number[],
  add: (at: number, count: number) => void,
): void {
  const low = own[i - 1] ?? 0;
  const high = own[i];
  const first = bounds.findIndex((bound) => bound > low);
  // How far the values above the last bound reach is not known.
  if (high === undefined || high <= low) {
    add(first < 0 ? bounds.length : first, count);
    return;
  }
  let from = low;
  for (let at = first; from < high; at += 1) {
    const to = bounds[at] ?? high;
    add(at, (count * (to - from)) / (high - low));
    from = to;
  }
}
