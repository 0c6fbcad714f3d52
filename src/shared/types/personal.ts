// The plain data of a model that learns its user's own classes: examples, versions, predictions, triggers.
import type { ErrorCode, InsituError } from "../errors.js";
import type { ClassScore, ModelRef, PredictionTimings } from "./model.js";
import type { Backend } from "./tensor.js";

/** What starts a training. */
export type TrainingTrigger = "asked" | "age" | "accuracy" | "examples" | "update";

/** How classes are told apart: by the nearest class mean, or by a softmax layer trained on the embeddings. */
export type HeadKind = "nearest-mean" | "softmax";

/** One thing that was taught. Its picture is not kept unless asked. */
export interface PersonalExample {
  /** 128 random bits in hex. */
  id: string;
  label: string;
  /** Milliseconds since 1970. */
  addedAt: number;
  /** True when what was passed in is kept beside its embedding. */
  kept: boolean;
  /** True when it is never trained on, so that versions can be judged by it; every fourth of a class. */
  heldOut: boolean;
  /** False when it was embedded by another model version, and nothing was kept to embed it again. */
  usable: boolean;
}

export interface AddExampleOptions {
  /** Keep the input too, so that it outlives an update of the model, and can be shown. Default false: only the embedding is kept. */
  keep?: boolean;
  /** Aborting rejects with `aborted`; what is stored already stays. */
  signal?: AbortSignal;
  /** Milliseconds. Default 60,000. */
  timeout?: number;
}

/** What an `add` did, and cost. */
export interface AddedExample extends PersonalExample {
  backend: Backend;
  timings: PredictionTimings;
}

export interface TrainOptions {
  onProgress?: (progress: TrainingProgress) => void;
  /** Aborting rejects with `aborted`; examples and versions stay as they were. */
  signal?: AbortSignal;
  /** Milliseconds of training; what is best by then is taken. Default 10,000. */
  budget?: number;
}

export interface TrainingProgress {
  phase: "embed" | "train" | "judge" | "store";
  /** Examples that were embedded again, or steps of the softmax layer. */
  done: number;
  total: number;
  /** Of the softmax layer on the split that stops it early: cross-entropy in nats. */
  loss?: number;
}

/** How right a head is on examples that it was not trained on. */
export interface HeadAccuracy {
  examples: number;
  correct: number;
  /** `correct / examples`; undefined of none. */
  accuracy?: number;
  /** Wilson's 95 % interval of the accuracy. */
  interval: [low: number, high: number];
}

/** What one training made. Versions are never changed. */
export interface PersonalVersion {
  /** Counts up from 1. */
  version: number;
  /** The one that was used when this was trained. */
  parent?: number;
  /** Milliseconds since 1970. */
  trainedAt: number;
  trigger: TrainingTrigger;
  head: HeadKind;
  labels: string[];
  /** Examples by label that it was trained on, and judged by. */
  counts: Record<string, { trained: number; heldOut: number }>;
  /** Each head that was trained, on the examples that were held out; the one that was taken is `head`. */
  judged: Partial<Record<HeadKind, HeadAccuracy>>;
  /** The version that was used before, on the same examples. */
  before?: HeadAccuracy;
  /** False when it was worse than `before` and was not taken into use. */
  activated: boolean;
  /** In words: why this head, and why it is used or not. */
  reason: string;
  /** Of the model that made the embeddings. */
  base: ModelRef;
  /** False when this model cannot use it, for it was trained on another one's embeddings. */
  usable: boolean;
  /** Milliseconds that the training took. */
  durationMs: number;
  backend: Backend;
}

export interface PersonalPrediction {
  /** 128 random bits in hex: the handle for `feedback`. */
  id: string;
  /** All classes, the most likely first. */
  value: ClassScore[];
  /** The most likely class; undefined when the input is too far from all that was taught. */
  label: string | undefined;
  /** How far the input is from the nearest class, over how far that class's own examples may be: over 1 is unknown. */
  distance: number;
  head: HeadKind;
  /** 0: no training yet, nearest class means of the examples so far. */
  version: number;
  backend: Backend;
  timings: PredictionTimings;
}

export interface PersonalEvaluation extends HeadAccuracy {
  version: number;
  labels: string[];
  /** How often an example of the class `truth` was taken for `predicted`; indices into `labels`. */
  confusion: { truth: number; predicted: number; count: number }[];
  /** Held-out examples that were called unknown; they count as wrong. */
  unknown: number;
}

/** When to train without being asked. What is left out is off. */
export interface RetrainTriggers {
  /** New examples since the last training. Default off. */
  examples?: number;
  /** Milliseconds since the last training, if there are new examples. Default off. */
  age?: number;
  /**
   * The accuracy by `feedback` of the version in use fell: the upper bound of Wilson's 95 % interval is under the accuracy that it
   * had on held-out examples, less this much, at three looks one after the other. Default off.
   */
  accuracy?: number;
  /** Milliseconds between two trainings that were not asked for. Default 30,000. */
  coolDown?: number;
  /** Milliseconds that such a training may take. Default 2,000. */
  budget?: number;
}

/** A trigger that fired, and what came of it. */
export interface TriggerOutcome {
  trigger: Exclude<TrainingTrigger, "asked">;
  /** Milliseconds since 1970. */
  firedAt: number;
  /** In words, with the figures. */
  why: string;
  outcome: "waiting" | "training" | "trained" | "not_better" | "failed";
  /** That was trained. */
  version?: number;
  /** Why it failed. */
  code?: ErrorCode;
}

/** A trigger of one of a model's personal models, as the model's monitor tells it. */
export interface RetrainEvent extends TriggerOutcome {
  /** The personal model's name. */
  personal: string;
}

export interface PersonalizeOptions {
  triggers?: RetrainTriggers;
}

/** What an `import` took over. */
export interface ImportResult {
  /** Those that were new. */
  examples: number;
  /** Those that were new; they follow the ones that were here. */
  versions: number;
  /** Examples that were here already. */
  known: number;
  /** Examples of another model version that came without their inputs. */
  unusable: number;
}

/** A personal model as it stands. */
export interface PersonalState {
  name: string;
  /** Examples that can be trained on, by label. */
  labels: Record<string, number>;
  examples: number;
  /** Examples that were embedded by another version of the model, without their inputs: lost, unless that version comes back. */
  unusable: number;
  /** Of the examples, those that no training has seen. */
  fresh: number;
  /** Examples of another version of the model that the next training embeds again, since their inputs were kept. */
  again: number;
  /** In use; 0: none was trained. */
  version: number;
  /** Of the version in use, on held-out examples; undefined where there were none. */
  accuracy?: number;
  /** When the last version was trained, in milliseconds since 1970, whether it is used or not. */
  trainedAt?: number;
  /** Bytes of embeddings, kept inputs and versions. */
  bytes: number;
  /** Set when the browser keeps nothing, so that all is gone with the worker. */
  storeError?: InsituError;
}
