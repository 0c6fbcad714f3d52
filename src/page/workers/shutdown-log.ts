// Remembers across visits which workers were shut down cleanly; a worker that was not has crashed.

export interface ShutdownLog {
  /** Ids of the last workers that were shut down, or whose page was left or hidden. */
  names(): string[];
  /** The worker lives from now on until `close`, or until its page goes. */
  open(workerId: string): void;
  close(workerId: string): void;
}

// More workers than a browser with many tabs of one site starts between two crashes.
const KEPT = 32;

/** In `localStorage`, which is written before a page goes, where IndexedDB would be too late. Without it every end looks like a crash. */
export function createShutdownLog(store: string): ShutdownLog {
  const key = `insitu:${store}:closed`;
  const living = new Set<string>();
  const names = (): string[] => {
    try {
      const found: unknown = JSON.parse(localStorage.getItem(key) ?? "[]");
      return Array.isArray(found) ? found.filter((name) => typeof name === "string") : [];
    } catch {
      return [];
    }
  };
  const write = (change: (names: string[]) => string[]) => {
    try {
      localStorage.setItem(key, JSON.stringify(change(names()).slice(-KEPT)));
    } catch {
      // Storage is full or forbidden.
    }
  };
  const leave = () => write((all) => [...all.filter((name) => !living.has(name)), ...living]);
  const comeBack = () => write((all) => all.filter((name) => !living.has(name)));
  // A hidden page may be ended at any time without another event.
  const onVisibility = () => (document.visibilityState === "hidden" ? leave() : comeBack());
  const listen = (on: "addEventListener" | "removeEventListener") => {
    globalThis[on]?.("pagehide", leave);
    globalThis[on]?.("pageshow", comeBack);
    globalThis.document?.[on]("visibilitychange", onVisibility);
  };
  return {
    names,
    open(name) {
      if (living.size === 0) listen("addEventListener");
      living.add(name);
    },
    close(name) {
      if (!living.delete(name)) return;
      write((all) => [...all, name]);
      if (living.size === 0) listen("removeEventListener");
    },
  };
}
