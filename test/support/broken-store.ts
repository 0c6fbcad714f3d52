// A store whose chosen methods fail, sometimes or always.
import type { Store } from "../../src/worker/package/store/store.js";

export interface Outage {
  error: Error;
  /** Calls that fail before the method works. Default: all. */
  times?: number;
}

export interface BrokenStore {
  store: Store;
  /** How often each method was called. */
  calls: Map<string, number>;
}

export function brokenStore(inner: Store, outages: Partial<Record<keyof Store, Outage>>): BrokenStore {
  const calls = new Map<string, number>();
  const methods = Object.entries(inner).map(([name, method]) => {
    const outage = outages[name as keyof Store];
    const call = (...given: never[]) => {
      const count = (calls.get(name) ?? 0) + 1;
      calls.set(name, count);
      if (outage && count <= (outage.times ?? Number.POSITIVE_INFINITY)) return Promise.reject(outage.error);
      return (method as (...given: never[]) => unknown)(...given);
    };
    return [name, call];
  });
  return { store: Object.fromEntries(methods) as Store, calls };
}
