// Decides when a failed request to the collector is sent again, and when to stop until the network changes.

import { listen } from "./listen.js";
import { createTimer } from "./timer.js";

export interface RetrySchedule {
  /** A request failed. `after`: milliseconds that the collector asked for. `atOnce`: the request never left the page. */
  failed(failure: { after?: number; atOnce?: boolean }): void;
  /** The collector responded. */
  succeeded(): void;
  /** The page asks for a flush: sends again after too many failures; once in ten seconds where the collector has never responded. */
  resume(): void;
  /** False while a retry waits for its time, after too many failures, while the browser is offline, and once closed. */
  maySend(): boolean;
  close(): void;
}

const RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;
// A collector that is down usually stays so for a while, and the next page tries as well.
const MAX_FAILURES = 5;
// A collector that is being restarted refuses at once too, for a moment.
const MAX_BLOCKED = 3;
// A page that was opened while the collector was being restarted has never reached it either.
const PROBE_MS = 10_000;

/**
 * Exponential backoff with full jitter ("Exponential Backoff And Jitter", AWS 2015). `onDue` is called when a retry is due: after its delay,
 * when the browser goes online, and when the page is shown again.
 */
export function createRetrySchedule(onDue: () => void): RetrySchedule {
  const timer = createTimer(onDue);
  let failures = 0;
  let hasReached = false;
  let failedAt = 0;
  let isPaused = false;
  let isClosed = false;

  const onOnline = () => {
    isPaused = false;
    failures = 0;
    timer.cancel();
    onDue();
  };
  const stopOnline = listen(globalThis, "online", onOnline);
  const stopVisible = listen(globalThis.document, "visibilitychange", () => {
    if (document.visibilityState === "visible" && hasReached) onOnline();
  });

  return {
    failed({ after, atOnce }) {
      failures += 1;
      failedAt = performance.now();
      // A request that never leaves the page while the browser is online is blocked: more tries would only fill the console.
      isPaused = failures >= (atOnce && !hasReached ? MAX_BLOCKED : MAX_FAILURES);
      if (isPaused || isClosed) return;
      timer.start(after ?? Math.random() * Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** (failures - 1)));
    },
    succeeded() {
      hasReached = true;
      failures = 0;
    },
    resume() {
      if (!isPaused || (!hasReached && performance.now() - failedAt < PROBE_MS)) return;
      isPaused = false;
      failures = hasReached ? 0 : MAX_BLOCKED - 1;
    },
    maySend: () => !isPaused && !isClosed && !timer.isRunning() && globalThis.navigator?.onLine !== false,
    close() {
      stopOnline();
      stopVisible();
      isClosed = true;
      timer.cancel();
    },
  };
}
