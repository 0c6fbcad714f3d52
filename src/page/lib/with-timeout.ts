// Gives a call its end: the caller's abort signal and a deadline.
import { InsituError } from "../../shared/errors.js";

export interface CallLimits {
  signal?: AbortSignal;
  /** Milliseconds; `Infinity` for none. */
  timeout: number;
  /** What the error messages call it: "Loading /models/x/", say. */
  what: string;
}

// A clock that is read once a second misses at most that of a sleep.
const STEP_MS = 1_000;
// Chrome runs the timers of a page that was hidden for long once a minute. What is later than that was asleep, or frozen.
const ASLEEP_MS = 65_000;

/**
 * Runs `run`; rejects with `aborted` or `timeout` as soon as a limit is reached, and aborts the signal that `run` was given. Time
 * that the page was asleep does not count, and an answer that is there when the deadline has passed is taken.
 */
export function withTimeout<T>(
  { signal, timeout, what }: CallLimits,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (!(timeout > 0)) {
    return Promise.reject(
      new InsituError("input_invalid", `timeout is ${timeout}; pass milliseconds over 0, or leave it out.`, {
        timeout,
      }),
    );
  }
  return new Promise<T>((resolve, reject) => {
    const inner = new AbortController();
    let clock: { stop(): void } | undefined;
    const end = () => {
      clock?.stop();
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
    const late = `${what} took longer than ${timeout} ms. Try again, or pass a longer timeout.`;
    if (timeout !== Number.POSITIVE_INFINITY)
      clock = countDown(timeout, () => stop(new InsituError("timeout", late, { timeout })));
    run(inner.signal).then(resolve, reject).finally(end);
  });
}

/** Calls back after `ms` milliseconds of being awake, once messages that have come before then were heard. */
function countDown(ms: number, onEnd: () => void): { stop(): void } {
  let left = ms;
  let stopped = false;
  let timer: ReturnType<typeof setTimeout>;
  const wait = () => {
    const step = Math.min(left, STEP_MS);
    const since = performance.now();
    timer = setTimeout(() => {
      const passed = performance.now() - since;
      left -= passed > ASLEEP_MS ? step : Math.max(step, passed);
      if (left > 0) wait();
      else afterMessages(() => stopped || onEnd());
    }, step);
  };
  wait();
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

/** After a sleep a timer may be served before the answer that has been waiting longer; messages keep their order. */
function afterMessages(run: () => void): void {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    run();
  };
  port2.postMessage(0);
}
