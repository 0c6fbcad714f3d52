// Reduces counts to a number of values, in proportion; pure.

/**
 * At most `most` values of the first `counted` places; the places after them are sums, and shrink as the values do. Null when nothing is left.
 * Rounding is carried from place to place, so that the total is exact.
 */
export function thin(counts: readonly number[], counted: number, most: number): number[] | null {
  const total = counts.slice(0, counted).reduce((sum, count) => sum + count, 0);
  const left = Math.floor(Math.min(total, most));
  if (!(left > 0)) return null;
  if (left >= total) return [...counts];
  const scale = left / total;
  let [before, rounded] = [0, 0];
  return counts.map((count, i) => {
    if (i >= counted) return count * scale;
    before += count * scale;
    const taken = Math.round(before) - rounded;
    rounded += taken;
    return taken;
  });
}
