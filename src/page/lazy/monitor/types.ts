// The plain data that monitoring hands out, and what it is told of the truth.

import type { RetrainEvent } from "../../../shared/types/personal.js";

/** The truth of a prediction: its label or class, or only whether, or how far, it was right. */
export type Feedback =
  /** One of `model.info.labels`. */
  | { label: string }
  /** Index of the class. */
  | { class: number }
  | { correct: boolean }
  /** 0, wholly wrong, to 1, wholly right; from 0.5 on it counts as right. */
  | { score: number };

/** `counted`: new. `corrected`: it replaces an earlier one for the prediction. `repeated`: nothing changed. `unmatched`: there is no such prediction any more. */
export type FeedbackResult = "counted" | "corrected" | "repeated" | "unmatched";

export interface MonitorWindow {
  /** Predictions whose truth is known. */
  labelled: number;
  correct: number;
  /** `correct / labelled`; undefined of none. */
  accuracy?: number;
  /** Wilson's 95 % interval of the accuracy. */
  interval: [low: number, high: number];
  /** False under 100: too few to be judged by. */
  enough: boolean;
}

/** How often a class was taken for another, or itself. */
export interface ConfusionCount {
  /** Indices of classes. */
  truth: number;
  predicted: number;
  count: number;
}

/** A version in one arm of a rollout, judged by at most the last 1,000 predictions of the last 7 days in this browser. */
export interface MonitoredVersion extends MonitorWindow {
  version: string;
  arm: string;
  /** With or without a truth. */
  predictions: number;
  /** Of the last 500 whose truth is known. */
  last500: MonitorWindow;
  /** Of those of the last 24 hours. */
  lastDay: MonitorWindow;
  /** Where classes are known; the most frequent first. */
  confusion: ConfusionCount[];
  /** Mean squared error of the confidence; undefined without a truth, as the next three. */
  brier?: number;
  /** Nats. */
  logLoss?: number;
  /** Expected and largest calibration error over ten bins. */
  ece?: number;
  mce?: number;
  /** What the accuracy should be by the confidences alone, where there are any: no truth is needed, but calibrated confidences. */
  estimate?: { accuracy: number; standardError: number; n: number };
}

export interface MonitorSnapshot {
  model: string;
  /** Which triggers of its personal models fired since the page opened, and why; the oldest first. */
  retrain: RetrainEvent[];
  versions: MonitoredVersion[];
  /** Feedback for predictions that are not known any more, since the page opened. */
  unmatched: number;
  /** Feedback that replaced an earlier one, since the page opened. */
  corrected: number;
}
