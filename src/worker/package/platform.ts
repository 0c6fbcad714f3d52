// What delivery needs of the outside world: the network, the clock, chance. Tests hand in others.
import { InsituError } from "../../shared/errors.js";

export interface Platform {
  fetch(url: string, init: RequestInit): Promise<Response>;
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds on a clock that only goes forward. */
  elapsed(): number;
  /** Rejects with `aborted` when the signal aborts first. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** 0 to 1, 1 excluded. */
  random(): number;
  /** False when the browser is sure that it has no network. */
  online(): boolean;
}

export const browserPlatform: Platform = {
  fetch: (url, init) => fetch(url, init),
  now: () => Date.now(),
  elapsed: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      const onAbort = () => {
        clearTimeout(timer);
        reject(new InsituError("aborted", "The load was aborted."));
      };
      const timer = setTimeout(() => {
        signal.removeEventListener("abort", onAbort);
        resolve();
      }, ms);
      if (signal.aborted) onAbort();
      else signal.addEventListener("abort", onAbort, { once: true });
    }),
  random: () => Math.random(),
  online: () => globalThis.navigator?.onLine !== false,
};
