// A fleet whose visits are drawn as counts and judged by the collector's own modules, without HTTP and without a database: for many seeds.
import { ownBounds } from "../collector/src/catalogue.js";
import { Drift } from "../collector/src/drift/drift.js";
import type { Profiles } from "../collector/src/drift/profiles.js";
import type { Contribution } from "../collector/src/evidence/contributions.js";
import { Evidence } from "../collector/src/evidence/evidence.js";
import { BINS, type Cell, SECONDS_SUM } from "../collector/src/evidence/subjects.js";
import { daysOf } from "../collector/src/rollout/days.js";
import type { Judgement } from "../collector/src/rollout/decision-types.js";
import { judge, MARGINS } from "../collector/src/rollout/judge.js";
import type { Store } from "../collector/src/store.js";
import { createEvidenceMemory } from "./evidence-memory.js";
import { CANARY } from "./fleet.js";
import { createRandom, type Random } from "./random.js";
import { MODEL } from "./simulated-page.js";
import { ACCURACY_SPREAD, SPEED_SPREAD, TIME_SPREAD, type World } from "./world.js";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const STABLE = "1.0.0";
const BOUNDS = ownBounds("ml.inference.duration");

export interface FastResult extends Judgement {
  /** Whole days until then; undefined when the last decision is to hold. */
  days?: number;
  /** Predictions of the canary until then, and labels of it that pages reported. */
  exposed: number;
  labels: number;
  /** Whether any decision of the run was to promote. */
  wasPromoted: boolean;
}

interface Visitor {
  address: string;
  isCanary: boolean;
  isLiar: boolean;
  accuracy: number;
  speed: number;
}

/** A rollout with one look a day; ends with the first decision that is not to hold. */
export function runFastRollout(world: World, run: number, looksPerDay = 1): FastResult {
  const random = createRandom(run);
  const visitors = Array.from({ length: world.pages }, (_, i) => visitorOf(world, random, i));
  const evidence = new Evidence();
  const memory = createEvidenceMemory();
  const roles = {
    control: { version: STABLE, arm: "stable" },
    candidate: { version: CANARY, arm: "canary" },
    since: 0,
    isPublished: true,
  };
  const result: FastResult = {
    action: "hold",
    reason: "not_enough",
    missing: [],
    evidence: [],
    exposed: 0,
    labels: 0,
    wasPromoted: false,
  };
  for (let look = 0; look < world.days * looksPerDay; look += 1) {
    const at = Math.floor((look * DAY_MS) / looksPerDay);
    for (const visitor of visitors) {
      if (!random.chance(world.visits / looksPerDay)) continue;
      const counts = drawVisit(world, random, visitor);
      evidence.add(contributions(visitor, counts), visitor.address, at);
      if (visitor.isCanary) {
        result.exposed += counts.predictions;
        result.labels += counts.correct + counts.incorrect;
      }
    }
    memory.keep(evidence);
    const rows = memory.evidence({
      model: MODEL,
      subjects: ["outcomes", "runs"],
      from: 0,
      to: at + DAY_MS,
      step: DAY_MS,
    });
    Object.assign(result, judge(daysOf(rows, roles), BOUNDS, MARGINS));
    result.wasPromoted ||= result.action === "promote";
    if (result.action !== "hold") return { ...result, days: (look + 1) / looksPerDay };
  }
  return result;
}

function visitorOf(world: World, random: Random, index: number): Visitor {
  return {
    address: `198.18.${index >> 8}.${index & 255}`,
    isCanary: random.uniform() * 100 < world.weight,
    isLiar: random.chance(world.liars),
    accuracy: ACCURACY_SPREAD * random.normal(),
    speed: Math.exp(SPEED_SPREAD * random.normal()),
  };
}

interface VisitCounts {
  predictions: number;
  correct: number;
  incorrect: number;
  trustedCorrect: number;
  trustedIncorrect: number;
  runs: number[];
}

