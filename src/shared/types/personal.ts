// The plain data of personal models: examples, versions, predictions, triggers, and what is stored of models and rankers.
import type { ErrorCode, InsituError } from "../errors.js";
import type { ModelRef, Prediction, PredictionTimings } from "./model.js";
import type { Backend } from "./tensor.js";

/**
 * What started a training: `asked` is a call of `train`, `update` a new release of the base model, the others are the triggers of
 * {@link RetrainTriggers}.
 */
export type TrainingTrigger = "asked" | "age" | "accuracy" | "examples" | "update";

/**
 * How classes are told apart. `nearest-mean`: by the class mean with the smallest cosine distance (Snell et al. 2017, "Prototypical Networks
 * for Few-shot Learning", arXiv 1703.05175). `softmax`: by multinomial logistic regression on the embeddings.
 */
export type HeadKind = "nearest-mean" | "softmax";

/** One labelled example of a personal model. */
export interface PersonalExample {
  /** 128 random bits in hexadecimal. */
  id: string;
  label: string;
  /** When it was added, in epoch milliseconds. */
  addedAt: number;
  /** True when the input is stored beside its embedding. */
  kept: boolean;
  /** True when it is never trained on: versions are evaluated on it. Every fourth example of a class is held out. */
  heldOut: boolean;
  /** False when another release of the base model made the embedding, and the input was not kept to compute it again. */
  usable: boolean;
}

export interface AddExampleOptions {
  /**
   * Stores the input too, so that the example survives an update of the base model and can be shown. Without it only the embedding is
   * stored.
   * @defaultValue false
   */
  keep?: boolean;
  /** Aborting rejects the call with code `aborted`. An example that is already stored stays. */
  signal?: AbortSignal;
  /**
   * Time limit in milliseconds.
   * @defaultValue 60_000
   */
  timeout?: number;
}

/** The example that `addExample` stored, and how long that took. */
export interface AddedExample extends PersonalExample {
  /** The backend that computed the embedding. */
  backend: Backend;
  timings: PredictionTimings;
}

export interface TrainOptions {
  onProgress?: (progress: TrainingProgress) => void;
  /** Aborting rejects the call with code `aborted`; examples and versions stay as they were. */
  signal?: AbortSignal;
  /**
   * Time for the training itself, in milliseconds; the best weights by then are taken.
   * @defaultValue 10_000
   */
  budget?: number;
}

/** Progress of a training. Inputs that were kept are embedded again only after an update of the base model. */
export interface TrainingProgress {
  phase: "embed" | "train" | "judge" | "store";
  /** Examples that were embedded, or steps of the softmax layer. */
  done: number;
  /** The most that `done` can become. */
  total: number;
  /** Cross-entropy in nats of the softmax layer, on the samples that stop the training early; undefined where there are none. */
  loss?: number;
}

/** Accuracy of a head on examples that it was not trained on. */
export interface HeadAccuracy {
  /** Number of examples. */
  examples: number;
  /** Number of examples that were classified correctly. */
  correct: number;
  /** `correct / examples`, from 0 to 1; undefined without examples. */
  accuracy?: number;
  /** Wilson's 95 % interval of the accuracy (Wilson 1927). */
  interval: [low: number, high: number];
}

/** The result of one training. A version never changes. */
export interface PersonalVersion {
  /** Counts up from 1. */
  version: number;
  /** The version in use when this one was trained; undefined for the first. */
  parent?: number;
  /** In epoch milliseconds. */
  trainedAt: number;
  trigger: TrainingTrigger;
  /** The head that was chosen. */
  head: HeadKind;
  labels: string[];
  /** Number of examples by label that it was trained on, and that were held out. */
  counts: Record<string, { trained: number; heldOut: number }>;
  /** Accuracy of each head that was trained, on the held-out examples; the one that was chosen is `head`. */
  judged: Partial<Record<HeadKind, HeadAccuracy>>;
  /** Accuracy of the version that was in use before, on the same examples. */
  before?: HeadAccuracy;
  /** False when it was worse than `before`, and the version before stayed in use. */
  activated: boolean;
  /** In words: why this head was chosen, and why the version is used or not. */
  reason: string;
  /** The base model that computed the embeddings. */
  base: ModelRef;
  /** False when it was trained on another base model's embeddings, so that the loaded model cannot use it. */
  usable: boolean;
  /** How long the training took, in milliseconds. */
  durationMs: number;
  backend: Backend;
}

/**
 * A {@link Prediction} of the user's own classes. `value` has all classes, the most likely first; `outputs` has the embedding, as
 * `outputs.embedding` of shape `[1, size]`, since only that part of the base model runs; `model` is the base model.
 */
