// Finds the long tasks that blocked the page's main thread while it waited for a prediction, where the browser reports them.

export interface LongTasks {
  /** Returns the duration in milliseconds of each long task that ran in the last `milliseconds`; each is returned once. */
  during(milliseconds: number): number[];
  close(): void;
}

// A page that does nothing else has about twenty long tasks a second; a prediction seldom takes longer than five seconds.
const MAX_ENTRIES = 100;

/** Chromium only: other browsers report none. */
export function createLongTasks(): LongTasks {
  let entries: PerformanceEntry[] = [];
  const keep = (added: PerformanceEntry[]) => {
    entries = [...entries, ...added].slice(-MAX_ENTRIES);
  };
  let observer: PerformanceObserver | undefined;
  if (globalThis.PerformanceObserver?.supportedEntryTypes?.includes("longtask")) {
    observer = new PerformanceObserver((list) => keep(list.getEntries()));
    observer.observe({ type: "longtask" });
  }
  return {
    during(milliseconds) {
      keep(observer?.takeRecords() ?? []);
      const since = performance.now() - milliseconds;
      const recent = entries.filter(({ startTime, duration }) => startTime + duration > since);
      entries = [];
      return recent.map(({ duration }) => duration);
    },
    close: () => observer?.disconnect(),
  };
}
