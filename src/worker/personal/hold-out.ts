// Which examples a head is trained on, which stop its training, and which judge it; pure.

/** Of every four of a class one is held out, the first three never. */
const OUT_OF = 4;

export interface Splittable {
  id: string;
  label: string;
  /** Undefined until the first training that sees it. */
  heldOut?: boolean;
}

/**
 * The ids that this training holds out for good, of examples in the order in which they were taught. What was once trained on is never held out, or
 * a version would be judged by what an earlier one, that it is compared to, has learned by heart.
 */
export function holdOut(examples: Splittable[]): Set<string> {
  const out = new Set<string>();
  const seen = new Map<string, { all: number; heldOut: number }>();
  for (const { id, label, heldOut } of examples) {
    const counts = seen.get(label) ?? { all: 0, heldOut: 0 };
    counts.all += 1;
    const isOut = heldOut ?? OUT_OF * (counts.heldOut + 1) <= counts.all;
    if (isOut) {
      counts.heldOut += 1;
      out.add(id);
    }
    seen.set(label, counts);
  }
  return out;
}

/** Of the samples that are trained on, every fourth of a class: they say when more steps make it worse. */
export function stopSplit(classes: readonly number[]): boolean[] {
  const counts = new Map<number, number>();
  return classes.map((index) => {
    const count = (counts.get(index) ?? 0) + 1;
    counts.set(index, count);
    return count % OUT_OF === 0;
  });
}
