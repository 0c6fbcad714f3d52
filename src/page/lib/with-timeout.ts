// Ends a call by the caller's abort signal or a deadline.
import { onAbort } from "../../shared/abort.js";
import { InsituError } from "../../shared/errors.js";
import { invalidOption } from "../../shared/invalid-option.js";
import { nextTask } from "../../shared/next-task.js";

export interface CallLimits {
  signal?: AbortSignal;
  /** Milliseconds; `Infinity` for none. */
  timeout: number;
  /** What error messages call it, such as "Loading /models/x/". */
  what: string;
}

// A clock that is read once a second misses at most that of a sleep.
const STEP_MS = 1_000;
// Chrome runs the timers of a page that was hidden for long once a minute. What is later than that was asleep, or frozen.
const ASLEEP_MS = 65_000;

/**
 * Runs `run`; rejects with `aborted` or `timeout` as soon as a limit is reached, and aborts the signal that `run` was given. Time
 * during which the page was asleep does not count, and an answer that has arrived when the deadline passes is taken.
 */
export function withTimeout<T>(
  { signal, timeout, what }: CallLimits,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (!(timeout > 0)) return Promise.reject(invalidOption("timeout", timeout, "milliseconds over 0"));
  return new Promise<T>((resolve, reject) => {
    const inner = new AbortController();
    let clock: { stop(): void } | undefined;
    let unlink: (() => void) | undefined;
    const end = () => {
      clock?.stop();
      unlink?.();
    };
    const stop = (error: InsituError) => {
      end();
      reject(error);
      inner.abort(error);
    };
    unlink = onAbort(signal, (cause) => stop(new InsituError("aborted", `${what} was aborted.`, {}, { cause })));
    if (inner.signal.aborted) return;
    clock = countDown(timeout, () => {
      const message = `${what} took longer than ${timeout} ms. Try again, or pass a longer timeout.`;
      stop(new InsituError("timeout", message, { timeout }));
    });
    run(inner.signal).then(resolve, reject).finally(end);
  });
}

/** Calls back after `ms` milliseconds of being awake, once messages that arrived before were handled. Never for `Infinity`. */
function countDown(ms: number, onEnd: () => void): { stop(): void } {
  let left = ms;
  let stopped = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wait = () => {
    const step = Math.min(left, STEP_MS);
    const since = performance.now();
    timer = setTimeout(() => {
      const passed = performance.now() - since;
      left -= passed > ASLEEP_MS ? step : Math.max(step, passed);
      if (left > 0) wait();
      // After a sleep a timer may be served before the answer that has been waiting longer; messages keep their order.
      else void nextTask().then(() => stopped || onEnd());
    }, step);
  };
  if (ms !== Number.POSITIVE_INFINITY) wait();
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
