// Lets one loop wait for the next notification, without a promise that outlives the wait.

export interface Notifier {
  /** Ends the wait; without one, the next wait ends at once. */
  notify(): void;
  /** Resolves with the next notification. Only one caller may wait at a time. */
  wait(): Promise<void>;
}

/**
 * `Promise.race` on a promise that stays pending, such as that of an abort, keeps something of every race for as long as that
 * promise lives: a sequence without an end would fill the memory.
 */
export function createNotifier(): Notifier {
  let notified = false;
  let wake: (() => void) | undefined;
  return {
    notify() {
      notified = true;
      wake?.();
      wake = undefined;
    },
    async wait() {
      if (!notified)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      notified = false;
    },
  };
}
