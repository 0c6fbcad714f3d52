// The records that the library passes to telemetry: plain figures and names, never an input, an output, a URL or personal data.

import type { TopClass } from "../../../shared/protocol.js";
import type { ModelRef, PredictionTimings } from "../../../shared/types/model.js";
import type { ArmRole } from "../../../shared/types/rollout.js";
import type { Backend } from "../../../shared/types/tensor.js";

/** The arm of a rollout that this browser belongs to. */
export type Arm = ArmRole;

export interface PredictedRecord {
  kind: "predicted";
  id: string;
  model: ModelRef;
  arm: Arm;
  backend: Backend;
  mode: "online" | "batch";
  timings: PredictionTimings;
  /** Open predictions of the model when this one started, including itself. */
  depth: number;
  /** For tasks with classes. */
  decided?: TopClass;
  /** Bytes. */
  memory?: { tensor: number; wasm: number };
}

export interface FailedRecord {
  kind: "failed";
  stage: "load" | "predict";
  /** A code of `InsituError`. */
  errorType: string;
  model?: ModelRef;
  backend?: Backend;
  /** From the start of the call until it failed. */
  durationMs?: number;
  message: string;
}

export interface LoadedRecord {
  kind: "loaded";
  model: ModelRef;
  backend: Backend;
  source: "network" | "cache" | "memory";
  durationMs: number;
  warmupMs: number;
  /** Bytes that were downloaded. */
  downloaded: number;
}

/** The truth of a prediction became known. Prediction and truth are joined in the page; only this result is sent. */
export interface FeedbackRecord {
  kind: "feedback";
  /** Id of the prediction. */
  id: string;
  model: Pick<ModelRef, "name" | "version">;
  arm: Arm;
  source: "explicit" | "implicit" | "oracle";
  correct: boolean;
  /** Index of the true class, where it is known. */
  class?: number;
  /** Number of classes of the model. */
  classes: number;
  /** Squared difference between confidence and truth; for tasks with classes. */
  squaredError?: number;
  /** Time between prediction and feedback. */
  delayMs: number;
}

/** A personal model was trained: counts and accuracy, nothing of its content. */
export interface TrainedRecord {
  kind: "trained";
  /** Name of the base model. */
  model: string;
  trigger: "asked" | "age" | "accuracy" | "examples" | "update";
  outcome: "activated" | "not_better" | "failed";
  durationMs: number;
  backend?: Backend;
  examples?: number;
  /** Accuracy of the new version on held-out examples. */
  accuracy?: number;
}

/** This browser took, left or kept a version of a rollout. */
export interface RolloutRecord {
  kind: "rollout";
  /** The version that runs from now on. */
  model: ModelRef;
  arm: Arm;
  action: "assigned" | "swapped" | "rolled_back" | "pinned";
  reason: "weight" | "release" | "pin" | "failures" | "latency" | "crashes" | "self_test" | "load";
  /** The version that ran before. */
  from?: string;
}

/** The shadow version predicted an input a second time. */
export interface ShadowRecord {
  kind: "shadow";
  /** The shadow version. */
  model: ModelRef;
  result: "agree" | "disagree" | "failed";
  /** Absolute difference of the two confidences; for tasks with classes. */
  difference?: number;
  /** Its time over the time of the version whose result was used; 1 is as fast. */
  slowdown?: number;
}

/** A detector found a change in this browser's predictions. */
export interface DriftRecord {
  kind: "drift";
  model: ModelRef;
  arm: Arm;
  detector: "page_hinkley" | "adwin" | "ddm";
  target: "confidence" | "error";
  /** Values that the detector had seen. */
  n: number;
  /** When the change began by the detector's estimate, epoch milliseconds. */
  since: number;
  /** What the detector compared with `threshold`. */
  statistic: number;
  threshold: number;
}

/** Where the features of one input lie in the manifest's reference profile; the features themselves stay in the page. */
export interface InputsRecord {
  kind: "inputs";
  model: ModelRef;
  arm: Arm;
  /** By feature: the share of the reference below the value, 0 to 1, randomised among equal values. */
  quantiles: Record<string, number>;
  /** Features without a value. */
  missing: string[];
}

export type TelemetryRecord =
  | PredictedRecord
  | FailedRecord
  | LoadedRecord
  | FeedbackRecord
  | TrainedRecord
  | RolloutRecord
  | ShadowRecord
  | DriftRecord
  | InputsRecord
  | { kind: "personalFeedback"; model: string; correct: boolean }
  | { kind: "cache"; result: "hit" | "miss" | "corrupt" | "evicted" | "unavailable" }
  | { kind: "fellBack"; from: Backend; to: Backend; errorType: string }
  | { kind: "restarted"; reason: "watchdog" | "error" | "device_lost" | "oom" }
  | { kind: "storage"; bytes: number }
  | { kind: "longTask"; durationMs: number; model: string }
  | { kind: "unmatched"; model: string };

/** The record of one kind. */
export type RecordOf<K extends TelemetryRecord["kind"]> = Extract<TelemetryRecord, { kind: K }>;
