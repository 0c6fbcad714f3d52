// Decides when the page sends: a while after the first new record, and shortly after it for the case that the page crashes.

export interface FlushTimers {
  /** Flushes after the interval, unless that is planned already. */
  flushSoon(): void;
  /** Cancels the planned flush: it happens now. */
  cancelFlush(): void;
  /** Defers in a moment, unless that is planned already. */
  deferSoon(): void;
  close(): void;
}

export interface FlushTimersDeps {
  /** Milliseconds. */
  interval: number;
  onFlush(): void;
  onDefer(): void;
}

// So that pages that were opened by one event do not all report at the same moment.
const FIRST_FLUSH_JITTER = 0.5;
// New records are passed to the browser at most this often.
const DEFER_MS = 1_000;

export function createFlushTimers({ interval, onFlush, onDefer }: FlushTimersDeps): FlushTimers {
  let flushTimer: ReturnType<typeof setTimeout> | undefined;
  let deferTimer: ReturnType<typeof setTimeout> | undefined;
  let isFirst = true;
  return {
    flushSoon() {
      const jitter = isFirst ? FIRST_FLUSH_JITTER + Math.random() * (1 - FIRST_FLUSH_JITTER) : 1;
      flushTimer ??= setTimeout(onFlush, interval * jitter);
    },
    cancelFlush() {
      clearTimeout(flushTimer);
      flushTimer = undefined;
      isFirst = false;
    },
    deferSoon() {
      deferTimer ??= setTimeout(() => {
        deferTimer = undefined;
        onDefer();
      }, DEFER_MS);
    },
    close: () => clearTimeout(deferTimer),
  };
}
