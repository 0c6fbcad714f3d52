// The events of a rollout. Those of the load itself are kept until the page can have added its listeners.
import type { Rollout, RolloutEvents } from "./types.js";

export interface Events extends Pick<Rollout, "addEventListener" | "removeEventListener"> {
  fire<T extends keyof RolloutEvents>(type: T, detail: RolloutEvents[T]): void;
  /** From the next task on, events are fired at once. */
  begin(): void;
}

export function createEvents(): Events {
  const target = new EventTarget();
  let waiting: Event[] | undefined = [];
  return {
    addEventListener: (type, listener) => target.addEventListener(type, listener as EventListener),
    removeEventListener: (type, listener) => target.removeEventListener(type, listener as EventListener),
    fire(type, detail) {
      const event = new CustomEvent(type, { detail });
      if (waiting) waiting.push(event);
      else target.dispatchEvent(event);
    },
    begin() {
      // What follows `await client.load(…)` runs before a timer.
      setTimeout(() => {
        const events = waiting ?? [];
        waiting = undefined;
        for (const event of events) target.dispatchEvent(event);
      });
    },
  };
}
