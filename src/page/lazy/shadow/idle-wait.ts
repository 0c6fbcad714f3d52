// Waits until a page rests: nothing is predicted, and its thread has nothing else to do.

import { onAbort } from "../../../shared/abort.js";

export interface IdleWait {
  /** Resolves with true once the page has rested for `quietMs`, with false after `ms` milliseconds or the end. */
  wait(ms: number, quietMs: number): Promise<boolean>;
  /** A prediction has ended. */
  touch(): void;
}

const STEP_MS = 100;

export function createIdleWait(isBusy: () => boolean, end: AbortSignal): IdleWait {
  let touchedAt = Number.NEGATIVE_INFINITY;
  return {
    async wait(ms, quietMs) {
      const started = performance.now();
      while (!end.aborted && performance.now() - started < ms) {
        await nextIdleMoment(end);
        if (end.aborted) return false;
        if (!isBusy() && performance.now() - touchedAt >= quietMs) return true;
        await pause(STEP_MS, end);
      }
      return false;
    },
    touch() {
      touchedAt = performance.now();
    },
  };
}

/** Resolves when the page's thread is idle; a thread that never is, is not waited for here. */
function nextIdleMoment(end: AbortSignal): Promise<void> {
  const request = globalThis.requestIdleCallback;
  // Safari has none.
  if (!request) return pause(STEP_MS, end);
  return new Promise((resolve) => {
    const handle = request(() => finish());
    const unlink = onAbort(end, () => finish());
    const finish = () => {
      cancelIdleCallback(handle);
      unlink();
      resolve();
    };
  });
}

function pause(ms: number, end: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => finish(), ms);
    const unlink = onAbort(end, () => finish());
    const finish = () => {
      clearTimeout(timer);
      unlink();
      resolve();
    };
  });
}
