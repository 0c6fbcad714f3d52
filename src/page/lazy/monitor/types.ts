// The public data of monitoring: feedback in, accuracy and calibration out.

import type { RetrainEvent } from "../../../shared/types/personal.js";
import type { DriftState, InputFeatureState } from "../drift/types.js";

/**
 * The truth of a prediction: its label or class, or only whether or how far it was right.
 *
 * @example
 * ```ts
 * await model.feedback(prediction.id, { label: "cat" });
 * await model.feedback(prediction.id, { correct: false });
 * ```
 */
export type Feedback =
  /** One of `model.info.labels`. */
  | { label: string }
  /** Index of the class. */
  | { class: number }
  | { correct: boolean }
  /** 0 (wrong) to 1 (right); from 0.5 on it counts as right. */
  | { score: number };

/**
 * `counted`: the truth is new. `corrected`: it replaces an earlier one of the same prediction. `repeated`: it was known already. `unmatched`:
 * the prediction is unknown or too old.
 */
export type FeedbackResult = "counted" | "corrected" | "repeated" | "unmatched";

/** Accuracy over some predictions. */
export interface MonitorWindow {
  /** Predictions whose truth is known. */
  labelled: number;
  correct: number;
  /** `correct / labelled`; undefined when `labelled` is 0. */
  accuracy?: number;
  /** 95 % confidence interval of the accuracy (Wilson 1927). */
  interval: [low: number, high: number];
  /** False when `labelled` is below 100: too few for a conclusion. */
  enough: boolean;
}

/** One cell of a confusion matrix. */
export interface ConfusionCount {
  /** Index of the true class. */
  truth: number;
  /** Index of the predicted class. */
  predicted: number;
  count: number;
}

/** A version in one arm of a rollout, over at most the last 1,000 predictions of the last 7 days in this browser. */
export interface MonitoredVersion extends MonitorWindow {
  version: string;
  arm: string;
  /** All predictions, with and without a truth. */
  predictions: number;
  /** When the oldest of them was made, epoch milliseconds. */
  startedAt: number;
  /** The last 500 predictions whose truth is known. */
  last500: MonitorWindow;
  /** The predictions of the last 24 hours whose truth is known. */
  lastDay: MonitorWindow;
  /** Where the true classes are known; the most frequent first. */
  confusion: ConfusionCount[];
  /** Brier score: mean squared error of the confidence. Undefined when no truth is known, like the next three. */
  brier?: number;
  /** Mean negative log-likelihood in nats. */
  logLoss?: number;
  /** Expected calibration error over ten bins. */
  ece?: number;
  /** Largest calibration error of ten bins. */
  mce?: number;
  /**
   * Estimated accuracy from the confidences alone, for tasks with classes: it needs no truths, but calibrated confidences. `n` is the number
   * of predictions.
   */
  estimate?: { accuracy: number; standardError: number; n: number };
}

/** What `model.monitor.snapshot()` returns. */
export interface MonitorSnapshot {
  /** Name of the model. */
  model: string;
  /** Triggers of its personal models that fired since the page was opened, and why; the oldest first. At most 50. */
  retrain: RetrainEvent[];
  versions: MonitoredVersion[];
  /** What the detectors of drift have seen, by version and arm. It is up to a second old. */
  drift: DriftState[];
  /** Statistics of the inputs since the page was opened. */
  inputs: InputFeatureState[];
  /** Feedback since the page was opened for predictions that are unknown or too old. */
  unmatched: number;
  /** Feedback since the page was opened that replaced an earlier one. */
  corrected: number;
}
