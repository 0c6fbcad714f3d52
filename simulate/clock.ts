// The clock of a simulated month, which the collector and the pages in Node share. Timers run in real time.

export interface Clock {
  /** Milliseconds since the simulation's first day. Never goes back. */
  set(milliseconds: number): void;
  now(): number;
}

// A Monday; any would do.
const START = Date.UTC(2026, 0, 5);

export function startClock(): Clock {
  let latest = 0;
  return {
    set(milliseconds) {
      // Whole ones, as `Date.now` tells them.
      latest = Math.max(latest, Math.round(milliseconds));
    },
    now: () => START + latest,
  };
}
