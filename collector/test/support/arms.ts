// Simulates what senders of two arms report, sender by sender: devices differ in speed, and users in how hard their inputs are.
import { addIndependent, emptyMoments, growCluster, type Moments } from "../../src/evidence/moments.js";
import { DURATION_BUCKETS, FAILED, SECONDS_SUM, SUBJECTS } from "../../src/evidence/subjects.js";
import type { Day } from "../../src/rollout/judge.js";
import { BOUNDS } from "./otlp.js";
import type { Random } from "./random.js";

export interface Arm {
  /** Mean share of correct predictions. */
  accuracy: number;
  /** Share of predictions that fail. */
  failures: number;
  /** Its durations over the control's. */
  slowdown: number;
}

export const EQUAL: Arm = { accuracy: 0.93, failures: 0.005, slowdown: 1 };

type Evidence = Required<Pick<Day, "runs" | "outcomes">> & Pick<Day, "trusted">;

export function emptyDay(): Evidence {
  const runs = () => emptyMoments(SUBJECTS.runs.size);
  const outcomes = () => [{ moments: emptyMoments(2) }];
  return {
    runs: { control: runs(), candidate: runs() },
    outcomes: { control: outcomes(), candidate: outcomes() },
    trusted: { control: outcomes(), candidate: outcomes() },
  };
}

const first = (of: readonly { moments: Moments }[]) => (of[0] as { moments: Moments }).moments;

/** One sender's day: some predictions, of which a share has labels; returns the number of labels. */
export function report(day: Evidence, arm: "control" | "candidate", of: Arm, random: Random, labels = 0.05): number {
  const predictions = 5 + random.below(30);
  // A factor of four between devices (two standard deviations), and ten points of accuracy between users.
  const speed = 0.02 * Math.exp(0.35 * random.normal()) * of.slowdown;
  const accuracy = Math.min(1, of.accuracy + (random.next() - 0.5) * 0.1);
  const run = new Array<number>(SECONDS_SUM + 1).fill(0);
  const outcomes = [0, 0];
  const add = (counts: number[], place: number, amount = 1) => {
    counts[place] = (counts[place] ?? 0) + amount;
  };
  for (let i = 0; i < predictions; i += 1) {
    if (random.isTrue(of.failures)) {
      add(run, FAILED);
      continue;
    }
    const seconds = speed * Math.exp(0.3 * random.normal());
    const bucket = BOUNDS.findIndex((bound) => seconds <= bound);
    add(run, bucket < 0 ? DURATION_BUCKETS - 1 : bucket);
    add(run, SECONDS_SUM, seconds);
    if (random.isTrue(labels)) add(outcomes, random.isTrue(accuracy) ? 0 : 1);
  }
  growCluster(day.runs[arm], undefined, run);
  if (outcomes.some((count) => count > 0)) growCluster(first(day.outcomes[arm]), undefined, outcomes);
  return outcomes.reduce((sum, count) => sum + count, 0);
}

/** A trusted sender's outcomes. */
export function tell(day: Evidence, arm: "control" | "candidate", accuracy: number, n: number, random: Random): void {
  const outcomes = [0, 0];
  for (let i = 0; i < n; i += 1) {
    const place = random.isTrue(accuracy) ? 0 : 1;
    outcomes[place] = (outcomes[place] ?? 0) + 1;
  }
  if (day.trusted) addIndependent(first(day.trusted[arm]), outcomes);
}
