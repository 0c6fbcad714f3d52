// Remembers across visits which workers ended in peace, so that those that did not are known to have crashed.

export interface ShutdownLog {
  /** Names of the last workers that were ended, or whose page was left or put into the background. */
  names(): string[];
  /** The worker lives from now on until `close`, or until its page goes. */
  open(name: string): void;
  close(name: string): void;
}

// More workers than a browser with many tabs of one site starts between two crashes.
const KEPT = 32;

/** `localStorage` is written before a page goes, where IndexedDB would be too late. Without it no crash is told from a goodbye. */
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
  // A page in the background may be ended at any time without another word.
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
