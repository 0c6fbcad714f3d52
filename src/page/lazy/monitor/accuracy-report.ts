// Computes accuracy and calibration of recent predictions, version by version; pure.

import { wilsonInterval } from "../../../shared/wilson-interval.js";
import { brier, ece, logLoss, mce } from "./calibration.js";
import { estimateAccuracy } from "./estimate.js";
import type { Outcome } from "./outcome-log.js";
import type { ConfusionCount, MonitoredVersion, MonitorWindow } from "./types.js";

// Fewer are too few for an alarm.
const MIN_LABELLED = 100;
const LAST_COUNT = 500;
const DAY_MS = 24 * 3600 * 1000;

type LabelledOutcome = Outcome & Required<Pick<Outcome, "truth">>;

/** `outcomes` must be ordered by time. */
export function accuracyReport(outcomes: readonly Outcome[], now: number): MonitoredVersion[] {
  const versions = new Map<string, Outcome[]>();
  for (const outcome of outcomes) {
    const key = `${outcome.version}\n${outcome.arm}`;
    const own = versions.get(key) ?? [];
    own.push(outcome);
    versions.set(key, own);
  }
  return [...versions.values()].map((outcomes) => reportVersion(outcomes, now));
}

function reportVersion(outcomes: Outcome[], now: number): MonitoredVersion {
  const { version, arm, time } = outcomes[0] as Outcome;
  const labelled = outcomes.filter((outcome): outcome is LabelledOutcome => outcome.truth !== undefined);
  const confident = labelled.filter(({ confidence }) => confidence !== undefined);
  const truths = confident.map(({ truth }) => truth.score);
  const confidences = confident.map(({ confidence }) => confidence as number);
  const hasTruths = confident.length > 0;
  const all = outcomes.flatMap(({ confidence }) => confidence ?? []);
  return {
    version,
    arm,
    predictions: outcomes.length,
    startedAt: time,
    ...windowOf(labelled),
    last500: windowOf(labelled.slice(-LAST_COUNT)),
    lastDay: windowOf(labelled.filter((outcome) => now - outcome.time <= DAY_MS)),
    confusion: confusionOf(labelled),
    brier: hasTruths ? brier(truths, confidences) : undefined,
    logLoss: hasTruths ? logLoss(truths, confidences) : undefined,
    ece: hasTruths ? ece(truths, confidences) : undefined,
    mce: hasTruths ? mce(truths, confidences) : undefined,
    estimate: all.length > 0 ? estimateAccuracy(all) : undefined,
  };
}

const isRight = ({ truth }: LabelledOutcome) => truth.score >= 0.5;

function windowOf(outcomes: LabelledOutcome[]): MonitorWindow {
  const labelled = outcomes.length;
  const correct = outcomes.filter(isRight).length;
  const accuracy = labelled > 0 ? correct / labelled : undefined;
  return { labelled, correct, accuracy, interval: wilsonInterval(correct, labelled), enough: labelled >= MIN_LABELLED };
}

function confusionOf(labelled: LabelledOutcome[]): ConfusionCount[] {
  const counts = new Map<string, ConfusionCount>();
  for (const { truth, class: predicted } of labelled) {
    if (truth.class === undefined || predicted === undefined) continue;
    const key = `${truth.class} ${predicted}`;
    const cell = counts.get(key) ?? { truth: truth.class, predicted, count: 0 };
    cell.count += 1;
    counts.set(key, cell);
  }
  return [...counts.values()].sort((a, b) => b.count - a.count);
}
