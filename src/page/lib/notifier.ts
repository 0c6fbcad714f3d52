// Lets one loop wait until something has happened, without a promise that outlives the wait.

export interface Notifier {
  /** Ends the wait; without one it ends the next at once. */
  notify(): void;
  /** Resolves with the next ring. One waits at a time. */
  wait(): Promise<void>;
}

/**
 * `Promise.race` on a promise that stays open, such as that of an abort, keeps something of every race for as long as that
 * promise lives: a sequence without an end would fill the memory.
 */
export function createNotifier(): Notifier {
  let rung = false;
  let wake: (() => void) | undefined;
  return {
    notify() {
      rung = true;
      wake?.();
      wake = undefined;
    },
    async wait() {
      if (!rung)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      rung = false;
    },
  };
}
