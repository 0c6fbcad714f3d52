// Measures the detectors of drift on simulated errors: how often they raise a false alarm, and how soon they find a fall of the accuracy.
import { createAdwin } from "../src/page/lazy/drift/adwin.js";
import { createDdm } from "../src/page/lazy/drift/ddm.js";
import { createPageHinkley } from "../src/page/lazy/drift/page-hinkley.js";
import { createTargetMonitor } from "../src/page/lazy/drift/target-monitor.js";
import { wilsonInterval } from "../src/shared/wilson-interval.js";
import { mulberry32 } from "../src/worker/package/seeded-noise.js";
import type { Report } from "./report.js";
import { percentile } from "./statistics.js";

/** Issue 14. */
const MAX_FALSE = 0.01;
const MAX_DELAY = 200;
const RUNS = 1_000;
const STEPS = 1_000;
// With fewer values nothing is told.
const FIRST = 100;

/** What is told is decided by both of the first two. */
const DETECTORS: Record<string, () => { update(value: number, time: number): unknown }> = {
  ADWIN: () => createAdwin(),
  "Page-Hinkley": () => createPageHinkley(),
  "DDM (only warns)": () => createDdm(),
  "as told": () => createTargetMonitor("error"),
};

const RATES = [0.02, 0.05, 0.1, 0.2];
const FALLS: [length: number, before: number, after: number][] = [
  [500, 0.05, 0.25],
  [1000, 0.05, 0.25],
  [1000, 0.1, 0.2],
  [1000, 0.05, 0.1],
];

/** Steps at which one run detects something. */
function detections(
  create: () => { update(value: number, time: number): unknown },
  seed: number,
  rates: number[],
): number[] {
  const random = mulberry32(seed * 7919 + 1);
  const detector = create();
  return rates.flatMap((rate, step) => (detector.update(random() < rate ? 1 : 0, step) && step >= FIRST ? [step] : []));
}

export function benchDrift({ rounds = RUNS }: { rounds?: number }, report: Report): void {
  report.say(`\nDrift: ${rounds} simulated runs of errors for each figure`);
  for (const [name, create] of Object.entries(DETECTORS)) {
    const isTold = name === "as told";
    for (const rate of RATES) {
      const rates = new Array<number>(STEPS).fill(rate);
      const alarms = Array.from({ length: rounds }, (_, seed) => detections(create, seed, rates).length > 0);
      const count = alarms.filter(Boolean).length;
      const [low, high] = wilsonInterval(count, rounds).map((end) => (100 * end).toFixed(1));
      const share = count / rounds;
      const mark = isTold ? report.mark(MAX_FALSE, share) : "(reported)";
      report.say(
        `  ${name.padEnd(18)} errors ${rate} for ${STEPS} predictions: false alarms ${(100 * share).toFixed(1)} % (${low} to ${high})   ${mark}`,
      );
      report.row({ part: "drift", detector: name, rate, runs: rounds, falseAlarms: share });
    }
    for (const [length, before, after] of FALLS) {
      const rates = Array.from({ length: length + 3000 }, (_, step) => (step < length ? before : after));
      const delays = Array.from({ length: rounds }, (_, seed) => {
        const found = detections(create, seed, rates).find((step) => step >= length);
        return found === undefined ? Number.POSITIVE_INFINITY : found - length;
      });
      const [p50, p95] = [percentile(delays, 0.5), percentile(delays, 0.95)];
      const isTarget = isTold && length === 1000 && after === 0.25;
      const mark = isTarget ? report.mark(MAX_DELAY, p95) : "(reported)";
      const text = (delay: number) => (Number.isFinite(delay) ? delay.toFixed(0) : "over 3000");
      report.say(
        `  ${name.padEnd(18)} accuracy ${1 - before} to ${1 - after} after ${length}: found within ${text(p50)} (median), ${text(p95)} (95 %)   ${mark}`,
      );
      report.row({ part: "drift", detector: name, length, before, after, runs: rounds, p50, p95 });
    }
  }
}
