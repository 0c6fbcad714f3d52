// Holm's correction of several p-values: controls the chance that any of them is significant by accident; pure.

/** The adjusted p-values, in the given order (Holm 1979). */
export function holm(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((a, b) => (values[a] as number) - (values[b] as number));
  const adjusted = new Array<number>(values.length).fill(1);
  let highest = 0;
  for (const [rank, i] of order.entries()) {
    highest = Math.max(highest, Math.min(1, (values.length - rank) * (values[i] as number)));
    adjusted[i] = highest;
  }
  return adjusted;
}
