// Uses a store while it works, and a substitute in memory once it has failed.
import { type InsituError, isInsituError } from "./errors.js";

export interface FallbackOptions {
  /** Failures of one call before the store is given up; fewer where an error's `data.final` is set. */
  tries: number;
  /** False keeps the store, and the call rejects. Default: always true. */
  mayFallBack?: () => boolean;
  /** Called once, with why the store was given up. */
  onFallback?: (error: InsituError) => void;
}

export interface Fallback<S> {
  /** Calls `run` with the store, again after `storage_unavailable`, and with the substitute once the store was given up. */
  use<T>(run: (store: S) => Promise<T>): Promise<T>;
  /** Why the substitute is used; undefined while the store works. */
  problem(): InsituError | undefined;
}

/** The choice is final: a row must not be looked for in two places. */
export function createFallback<S>(store: S, substitute: S, options: FallbackOptions): Fallback<S> {
  let problem: InsituError | undefined;

  const giveUp = (error: InsituError) => {
    if (problem) return;
    problem = error;
    options.onFallback?.(error);
  };

  return {
    problem: () => problem,
    async use(run) {
      for (let tries = 1; !problem; tries += 1) {
        try {
          return await run(store);
        } catch (error) {
          if (!isInsituError(error) || error.code !== "storage_unavailable") throw error;
          if (tries < options.tries && !error.data.final) continue;
          if (options.mayFallBack?.() === false) throw error;
          giveUp(error);
        }
      }
      return run(substitute);
    },
  };
}
