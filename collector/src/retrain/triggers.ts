// Decides from what was observed which triggers are met, and which have recovered since they fired; pure.
import { Cron } from "croner";
import { type AdwinChange, adwinChanges } from "./adwin.js";
import type { TriggerConfig } from "./config.js";
import type { ErrorStep, EstimatedWindow, LabelledWindow, Observed } from "./observe.js";

/** Strongest first: of several that fire together the first one names the run. */
export const TRIGGERS = ["accuracy", "drift", "estimate", "labels", "age"] as const;
export type TriggerName = (typeof TRIGGERS)[number];

export type Evidence = Record<string, unknown>;

export interface Verdict {
  trigger: TriggerName;
  isMet: boolean;
  /** What it measures is good again: it may fire anew (hysteresis). */
  isRecovered: boolean;
  evidence: Evidence;
}

/** Points in time, epoch milliseconds. */
export interface Clocks {
  now: number;
  /** When the stable version was first seen, or the last run ended, whichever is later. */
  ageFrom: number;
  /** Up to when the cron expression was looked at. */
  cronAt: number;
  /** When the last run that did not fail was started; labels count from then. */
  labelsFrom: number;
}

/** One verdict for each trigger that is configured. */
export function judge(triggers: TriggerConfig, observed: Observed, clocks: Clocks): Verdict[] {
  const { age, accuracy, drift, estimate, labels } = triggers;
  return [
    ...(accuracy ? [judgeAccuracy(accuracy, observed.accuracy)] : []),
    ...(drift ? [judgeDrift(drift, observed.errors)] : []),
    ...(estimate ? [judgeEstimate(estimate, observed.estimate)] : []),
    ...(labels ? [judgeLabels(labels.count, observed, clocks)] : []),
    ...(age ? [judgeAge(age, clocks)] : []),
  ];
}

function judgeAccuracy(config: NonNullable<TriggerConfig["accuracy"]>, all: LabelledWindow[]): Verdict {
  const { baseline, delta, minLabels } = config;
  const limit = baseline - delta;
  const windows = all.filter(({ labelled }) => labelled >= minLabels).slice(-config.windows);
  const last = windows.at(-1);
  return {
    trigger: "accuracy",
    isMet: windows.length === config.windows && windows.every(({ high }) => high < limit),
    // Half of the way back: at the limit itself chance alone would let it fire again and again.
    isRecovered: last !== undefined && last.correct / last.labelled >= baseline - delta / 2,
    evidence: { baseline, delta, limit, minLabels, windows },
  };
}

function judgeEstimate(config: NonNullable<TriggerConfig["estimate"]>, all: EstimatedWindow[]): Verdict {
  const { floor, margin, minPredictions } = config;
  const windows = all.filter(({ n }) => n >= minPredictions).slice(-config.windows);
  const last = windows.at(-1);
  return {
    trigger: "estimate",
    // Three standard errors, as NannyML's bands.
    isMet:
      windows.length === config.windows &&
      windows.every(({ accuracy, standardError }) => accuracy + 3 * standardError < floor),
    isRecovered: last !== undefined && last.accuracy >= floor + margin,
    evidence: { floor, minPredictions, windows },
  };
}

// ADWIN's memory grows with the logarithm, its time with the number of labels: some 50 ms for so many.
const MAX_LABELS = 20_000;

function judgeDrift(config: NonNullable<TriggerConfig["drift"]>, steps: ErrorStep[]): Verdict {
  const { confidence, minLabels } = config;
  const { kept, n } = newest(steps);
  const change = n >= minLabels ? adwinChanges(spread(kept), { confidence }).at(-1) : undefined;
  // An error rate that falls is a change too, and no reason to retrain.
  const isMet = change !== undefined && change.after.mean > change.before.mean;
  return {
    trigger: "drift",
    isMet,
    isRecovered: !isMet,
    evidence: { detector: "adwin", target: "error", confidence, minLabels, n, ...changeEvidence(change, kept) },
  };
}

function changeEvidence(change: AdwinChange | undefined, steps: ErrorStep[]): Evidence {
  if (!change) return {};
  const { at, before, after } = change;
  return { since: timeOf(at - after.n + 1, steps), before, after };
}

function timeOf(index: number, steps: ErrorStep[]): number | undefined {
  let below = 0;
  for (const { time, n } of steps) {
    below += n;
    if (index < below) return time;
  }
  return undefined;
}

function newest(steps: ErrorStep[]): { kept: ErrorStep[]; n: number } {
  let n = 0;
  const kept: ErrorStep[] = [];
  for (const step of [...steps].reverse()) {
    if (n + step.n > MAX_LABELS) break;
    n += step.n;
    kept.unshift(step);
  }
  return { kept, n };
}

/** The order within a step is not known: its errors are spread evenly. */
function* spread(steps: ErrorStep[]): Generator<number> {
  for (const { n, errors } of steps)
    for (let i = 0; i < n; i += 1) yield Math.floor(((i + 1) * errors) / n) - Math.floor((i * errors) / n);
}

function judgeLabels(count: number, { labels, labelsSince }: Observed, { labelsFrom }: Clocks): Verdict {
  return {
    trigger: "labels",
    isMet: labels >= count,
    isRecovered: true,
    // After runs that failed, or before the first one, labels count from long ago, of which most say nothing.
    evidence: { labels, count, since: labelsSince ?? labelsFrom },
  };
}

function judgeAge(config: NonNullable<TriggerConfig["age"]>, { now, ageFrom, cronAt }: Clocks): Verdict {
  const { max, cron, timeZone } = config;
  const age = now - ageFrom;
  const due = cron === undefined ? undefined : dueSince(cron, timeZone, cronAt, now);
  return {
    trigger: "age",
    isMet: due !== undefined || (max !== undefined && age > max),
    isRecovered: true,
    evidence: {
      ...(max !== undefined && { ageMs: age, max, since: ageFrom }),
      ...(cron !== undefined && { cron, timeZone, due: due ?? null }),
    },
  };
}

/** The first time after `from` that has come; while the collector was away several may have, which count as one. */
function dueSince(cron: string, timezone: string, from: number, now: number): number | undefined {
  const next = new Cron(cron, { timezone, paused: true }).nextRun(new Date(from));
  return next && next.getTime() <= now ? next.getTime() : undefined;
}
