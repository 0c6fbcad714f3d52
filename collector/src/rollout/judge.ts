// Judges a candidate against its control: accuracy, errors, latency, agreement, and what follows; pure.
import type { Moments } from "../evidence/moments.js";
import { DURATION_BUCKETS, FAILED } from "../evidence/subjects.js";
import { sequentialMargin, sequentialP } from "../statistics/sequential.js";
import { quantile, wilson } from "../statistics.js";
import type { Evidence, Judgement, Value, Verdict } from "./decision-types.js";
import { type ArmRuns, compareMeans, compareRanks, durations } from "./latency.js";
import { MIN_CLUSTERS, MIN_VALUES, missingFor, missingOf } from "./missing.js";
import { truthPart } from "./randomised.js";
import { type Comparison, compareArms, type Part, type Side, type Stratum } from "./stratified.js";

/** Outcomes of one arm and day by epsilon; undefined: plain ones. */
export type Outcomes = readonly { epsilon?: number; moments: Moments }[];

/** One day of both arms. Missing is what nobody reported. */
export interface Day {
  trusted?: { control: Outcomes; candidate: Outcomes };
  outcomes?: { control: Outcomes; candidate: Outcomes };
  runs?: ArmRuns;
  /** A shadow's comparisons. */
  shadow?: Moments;
}

export interface Margins {
  /** Points of accuracy (0.02 is two) that a candidate may have less and still count as not worse. */
  accuracy: number;
  /** Share by which a candidate may be slower: 0.1 is 10 %. */
  latency: number;
}

export const MARGINS: Margins = { accuracy: 0.02, latency: 0.1 };

/**
 * Chances of a false verdict "worse". Those of accuracy (of pages and of trusted senders) and errors, which roll back, add up to less than 5 %:
 * so many equal candidates are rolled back, however often anybody looks.
 */
const ALPHA = { accuracy: 0.015, errors: 0.015, latency: 0.01 };
/** Chance to promote a candidate that is worse by the margin. */
const ALPHA_PROMOTE = 0.05;
/** The differences that the tests are to find soonest (`sequentialP`). */
const EFFECT = { accuracy: 0.05, errors: 0.02, rank: 0.05, log: 0.2 };
/** More failures than control in a share of this size matter to nobody. */
const MAX_MORE_ERRORS = 0.002;

export function judge(days: readonly Day[], bounds: readonly number[], margins: Margins = MARGINS): Judgement {
  const evidence = [
    ...accuracy(days, "trusted", margins),
    ...accuracy(days, "outcomes", margins),
    ...errors(days),
    ...latency(days, bounds, margins),
    ...agreement(days),
  ];
  const conclusion = conclude(evidence);
  return { ...conclusion, missing: missingFor(conclusion.reason, evidence), evidence };
}

/** Trusted outcomes alone promote; what pages say can hold a candidate or roll it back. */
function conclude(evidence: readonly Evidence[]): Pick<Judgement, "action" | "reason"> {
  const worse = (metric: Evidence["metric"]) =>
    evidence.some((one) => one.metric === metric && one.verdict === "worse");
  if (worse("accuracy")) return { action: "rollback", reason: "accuracy" };
  if (worse("errors")) return { action: "rollback", reason: "errors" };
  // Slow and right harms nobody at once: someone decides.
  if (worse("latency")) return { action: "hold", reason: "latency" };
  const verdicts = evidence.filter(({ metric }) => metric === "accuracy");
  const trusted = verdicts.find((one) => one.trusted)?.verdict;
  if (trusted === "better") return { action: "promote", reason: "better" };
  if (trusted === "equivalent") return { action: "promote", reason: "not_worse" };
  const pages = verdicts.find((one) => !one.trusted)?.verdict ?? "unknown";
  return { action: "hold", reason: trusted === undefined && pages !== "unknown" ? "untrusted" : "not_enough" };
}

