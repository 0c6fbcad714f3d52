// Makes what is read once for everybody who asks within a second, and few at a time.

/** `make` is called unless a value for `key` is fresh, or is being made. */
export type SharedReads<T> = (key: string, make: () => Promise<T>) => Promise<T>;

/** A value is fresh for `freshMs`. At most `parallel` values are made at the same time; the others wait for their turn. */
export function createSharedReads<T>(parallel: number, freshMs: number): SharedReads<T> {
  const values = new Map<string, Promise<T>>();
  const waiting: (() => void)[] = [];
  let running = 0;

  const inTurn = async (make: () => Promise<T>): Promise<T> => {
    if (running >= parallel) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await make();
    } finally {
      // The place goes to the next one that waits.
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };

  return (key, make) => {
    const known = values.get(key);
    if (known) return known;
    const value = inTurn(make);
    values.set(key, value);
    const forget = () => void values.delete(key);
    value.then(() => (freshMs > 0 ? setTimeout(forget, freshMs).unref() : forget()), forget);
    return value;
  };
}

/** Of one pause: a database that hangs must not stop reads as well. */
const MAX_PAUSE_MS = 50;

/**
 * Lets everything else that waits have its turn. A request that writes needs a dozen turns, one for each statement, and each would wait for a
 * piece of every read: so the next piece waits until nothing is being written, for 50 ms at most.
 */
export async function pause(isWriting: () => boolean = () => false): Promise<void> {
  const end = performance.now() + MAX_PAUSE_MS;
  await new Promise((resolve) => setImmediate(resolve));
  while (isWriting() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 1));
}
