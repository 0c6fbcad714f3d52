// Does something once, and again where it failed.

/** Calls `load` at the first call, and at the first one after a failure; all calls between share its promise. */
export function once<T>(load: () => Promise<T>): () => Promise<T> {
  let known: Promise<T> | undefined;
  return () => {
    const started = known ?? load();
    known = started;
    started.catch(() => {
      known = undefined;
    });
    return started;
  };
}
