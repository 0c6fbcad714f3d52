// Detects that a model has become much slower than it was measured.
import type { Residence } from "../../../shared/protocol.js";
import { median } from "./benchmark.js";

// Enough runs that one busy second of the machine does not count.
const WINDOW = 64;
const MIN_RATIO = 2;
// Below this difference the ratio is noise of the clock.
const MIN_DIFFERENCE_MS = 2;
const COOL_DOWN_MS = 10 * 60_000;

export interface SlowdownDetector {
  /** Milliseconds of one run on one item. */
  add(milliseconds: number): void;
}

/** Calls `onSlower` at most every ten minutes. */
export function createSlowdownDetector(
  residence: () => Residence,
  onSlower: () => void,
  now: () => number = () => performance.now(),
): SlowdownDetector {
  let times: number[] = [];
  let reportedAt = Number.NEGATIVE_INFINITY;
  return {
    add(milliseconds) {
      times.push(milliseconds);
      if (times.length < WINDOW) return;
      const p50Ms = median(times);
      times = [];
      const { backend, threads, measured } = residence();
      const expected = measured.find((other) => other.backend === backend && other.threads === threads)?.p50Ms;
      if (expected === undefined || p50Ms < expected * MIN_RATIO || p50Ms - expected < MIN_DIFFERENCE_MS) return;
      if (now() - reportedAt < COOL_DOWN_MS) return;
      reportedAt = now();
      onSlower();
    },
  };
}