function accuracy(days: readonly Day[], source: "trusted" | "outcomes", margins: Margins): Evidence[] {
  const strata = days.flatMap(({ [source]: day }): Stratum[] =>
    day ? [{ control: day.control.map(truthPart), candidate: day.candidate.map(truthPart) }] : [],
  );
  const found = compareArms(strata, "share");
  if (found.control.size === 0) return [];
  const { difference, error } = found;
  const isTrusted = source === "trusted";
  const low = difference - sequentialMargin(error, ALPHA_PROMOTE, margins.accuracy);
  const high = difference + sequentialMargin(error, ALPHA.accuracy, EFFECT.accuracy);
  const n = (pick: (day: NonNullable<Day["outcomes"]>) => Outcomes) =>
    sum(days.flatMap(({ [source]: day }) => (day ? pick(day).map(({ moments }) => sum(moments.total)) : [])));
  const verdict = isEnough(found, isTrusted ? 0 : MIN_CLUSTERS)
    ? verdictOf(high < 0, low > 0, low > -margins.accuracy)
    : "unknown";
  return [
    {
      metric: "accuracy",
      trusted: isTrusted,
      control: shareOf(
        found.control,
        n((day) => day.control),
      ),
      candidate: shareOf(
        found.candidate,
        n((day) => day.candidate),
      ),
      difference,
      ...finite(low, high, -1, 1),
      p: sequentialP({ difference, error }, 0, EFFECT.accuracy),
      alpha: ALPHA.accuracy,
      verdict,
      missing:
        verdict === "unknown" ? missingOf(found, isTrusted ? 0 : MIN_CLUSTERS, { low, need: -margins.accuracy }) : [],
    },
  ];
}

function errors(days: readonly Day[]): Evidence[] {
  const part = (moments: Moments): Part => ({ moments, ...FAILURES });
  const strata = days.flatMap(({ runs }): Stratum[] =>
    runs ? [{ control: [part(runs.control)], candidate: [part(runs.candidate)] }] : [],
  );
  const found = compareArms(strata, "share");
  if (found.control.size === 0) return [];
  const { difference, error } = found;
  const margin = sequentialMargin(error, ALPHA.errors, EFFECT.errors);
  const [low, high] = [difference - margin, difference + margin];
  const isKnown = isEnough(found, MIN_CLUSTERS);
  return [
    {
      metric: "errors",
      trusted: false,
      control: shareOf(found.control, found.control.size),
      candidate: shareOf(found.candidate, found.candidate.size),
      difference,
      ...finite(low, high, -1, 1),
      p: sequentialP({ difference: -difference, error }, -MAX_MORE_ERRORS, EFFECT.errors),
      alpha: ALPHA.errors,
      verdict: isKnown ? verdictOf(low > MAX_MORE_ERRORS, high < 0, high < MAX_MORE_ERRORS) : "unknown",
      missing: isKnown ? [] : missingOf(found, MIN_CLUSTERS),
    },
  ];
}

const FAILURES = {
  score: Array.from({ length: FAILED + 2 }, (_, i) => (i === FAILED ? 1 : 0)),
  weight: Array.from({ length: FAILED + 2 }, (_, i) => (i <= FAILED ? 1 : 0)),
};

