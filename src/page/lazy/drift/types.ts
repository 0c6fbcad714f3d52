// The public data of drift: events, the state of the detectors, and the statistics of inputs.

import type { ArmRole } from "../../../shared/types/rollout.js";

/** What a detector watches: the confidence of each prediction, or whether it was wrong, where feedback tells. */
export type DriftTarget = "confidence" | "error";

/** The detectors. `ddm` only warns: see the guide "Feedback and monitoring". */
export type DriftDetector = "page_hinkley" | "adwin" | "ddm";

/** The confidences or errors of a version have changed, in this browser. One event for a change. */
export interface DriftEvent {
  /** Name of the model. */
  model: string;
  version: string;
  arm: ArmRole;
  target: DriftTarget;
  /** Which one found it. */
  detector: Exclude<DriftDetector, "ddm">;
  /** When the change began, by the detector's estimate. Epoch milliseconds. */
  startedAt: number;
  /** Epoch milliseconds. */
  detectedAt: number;
  /** Values since the last change, or since the version first ran in this browser. At least 100. */
  n: number;
  /** Those of them after `startedAt`. */
  since: number;
  /** Mean confidence, or share of errors, before `startedAt`. */
  before: number;
  /** The same since then. */
  after: number;
  /** What the detector compared with `threshold`: the further above it, the surer. */
  statistic: number;
  threshold: number;
}

/** A version is less accurate than it should be. */
export interface DegradedEvent {
  /** Name of the model. */
  model: string;
  version: string;
  arm: ArmRole;
  /** `labels`: by feedback; `estimate`: by the confidences alone. */
  basis: "labels" | "estimate";
  accuracy: number;
  /** 95 % interval (Wilson) of the last 500 labels; three standard errors around an estimate. */
  interval: [low: number, high: number];
  /** Labels, or predictions of the estimate. At least 100. */
  n: number;
  /** What the upper end of `interval` is below: the baseline less the margin, or the floor. */
  limit: number;
  /** When it began, as far as is known: the last change that a detector found, else the oldest of the predictions. Epoch milliseconds. */
  startedAt: number;
  /** Epoch milliseconds. */
  detectedAt: number;
}

/** When a model counts as degraded. */
export interface MonitorLimits {
  /**
   * Accuracy that the model should have, 0 to 1.
   * @defaultValue `accuracy` or `heldOutAccuracy` of the manifest's `metrics`; without either, labels alone never count as degraded
   */
  baseline?: number;
  /**
   * How far below the baseline is tolerated, 0 to 1.
   * @defaultValue 0.05
   */
  margin?: number;
  /**
   * Accuracy that is estimated from the confidences must not be below it, 0 to 1.
   * @defaultValue the mean confidence of the manifest's `reference` less the margin; without one, none
   */
  floor?: number;
}

/** How far each detector is from a detection: 1 is one. */
export type DriftLevels = Partial<Record<DriftDetector, number>>;

/** The detectors of one target. */
export interface DriftTargetState {
  target: DriftTarget;
  /** Values since the last change, or since the version first ran in this browser. */
  n: number;
  /** Their mean: confidence, or share of errors. */
  mean?: number;
  levels: DriftLevels;
  /** Errors are more frequent than they were, by two standard deviations: an early sign, which is often false. */
  isWarning: boolean;
  /** The last change. */
  last?: DriftEvent;
}

/** A version in one arm; kept in this browser for 90 days after its last prediction. */
export interface DriftState {
  version: string;
  arm: ArmRole;
  targets: DriftTargetState[];
  /** What the version counts as degraded by. */
  degraded: DegradedEvent["basis"][];
}

/** Statistics of one feature of the inputs since the page was opened, of a sample of at most ten predictions a second. */
export interface InputFeatureState {
  /** `<input>.brightness`, `<input>.contrast`, `<input>.width`, `<input>.height`; `<input>.mean`, `<input>.spread`; or a column's name. */
  feature: string;
  /** Values, without those that are missing. */
  n: number;
  missing: number;
  mean?: number;
  /** Standard deviation. */
  spread?: number;
  min?: number;
  max?: number;
  /** Values in 20 bins of equal width from `from` to `to`; with a reference profile these are quantiles, from 0 to 1. */
  histogram: { from: number; to: number; counts: number[]; isQuantile: boolean };
}
