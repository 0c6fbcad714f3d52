// Notices when a model has become much slower than it was measured to be.
import type { Residence } from "../../../shared/protocol.js";
import { median } from "./benchmark.js";

// Enough runs that a busy second of the machine does not count.
const WINDOW = 64;
const SLOWER = 2;
// What is that much slower for its lack of a millisecond is the clock's noise.
const LEAST_MS = 2;
const PAUSE_MS = 10 * 60_000;

export interface SlowdownDetector {
  /** Milliseconds of one run on one item. */
  ran(ms: number): void;
}

/** Calls `onSlower` at most every ten minutes. */
export function createSlowdownDetector(
  residence: () => Residence,
  onSlower: () => void,
  now: () => number = () => performance.now(),
): SlowdownDetector {
  let times: number[] = [];
  let last = Number.NEGATIVE_INFINITY;
  return {
    ran(ms) {
      times.push(ms);
      if (times.length < WINDOW) return;
      const p50Ms = median(times);
      times = [];
      const { backend, threads, measured } = residence();
      const expected = measured.find((one) => one.backend === backend && one.threads === threads)?.p50Ms;
      if (expected === undefined || p50Ms < expected * SLOWER || p50Ms - expected < LEAST_MS) return;
      if (now() - last < PAUSE_MS) return;
      last = now();
      onSlower();
    },
  };
}
