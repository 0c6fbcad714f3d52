// Telemetry records as a page makes them.

import type {
  DriftRecord,
  FeedbackRecord,
  InputsRecord,
  PredictedRecord,
} from "../../src/page/lazy/telemetry/records.js";
import type { ModelRef } from "../../src/shared/types/model.js";

export const MODEL: ModelRef = {
  name: "digits",
  version: "1.2.0",
  release: 3,
  digest: "0123456789abcdef0123456789abcdef",
};

const idOf = (n: number): string =>
  Math.imul(n + 1, 0x9e3779b1)
    .toString(16)
    .replace("-", "")
    .padStart(8, "0")
    .repeat(4);

export function predicted(n: number, changes: Partial<PredictedRecord> = {}): PredictedRecord {
  const timings = {
    queueMs: 1,
    transferMs: 2,
    preprocessMs: 3,
    executeMs: 4,
    readbackMs: 5,
    postprocessMs: 6,
    totalMs: 21,
  };
  return {
    kind: "predicted",
    id: idOf(n),
    model: MODEL,
    arm: "stable",
    backend: "wasm",
    mode: "online",
    timings,
    depth: 1,
    decided: { class: n % 10, confidence: 0.9, margin: 0.5, entropy: 0.1, classes: 10 },
    memory: { tensor: 1000, wasm: 20_000_000 },
    ...changes,
  };
}

export function feedback(n: number, changes: Partial<FeedbackRecord> = {}): FeedbackRecord {
  return {
    kind: "feedback",
    id: idOf(n),
    model: MODEL,
    arm: "stable",
    source: "explicit",
    correct: n % 4 !== 0,
    class: n % 10,
    classes: 10,
    squaredError: 0.01,
    delayMs: 5000,
    ...changes,
  };
}

export function drift(changes: Partial<DriftRecord> = {}): DriftRecord {
  return {
    kind: "drift",
    model: MODEL,
    arm: "canary",
    detector: "adwin",
    target: "confidence",
    n: 480,
    since: 1_700_000_000_000,
    statistic: 0.31,
    threshold: 0.12,
    ...changes,
  };
}

export function inputs(changes: Partial<InputsRecord> = {}): InputsRecord {
  return {
    kind: "inputs",
    model: MODEL,
    arm: "canary",
    quantiles: { "image.brightness": 0.07, "image.width": 1 },
    missing: [],
    ...changes,
  };
}
