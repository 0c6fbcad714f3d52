// Links an abort signal of a caller to work of one's own.
import { invalidOption } from "./invalid-option.js";

/**
 * Calls `onAbort` once when `signal` aborts, at once if it has aborted already. Returns a function that removes the listener: a signal
 * may live much longer than the work. Throws `input_invalid` for another value than a signal.
 */
export function onAbort(signal: AbortSignal | undefined, listener: (reason: unknown) => void): () => void {
  if (!signal) return () => undefined;
  if (!signal.addEventListener) throw invalidOption("signal", signal, "an AbortSignal");
  const abort = () => listener(signal.reason);
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  return () => signal.removeEventListener("abort", abort);
}
