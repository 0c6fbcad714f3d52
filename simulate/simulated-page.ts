// A page of the fleet in Node: the library's own modules choose its arm, record its predictions and write its requests.
import { createRecorder } from "../src/page/lazy/telemetry/recorder.js";
import type { PredictedRecord } from "../src/page/lazy/telemetry/records.js";
import { type ExportRequest, toRequests } from "../src/page/lazy/telemetry/requests.js";
import type { ChannelArm } from "../src/shared/types/rollout.js";
import { createRandom, type Random } from "./random.js";
import { ACCURACY_SPREAD, type Behaviour, SPEED_SPREAD, TIME_SPREAD, type World } from "./world.js";

export const MODEL = "digits";
const FEATURE = "image.brightness";
const CLASSES = 10;

/** What a visit did. */
export interface Visit {
  predictions: number;
  requests: ExportRequest[];
  /** Outcomes that only the site's backend learned. */
  trusted: { correct: number; incorrect: number };
}

export interface SimulatedPage {
  /** Its install seed, by which it is on an arm. */
  readonly seed: string;
  readonly address: string;
  /** One visit on a day, running `arm`. */
  visit(arm: ChannelArm, behaviour: Behaviour, day: number): Visit;
}

/** The page number `index` of a run. */
export function createSimulatedPage(world: World, run: number, index: number): SimulatedPage {
  const random = createRandom(run * 1_000_003 + index);
  const device = {
    accuracy: ACCURACY_SPREAD * random.normal(),
    speed: Math.exp(SPEED_SPREAD * random.normal()),
    isLiar: random.chance(world.liars),
  };
  return {
    seed: `${run}-${index}`,
    // Addresses of a range that is reserved for tests (RFC 2544), one a page.
    address: `198.18.${index >> 8}.${index & 255}`,
    visit: (arm, behaviour, day) => visit(world, random, device, arm, behaviour, day),
  };
}

interface Device {
  accuracy: number;
  speed: number;
  isLiar: boolean;
}

function visit(
  world: World,
  random: Random,
  device: Device,
  arm: ChannelArm,
  behaviour: Behaviour,
  day: number,
): Visit {
  const recorder = createRecorder({ sumsOnly: true, onDrop: () => undefined });
  const version = arm.version ?? "";
  const model = { name: MODEL, version, release: 1, digest: version.padEnd(64, "0") };
  const { role } = arm;
  const predictions = 1 + random.poisson(world.predictions - 1);
  const trusted = { correct: 0, incorrect: 0 };
  for (let i = 0; i < predictions; i += 1) {
    const id = `${i}`.padStart(32, "0");
    const durationMs = behaviour.latency * device.speed * Math.exp(TIME_SPREAD * random.normal());
    if (random.chance(behaviour.failures)) {
      const failure = { stage: "predict", errorType: "output_invalid", message: "" } as const;
      recorder.record({ kind: "failed", model: { ...model, arm: role }, backend: "wasm", durationMs, ...failure });
      continue;
    }
    const confidence = Math.min(0.999, Math.max(0.11, behaviour.accuracy + device.accuracy + 0.08 * random.normal()));
    const isCorrect = random.chance(confidence);
    recorder.record(predicted(id, model, role, durationMs, confidence));
    const isShifted = world.shiftAt !== undefined && day >= world.shiftAt;
    const quantile = random.uniform() ** (isShifted ? world.shift : 1);
    recorder.record({ kind: "inputs", model, arm: role, quantiles: { [FEATURE]: quantile }, missing: [] });
    if (random.chance(world.labels)) {
      const correct = device.isLiar ? role === "canary" : isCorrect;
      const squaredError = (confidence - Number(correct)) ** 2;
      const told = { source: "explicit", correct, classes: CLASSES, squaredError, delayMs: 60_000 } as const;
      recorder.record({ kind: "feedback", id, model, arm: role, ...told });
    }
    if (random.chance(world.trustedLabels)) trusted[isCorrect ? "correct" : "incorrect"] += 1;
  }
  const collected = recorder.collect();
  const requests = collected ? toRequests(collected, { "service.name": "simulation" }, "beacon") : [];
  return { predictions, requests, trusted };
}

function predicted(
  id: string,
  model: PredictedRecord["model"],
  arm: ChannelArm["role"],
  totalMs: number,
  confidence: number,
): PredictedRecord {
  const none = { queueMs: 0, transferMs: 0, preprocessMs: 0, readbackMs: 0, postprocessMs: 0 };
  return {
    kind: "predicted",
    id,
    model,
    arm,
    backend: "wasm",
    mode: "online",
    timings: { ...none, executeMs: totalMs, totalMs },
    depth: 1,
    decided: { class: 0, confidence, margin: confidence, entropy: 0, classes: CLASSES },
  };
}

/** What the site's backend sends of one version: outcomes that it knows itself. */
export function trustedRequests(version: string, arm: ChannelArm["role"], counts: Visit["trusted"]): ExportRequest[] {
  const recorder = createRecorder({ sumsOnly: true, onDrop: () => undefined });
  const model = { name: MODEL, version, release: 1, digest: version.padEnd(64, "0") };
  for (const [correct, count] of [
    [true, counts.correct],
    [false, counts.incorrect],
  ] as const)
    for (let i = 0; i < count; i += 1)
      recorder.record({
        kind: "feedback",
        id: `${i}`,
        model,
        arm,
        source: "oracle",
        correct,
        classes: CLASSES,
        delayMs: 0,
      });
  const collected = recorder.collect();
  return collected ? toRequests(collected, { "service.name": "simulation-backend" }, "beacon") : [];
}
