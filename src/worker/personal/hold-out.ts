// Chooses which examples a head is trained on, which stop its training, and which it is evaluated on; pure.

/** One of every four examples of a class is held out, never one of the first three. */
const HOLD_OUT_EVERY = 4;

export interface Splittable {
  id: string;
  label: string;
  /** Undefined until the first training that sees it. */
  heldOut?: boolean;
}

/**
 * Returns the ids of the examples that are held out, of examples in the order in which they were added. An example that was trained on is never
 * held out later: a version would be compared with an earlier one on data that the earlier one was trained on.
 */
export function holdOut(examples: Splittable[]): Set<string> {
  const out = new Set<string>();
  const seen = new Map<string, { all: number; heldOut: number }>();
  for (const { id, label, heldOut } of examples) {
    const counts = seen.get(label) ?? { all: 0, heldOut: 0 };
    counts.all += 1;
    const isHeldOut = heldOut ?? HOLD_OUT_EVERY * (counts.heldOut + 1) <= counts.all;
    if (isHeldOut) {
      counts.heldOut += 1;
      out.add(id);
    }
    seen.set(label, counts);
  }
  return out;
}

/** Marks every fourth training sample of a class: their loss decides when to stop (early stopping, Prechelt 1998). */
export function stopSplit(classes: readonly number[]): boolean[] {
  const counts = new Map<number, number>();
  return classes.map((index) => {
    const count = (counts.get(index) ?? 0) + 1;
    counts.set(index, count);
    return count % HOLD_OUT_EVERY === 0;
  });
}
