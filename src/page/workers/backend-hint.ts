// Remembers where the last model of this page ran, so that the next visit's worker starts that backend early.

import type { ModelInfo } from "../../shared/types/model.js";
import type { Backend } from "../../shared/types/tensor.js";

export interface BackendHint {
  backend: Backend;
  threads?: number;
  /** Whether it ran on a plan. */
  plan?: boolean;
}

/** In `localStorage`, which is there before a worker could have opened a database. A wrong or missing hint costs one start of a backend, nothing else. */
export function createBackendHint(storeName: string): { get(): BackendHint | undefined; set(info: ModelInfo): void } {
  const key = `${storeName}:target`;
  return {
    get() {
      try {
        const { backend, threads, plan } = JSON.parse(localStorage.getItem(key) ?? "{}") as Partial<BackendHint>;
        return backend && { backend, threads, plan };
      } catch {
        return undefined;
      }
    },
    set({ backend, threads, plan }) {
      try {
        localStorage.setItem(key, JSON.stringify({ backend, threads, plan: plan.state === "used" }));
      } catch {
        // The page may store nothing.
      }
    },
  };
}