/** Slower by ranks and by means: a rank knows no size, and a mean follows the slowest of all. */
function latency(days: readonly Day[], bounds: readonly number[], { latency: margin }: Margins): Evidence[] {
  const runs = days.flatMap(({ runs: one }) => (one ? [one] : []));
  const ranks = compareRanks(runs, bounds, margin);
  if (ranks.control.size === 0) return [];
  const means = compareMeans(runs, bounds);
  const limit = Math.log(1 + margin);
  const p = Math.max(
    sequentialP({ difference: -ranks.difference, error: ranks.error }, 0, EFFECT.rank),
    sequentialP({ difference: -means.log, error: means.error }, -limit, EFFECT.log),
  );
  const width = sequentialMargin(means.error, ALPHA.latency, EFFECT.log);
  const [low, high] = [Math.expm1(means.log - width), Math.expm1(means.log + width)];
  const isSlower = p < ALPHA.latency && low > margin;
  const isKnown = isEnough(ranks, MIN_CLUSTERS);
  const ofArm = (arm: "control" | "candidate") =>
    median(
      runs.map((one) => one[arm]),
      ranks[arm],
      bounds,
    );
  return [
    {
      metric: "latency",
      trusted: false,
      control: ofArm("control"),
      candidate: ofArm("candidate"),
      difference: Math.expm1(means.log),
      ...finite(low, high, -1, 1e6),
      p,
      alpha: ALPHA.latency,
      verdict: isKnown ? verdictOf(isSlower, high < 0, high < margin) : "unknown",
      missing: isKnown ? [] : missingOf(ranks, MIN_CLUSTERS),
    },
  ];
}

/** Which of both is right nobody knows: it informs, and decides nothing. */
function agreement(days: readonly Day[]): Evidence[] {
  const strata = days.flatMap(({ shadow }): Stratum[] => {
    const part = shadow && [{ moments: shadow, score: [1, 0, 0], weight: [1, 1, 1] }];
    return part ? [{ control: part, candidate: part }] : [];
  });
  const { candidate } = compareArms(strata, "share");
  if (candidate.size === 0) return [];
  const value = shareOf(candidate, candidate.size);
  return [
    {
      metric: "shadow_agreement",
      trusted: false,
      control: { n: 0, value: 1, low: 1, high: 1 },
      candidate: value,
      difference: value.value - 1,
      low: value.low - 1,
      high: value.high - 1,
      p: 1,
      alpha: 0,
      verdict: "unknown",
      missing: [],
    },
  ];
}

function isEnough({ control, candidate }: Comparison, minClusters: number): boolean {
  return [control, candidate].every(({ size, clusters }) => size >= MIN_VALUES && clusters >= minClusters);
}

function verdictOf(isWorse: boolean, isBetter: boolean, isEquivalent: boolean): Verdict {
  if (isWorse) return "worse";
  if (isBetter) return "better";
  return isEquivalent ? "equivalent" : "unknown";
}

/** With Wilson's interval of as many independent values as say the same. */
function shareOf({ value, error, size }: Side, n: number): Value {
  const inside = Math.min(1, Math.max(0, value));
  // As in the error: with one success and one failure more, since none of 50 would be no variance.
  const inner = (inside * size + 1) / (size + 2);
  const effective = error > 0 && Number.isFinite(error) ? Math.min(size, (inner * (1 - inner)) / error ** 2) : 0;
  const [low, high] = wilson(inside * effective, effective);
  return { n, value: inside, low: Math.min(low, inside), high: Math.max(high, inside) };
}

function median(all: readonly Moments[], { size, error }: Side, bounds: readonly number[]): Value {
  const buckets = Array.from({ length: DURATION_BUCKETS }, (_, i) => sum(all.map((one) => durations(one)[i] ?? 0)));
  // The error of a mean rank, which is spread evenly over 0 to 1 with the variance 1/12, says how many independent values there are.
  const effective = Number.isFinite(error) && error > 0 ? Math.min(size, 1 / 12 / error ** 2) : 1;
  const half = 0.98 / Math.sqrt(effective);
  const at = (q: number) => quantile(Math.min(1, Math.max(0, q)), bounds, buckets);
  return { n: size, value: at(0.5), low: at(0.5 - half), high: at(0.5 + half) };
}

/** JSON has no infinity. */
function finite(low: number, high: number, least: number, most: number): { low: number; high: number } {
  return { low: Math.max(least, low), high: Math.min(most, high) };
}

const sum = (values: readonly number[]) => values.reduce((all, one) => all + one, 0);
