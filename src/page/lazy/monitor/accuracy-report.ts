// Judges what a model predicted lately, version by version; pure.

import { wilsonInterval } from "../../../shared/wilson-interval.js";
import { brier, ece, logLoss, mce } from "./calibration.js";
import { estimateAccuracy } from "./estimate.js";
import type { Outcome } from "./outcome-log.js";
import type { ConfusionCount, MonitoredVersion, MonitorWindow } from "./types.js";

// Fewer say nothing that an alarm should hang on.
const ENOUGH = 100;
const LAST = 500;
const DAY_MS = 24 * 3600 * 1000;

type Judged = Outcome & Required<Pick<Outcome, "truth">>;

/** `outcomes` are in the order of their times. */
export function accuracyReport(outcomes: readonly Outcome[], now: number): MonitoredVersion[] {
  const versions = new Map<string, Outcome[]>();
  for (const outcome of outcomes) {
    const key = `${outcome.version}\n${outcome.arm}`;
    versions.set(key, [...(versions.get(key) ?? []), outcome]);
  }
  return [...versions.values()].map((of) => judgeVersion(of, now));
}

function judgeVersion(outcomes: Outcome[], now: number): MonitoredVersion {
  const { version, arm } = outcomes[0] as Outcome;
  const judged = outcomes.filter((outcome): outcome is Judged => outcome.truth !== undefined);
  const sure = judged.filter(({ confidence }) => confidence !== undefined);
  const truths = sure.map(({ truth }) => truth.score);
  const confidences = sure.map(({ confidence }) => confidence as number);
  const known = sure.length > 0;
  const all = outcomes.flatMap(({ confidence }) => confidence ?? []);
  return {
    ...{ version, arm, predictions: outcomes.length, ...windowOf(judged) },
    last500: windowOf(judged.slice(-LAST)),
    lastDay: windowOf(judged.filter(({ time }) => now - time <= DAY_MS)),
    confusion: confusionOf(judged),
    brier: known ? brier(truths, confidences) : undefined,
    logLoss: known ? logLoss(truths, confidences) : undefined,
    ece: known ? ece(truths, confidences) : undefined,
    mce: known ? mce(truths, confidences) : undefined,
    estimate: all.length > 0 ? estimateAccuracy(all) : undefined,
  };
}

const isRight = ({ truth }: Judged) => truth.score >= 0.5;

function windowOf(judged: Judged[]): MonitorWindow {
  const labelled = judged.length;
  const correct = judged.filter(isRight).length;
  const accuracy = labelled > 0 ? correct / labelled : undefined;
  return { labelled, correct, accuracy, interval: wilsonInterval(correct, labelled), enough: labelled >= ENOUGH };
}

function confusionOf(judged: Judged[]): ConfusionCount[] {
  const counts = new Map<string, ConfusionCount>();
  for (const { truth, class: predicted } of judged) {
    if (truth.class === undefined || predicted === undefined) continue;
    const key = `${truth.class} ${predicted}`;
    const cell = counts.get(key) ?? { truth: truth.class, predicted, count: 0 };
    cell.count += 1;
    counts.set(key, cell);
  }
  return [...counts.values()].sort((a, b) => b.count - a.count);
}
