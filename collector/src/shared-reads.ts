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

/** Lets everything else that waits, such as requests that write, have its turn. */
export function pause(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
