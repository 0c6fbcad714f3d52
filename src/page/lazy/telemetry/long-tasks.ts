// What held the page's main thread while it waited for a prediction, as far as the browser tells.

export interface LongTasks {
  /** Milliseconds of each long task that ran in the last `milliseconds`; each is told once. */
  during(milliseconds: number): number[];
  close(): void;
}

// Those of a second are the most that one glance needs; a page that does nothing else makes twenty.
const MOST = 100;

/** Chromium only: elsewhere there are none. */
export function createLongTasks(): LongTasks {
  let seen: PerformanceEntry[] = [];
  const keep = (entries: PerformanceEntry[]) => {
    seen = [...seen, ...entries].slice(-MOST);
  };
  let observer: PerformanceObserver | undefined;
  try {
    if (PerformanceObserver.supportedEntryTypes.includes("longtask")) {
      observer = new PerformanceObserver((list) => keep(list.getEntries()));
      observer.observe({ type: "longtask" });
    }
  } catch {
    // No such observer here.
  }
  return {
    during(milliseconds) {
      keep(observer?.takeRecords() ?? []);
      const since = performance.now() - milliseconds;
      const told = seen.filter(({ startTime, duration }) => startTime + duration > since);
      seen = [];
      return told.map(({ duration }) => duration);
    },
    close: () => observer?.disconnect(),
  };
}
