// What decisions and drift are made from: the subjects, the counts that each holds, and how much one sender may add to each in a day.

/** Buckets of `ml.inference.duration`. */
export const DURATION_BUCKETS = 15;
/** Places in the counts of `runs`, after the buckets. */
export const FAILED = 15;
export const SECONDS_SUM = DURATION_BUCKETS + 1;
/** Bins of shares and of quantiles, and classes of a model. */
export const BINS = 20;
export const MAX_CLASSES = 100;

export interface Subject {
  /** Numbers that a cell holds. */
  size: number;
  /** How many of them count values; the others are sums. */
  counted: number;
  /**
   * Values of one sender in one day, model, version and arm that count. A sender who reports more is thinned evenly: it cannot move a decision,
   * and its own values resemble each other, so that little is lost.
   */
  cap: number;
  /** Whether the products of all counts are kept (a variance of any mean), or of each with itself and the sum only. */
  products: "all" | "own";
}

export const SUBJECTS = {
  /** Correct and incorrect outcomes. Detail: epsilon. */
  outcomes: { size: 2, counted: 2, cap: 50, products: "all" },
  /** Predictions by duration, failed ones, and the sum of seconds. */
  runs: { size: SECONDS_SUM + 1, counted: FAILED + 1, cap: 200, products: "all" },
  /** A shadow's comparisons: agree, disagree, failed. */
  shadow: { size: 3, counted: 3, cap: 50, products: "all" },
  /** Inputs by the quantile that they have in the reference profile. Detail: feature. */
  inputs: { size: BINS, counted: BINS, cap: 100, products: "own" },
  /** Values that are there and that are missing. Detail: feature. */
  missing: { size: 2, counted: 2, cap: 100, products: "own" },
  /** Predictions by confidence. */
  confidence: { size: BINS, counted: BINS, cap: 100, products: "own" },
  /** Predictions by class. Detail: epsilon. */
  classes: { size: MAX_CLASSES, counted: MAX_CLASSES, cap: 100, products: "own" },
} as const satisfies Record<string, Subject>;

export type SubjectName = keyof typeof SUBJECTS;

/** One place where counts are added up. */
export interface Cell {
  model: string;
  version: string;
  arm: string;
  subject: SubjectName;
  /** A feature, or the epsilon of randomised values; else empty. */
  detail: string;
  /** Sent with a trusted key. */
  trusted: boolean;
}

export const cellKey = ({ model, version, arm, subject, detail, trusted }: Cell): string =>
  JSON.stringify([model, version, arm, subject, detail, trusted]);
