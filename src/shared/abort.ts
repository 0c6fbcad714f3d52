// Links an abort signal of a caller to work of one's own.

/**
 * Calls `onAbort` once when `signal` aborts, at once if it has aborted already. Returns a function that removes the listener: a signal
 * may live much longer than the work.
 */
export function onAbort(signal: AbortSignal | undefined, listener: (reason: unknown) => void): () => void {
  if (!signal) return () => undefined;
  const abort = () => listener(signal.reason);
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  return () => signal.removeEventListener("abort", abort);
}
