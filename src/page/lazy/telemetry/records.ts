// What the library tells telemetry: plain figures and names, never an input, an output, an address or a person.
import type { TopClass } from "../../../shared/protocol.js";
import type { ModelRef, PredictionTimings } from "../../../shared/types/model.js";
import type { Backend } from "../../../shared/types/tensor.js";

/** Which version of a model this browser was given. */
export type Arm = "stable" | "canary" | "shadow";

export interface PredictedRecord {
  kind: "predicted";
  id: string;
  model: ModelRef;
  arm: Arm;
  backend: Backend;
  mode: "online" | "batch";
  timings: PredictionTimings;
  /** Predictions of the model that were open when this one came, itself included. */
  depth: number;
  /** For tasks that have classes. */
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
  /** Until it failed. */
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
  /** Bytes that came over the network. */
  downloaded: number;
}

/** A prediction met its truth; what is joined here is all that leaves. */
export interface FeedbackRecord {
  kind: "feedback";
  /** Of the prediction. */
  id: string;
  model: Pick<ModelRef, "name" | "version">;
  arm: Arm;
  source: "explicit" | "implicit" | "oracle";
  correct: boolean;
  /** The true class, where it is known. */
  class?: number;
  /** How many classes there are. */
  classes: number;
  /** Of the confidence from the truth; where the task has classes. */
  squaredError?: number;
  /** Milliseconds since the prediction. */
  delayMs: number;
}

/** A personal model was trained: counts and accuracy, nothing of what it learned. */
export interface TrainedRecord {
  kind: "trained";
  /** Name of the base model. */
  model: string;
  trigger: "asked" | "age" | "accuracy" | "examples" | "update";
  outcome: "activated" | "not_better" | "failed";
  durationMs: number;
  backend?: Backend;
  examples?: number;
  /** Of the new version on held-out examples. */
  accuracy?: number;
}

export type TelemetryRecord =
  | PredictedRecord
  | FailedRecord
  | LoadedRecord
  | FeedbackRecord
  | TrainedRecord
  | { kind: "personalFeedback"; model: string; correct: boolean }
  | { kind: "cache"; result: "hit" | "miss" | "corrupt" | "evicted" | "unavailable" }
  | { kind: "fellBack"; from: Backend; to: Backend; errorType: string }
  | { kind: "restarted"; reason: "watchdog" | "error" | "device_lost" | "oom" }
  | { kind: "storage"; bytes: number }
  | { kind: "longTask"; milliseconds: number; model: string }
  | { kind: "unmatched"; model: string };
