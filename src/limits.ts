// Gives a call its end: the caller's abort signal and a deadline.
import { InsituError } from "./errors.js";

export interface Limits {
  signal?: AbortSignal;
  /** Milliseconds; `Infinity` for none. */
  timeout: number;
  /** What the error messages call it: "Loading /models/x/", say. */
  what: string;
}

// setTimeout takes 32 bits; a longer delay would fire at once.
const LONGEST_MS = 2 ** 31 - 1;

/** Runs `run`; rejects with `aborted` or `timeout` as soon as a limit is reached, and aborts the signal that `run` was given. */
export function limited<T>({ signal, timeout, what }: Limits, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  if (!(timeout > 0)) {
    return Promise.reject(
      new InsituError("input_invalid", `timeout is ${timeout}; pass milliseconds over 0, or leave it out.`, {
        timeout,
      }),
    );
  }
  return new Promise<T>((resolve, reject) => {
    const inner = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    };
    const stop = (error: InsituError) => {
      end();
      reject(error);
      inner.abort(error);
    };
    const onAbort = () => stop(new InsituError("aborted", `${what} was aborted.`, {}, { cause: signal?.reason }));
    if (signal?.aborted) {
      onAbort();
      return;
    }
    signal?.addEventListener("abort", onAbort);
    if (timeout !== Number.POSITIVE_INFINITY) {
      const late = () =>
        stop(
          new InsituError("timeout", `${what} took longer than ${timeout} ms. Try again, or pass a longer timeout.`, {
            timeout,
          }),
        );
      timer = setTimeout(late, Math.min(timeout, LONGEST_MS));
    }
    run(inner.signal).then(resolve, reject).finally(end);
  });
}
