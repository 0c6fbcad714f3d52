// Decides when a failed request to the collector is tried again, and when to stop until the network changes.

export interface RetrySchedule {
  /** A request failed. `after`: milliseconds that the collector asked for. `atOnce`: the request never left the page. */
  failed(failure: { after?: number; atOnce?: boolean }): void;
  /** The collector answered. */
  succeeded(): void;
  /** True while a retry is waiting for its time. */
  isWaiting(): boolean;
  /** True after too many failures, until `resume`. */
  isPaused(): boolean;
  /** True once the collector has answered. */
  hasReached(): boolean;
  /** Ends the wait, as its timer does. */
  endWait(): void;
  /** The network may have changed: forgets the failures. */
  resume(): void;
  /** Starts no timer any more. */
  close(): void;
}

const RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;
// A collector that is down usually stays so for a while, and the next page tries as well.
const MAX_FAILURES = 5;
// A collector that is being restarted refuses at once too, for a moment.
const MAX_BLOCKED = 3;

/** Exponential backoff with full jitter ("Exponential Backoff And Jitter", AWS 2015). `onDue` is called when a retry is due. */
export function createRetrySchedule(onDue: () => void): RetrySchedule {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;
  let hasReached = false;
  let isPaused = false;
  let isClosed = false;

  return {
    failed({ after, atOnce }) {
      failures += 1;
      // A request that never leaves the page while the browser is online is blocked: more tries would only fill the console.
      isPaused = failures >= (atOnce && !hasReached ? MAX_BLOCKED : MAX_FAILURES);
      if (isPaused || isClosed) return;
      const maxDelay = Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** (failures - 1));
      clearTimeout(timer);
      timer = setTimeout(onDue, after ?? Math.random() * maxDelay);
    },
    succeeded() {
      hasReached = true;
      failures = 0;
    },
    isWaiting: () => timer !== undefined,
    isPaused: () => isPaused,
    hasReached: () => hasReached,
    endWait() {
      clearTimeout(timer);
      timer = undefined;
    },
    resume() {
      isPaused = false;
      failures = 0;
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}
