// A timer that waits for one thing at a time.

export interface Timer {
  /** Starts it, unless it is running. */
  start(ms: number): void;
  cancel(): void;
  isRunning(): boolean;
}

export function createTimer(onEnd: () => void): Timer {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return {
    start(ms) {
      timer ??= setTimeout(() => {
        timer = undefined;
        onEnd();
      }, ms);
    },
    cancel() {
      clearTimeout(timer);
      timer = undefined;
    },
    isRunning: () => timer !== undefined,
  };
}