function drawVisit(world: World, random: Random, { isCanary, isLiar, accuracy, speed }: Visitor): VisitCounts {
  const behaviour = isCanary ? world.canary : world.stable;
  const predictions = 1 + random.poisson(world.predictions - 1);
  const runs = new Array<number>(SECONDS_SUM + 1).fill(0);
  const counts = { predictions, correct: 0, incorrect: 0, trustedCorrect: 0, trustedIncorrect: 0, runs };
  const share = Math.min(0.999, Math.max(0.11, behaviour.accuracy + accuracy));
  for (let i = 0; i < predictions; i += 1) {
    if (random.chance(behaviour.failures)) {
      runs[BOUNDS.length + 1] = (runs[BOUNDS.length + 1] ?? 0) + 1;
      continue;
    }
    const seconds = (behaviour.latency / 1000) * speed * Math.exp(TIME_SPREAD * random.normal());
    const bucket = BOUNDS.findIndex((bound) => seconds <= bound);
    const place = bucket < 0 ? BOUNDS.length : bucket;
    runs[place] = (runs[place] ?? 0) + 1;
    runs[SECONDS_SUM] = (runs[SECONDS_SUM] ?? 0) + seconds;
    const isCorrect = random.chance(share);
    if (random.chance(world.labels)) counts[(isLiar ? isCanary : isCorrect) ? "correct" : "incorrect"] += 1;
    if (random.chance(world.trustedLabels)) counts[isCorrect ? "trustedCorrect" : "trustedIncorrect"] += 1;
  }
  return counts;
}

function contributions({ isCanary }: Visitor, counts: VisitCounts): Contribution[] {
  const of = (subject: Cell["subject"], trusted: boolean): Cell => ({
    model: MODEL,
    version: isCanary ? CANARY : STABLE,
    arm: isCanary ? "canary" : "stable",
    subject,
    detail: "",
    trusted,
  });
  const { correct, incorrect, trustedCorrect, trustedIncorrect, runs } = counts;
  return [
    { cell: of("runs", false), counts: runs },
    ...(correct + incorrect > 0 ? [{ cell: of("outcomes", false), counts: [correct, incorrect] }] : []),
    ...(trustedCorrect + trustedIncorrect > 0
      ? [{ cell: of("outcomes", true), counts: [trustedCorrect, trustedIncorrect] }]
      : []),
  ];
}

export interface FastDrift {
  /** Days before the shift with an alarm of any target. */
  falseAlarms: number;
  /** Predictions of the whole fleet from the shift to the first alarm; undefined without one. */
  found?: number;
  hours?: number;
}

const LOOK_HOURS = 3;

/** Inputs of one feature, first quiet and then shifted, with a look every three hours. */
export async function runFastDrift(world: World & { shiftAt: number }, run: number): Promise<FastDrift> {
  const random = createRandom(run);
  const evidence = new Evidence();
  const memory = createEvidenceMemory();
  let now = 0;
  const store = memory as unknown as Store;
  const drift = new Drift({ store, profiles: NO_PROFILES, now: () => now });
  const result: FastDrift = { falseAlarms: 0 };
  let predictions = 0;
  for (let hour = 0; hour < world.days * 24; hour += 1) {
    const isShifted = hour >= world.shiftAt * 24;
    for (let page = 0; page < world.pages; page += 1) {
      if (!random.chance(world.visits / 24)) continue;
      const counts = new Array<number>(BINS).fill(0);
      const size = 1 + random.poisson(world.predictions - 1);
      for (let i = 0; i < size; i += 1) {
        const bin = Math.min(BINS - 1, Math.floor(random.uniform() ** (isShifted ? world.shift : 1) * BINS));
        counts[bin] = (counts[bin] ?? 0) + 1;
      }
      if (isShifted) predictions += size;
      const cell: Cell = {
        model: MODEL,
        version: STABLE,
        arm: "stable",
        subject: "inputs",
        detail: "image.brightness",
        trusted: false,
      };
      evidence.add([{ cell, counts }], `198.18.${page >> 8}.${page & 255}`, hour * HOUR_MS);
    }
    now = (hour + 1) * HOUR_MS - 1;
    memory.keep(evidence);
    if (hour % LOOK_HOURS > 0) continue;
    const isDrift = (await drift.report(MODEL)).some((one) => one.isDrift);
    if (isDrift && !isShifted) result.falseAlarms += 1;
    if (isDrift && isShifted) return { ...result, found: predictions, hours: hour + 1 - world.shiftAt * 24 };
  }
  return result;
}

const NO_PROFILES = { of: () => undefined } as unknown as Profiles;
