// Repeats a piece of work every few seconds while somebody looks, one at a time.

export interface Refresh {
  /** Refreshes at once; cancels the request in flight, since its filters are out of date. */
  now(): void;
  pause(on: boolean): void;
}

const EVERY_MS = 5000;

export function createRefresh(work: (stop: AbortSignal) => Promise<void>, wanted: () => boolean): Refresh {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running: AbortController | null = null;
  let paused = false;

  async function run(): Promise<void> {
    clearTimeout(timer);
    running?.abort();
    const mine = new AbortController();
    running = mine;
    await work(mine.signal);
    if (running !== mine) return;
    running = null;
    plan();
  }

  function plan(): void {
    clearTimeout(timer);
    // A hidden page asks nothing: a tab that somebody forgot must not load the collector for a week.
    if (paused || document.hidden || !wanted()) return;
    timer = setTimeout(() => void run(), EVERY_MS);
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) clearTimeout(timer);
    else if (!paused && wanted() && !running) void run();
  });
  return {
    now: () => void run(),
    pause: (on) => {
      paused = on;
      if (on) clearTimeout(timer);
      else void run();
    },
  };
}