export interface PersonalPrediction extends Prediction<"classification"> {
  /** The most likely class; undefined when `distance` is over 1. */
  label: string | undefined;
  /**
   * Cosine distance to the nearest class mean, divided by that class's novelty threshold: over 1 the input is reported as unknown. The
   * threshold is the upper end of a one-sided 95 % prediction interval over the distances of the class's own examples (Hahn & Meeker 1991,
   * section 4.3). 0 while no class has three examples.
   */
  distance: number;
  head: HeadKind;
  /** The version that answered; 0 before the first training: nearest class means of all examples. */
  version: number;
}

/** How a version does on the held-out examples. */
export interface PersonalEvaluation extends HeadAccuracy {
  version: number;
  labels: string[];
  /** How often an example of the class `truth` was predicted as `predicted`; both are indices into `labels`. */
  confusion: { truth: number; predicted: number; count: number }[];
  /** Held-out examples that were reported as unknown; they count as wrong. */
  unknown: number;
}

/** When to train without a call of `train`. A trigger without a value is off. */
export interface RetrainTriggers {
  /** Number of new examples since the last training. */
  examples?: number;
  /** Milliseconds since the last training; fires only when there are new examples. */
  age?: number;
  /**
   * Drop in accuracy, from 0 to 1. Fires when the upper bound of Wilson's 95 % interval of the accuracy by `feedback` is under the accuracy on
   * held-out examples less this value, at three checks in a row that each had new feedback.
   */
  accuracy?: number;
  /**
   * Minimum milliseconds between two trainings that triggers start.
   * @defaultValue 30_000
   */
  coolDown?: number;
  /**
   * Time for such a training, in milliseconds.
   * @defaultValue 2_000
   */
  budget?: number;
}

/** A trigger that fired, and the training that it started. */
export interface TriggerOutcome {
  trigger: Exclude<TrainingTrigger, "asked">;
  /** In epoch milliseconds. */
  firedAt: number;
  /** In words, with the figures. */
  why: string;
  /** `waiting` until the page is idle; `not_better`: a version was trained and is not used. */
  outcome: "waiting" | "training" | "trained" | "not_better" | "failed";
  /** The version that was trained. */
  version?: number;
  /** Why the training failed. */
  code?: ErrorCode;
}

/** `detail` of the `retrain` event of a model's monitor. */
export interface RetrainEvent extends TriggerOutcome {
  /** The personal model's name. */
  personal: string;
}

export interface PersonalizeOptions {
  /** When to train without a call of `train`; default: never. */
  triggers?: RetrainTriggers;
}

/** What an import of a personal model added. */
export interface ImportResult {
  /** Number of examples that were new. */
  examples: number;
  /** Number of versions that were new; they are numbered after the existing ones. */
  versions: number;
  /** Number of examples in the file that existed already. */
  known: number;
  /** Number of examples of another release of the base model, without their inputs: they cannot be used. */
  unusable: number;
}

/** The current state of a personal model. */
export interface PersonalState {
  name: string;
  /** Number of examples that can be trained on, by label. */
  labels: Record<string, number>;
  /** Number of examples that can be trained on. */
  examples: number;
  /** Examples of another release of the base model, without their inputs: lost, unless that release is loaded again. */
  unusable: number;
  /** Examples that no training has used yet; part of `examples`. */
  fresh: number;
  /** Examples of another release of the base model that the next training embeds again, since their inputs were kept. */
  again: number;
  /** The version in use; 0 before the first training. */
  version: number;
  /** Accuracy of the version in use on held-out examples; undefined where there were none. */
  accuracy?: number;
  /** When the last version was trained, whether it is used or not, in epoch milliseconds; undefined before the first training. */
  trainedAt?: number;
  /** Bytes of embeddings, kept inputs and versions. */
  bytes: number;
  /** Set when the browser stores nothing, so that everything is lost when the worker ends. */
  storeError?: InsituError;
}

/** A personal model or ranker that is stored in this browser, as `client.personal.list()` returns it. */
export type StoredPersonalModel = StoredClassifier | StoredRanker;

/** A stored personal model with classes. */
export interface StoredClassifier {
  kind: "classifier";
  /** Name of the base model. */
  model: string;
  name: string;
  /** Number of examples. */
  examples: number;
  /** Number of versions. */
  versions: number;
  /** Bytes of its encrypted rows. */
  bytes: number;
}

/** A stored ranker. */
export interface StoredRanker {
  kind: "ranker";
  /** Name of the base model. */
  model: string;
  name: string;
  /** Number of events. */
  events: number;
  /** Bytes of its events as JSON; the browser may use more or less. */
  bytes: number;
}
