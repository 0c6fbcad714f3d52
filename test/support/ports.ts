// Platforms for tests of delivery: the real one without waiting, and one with a clock that moves when all sleep.
import { InsituError } from "../../src/shared/errors.js";
import { browserPlatform, type Platform } from "../../src/worker/package/platform.js";

/** The real network; the first, second and third retry follow at once. */
export const eagerPorts: Platform = { ...browserPlatform, random: () => 0 };

export interface FakePorts extends Platform {
  /** Milliseconds of every sleep, in the order in which they began. */
  slept: number[];
}

/** Chance comes from `seed`, so a failing case fails again. */
export function fakePorts(seed: number, changes: Partial<Platform> = {}): FakePorts {
  const start = Date.UTC(2026, 0, 31, 12);
  const sleepers: { at: number; wake: () => void }[] = [];
  const slept: number[] = [];
  let elapsed = 0;
  const wakeNext = () => {
    sleepers.sort((a, b) => a.at - b.at);
    const next = sleepers.shift();
    if (next) elapsed = Math.max(elapsed, next.at);
    next?.wake();
  };
  return {
    fetch: () => Promise.reject(new Error("this test has no network")),
    now: () => start + elapsed,
    elapsed: () => elapsed,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const wake = () => {
          signal.removeEventListener("abort", refuse);
          resolve();
        };
        const sleeper = { at: elapsed + ms, wake };
        const refuse = () => {
          sleepers.splice(sleepers.indexOf(sleeper), 1);
          reject(new InsituError("aborted", "The load was aborted."));
        };
        slept.push(ms);
        sleepers.push(sleeper);
        signal.addEventListener("abort", refuse, { once: true });
        // By then everything that needs no time has happened.
        setImmediate(wakeNext);
      }),
    random: seeded(seed),
    online: () => true,
    slept,
    ...changes,
  };
}

/** mulberry32: 32 bits of state are plenty for jitter. */
export function seeded(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
