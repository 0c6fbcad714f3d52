// The response of `GET /v1/rollouts/:model`.

export type Action = "hold" | "promote" | "rollback";

export type Reason =
  | "accuracy"
  | "errors"
  | "latency"
  | "better"
  | "not_worse"
  | "not_enough"
  | "untrusted"
  | "no_candidate";

/** `worse`, `better` and `equivalent` (within the margin) are proved, whenever one looks; else `unknown`. */
export type Verdict = "worse" | "better" | "equivalent" | "unknown";

/** A share, or of latency the median in seconds, with its 95 % interval. */
export interface Value {
  n: number;
  value: number;
  low: number;
  high: number;
}

export interface Evidence {
  metric: "accuracy" | "errors" | "latency" | "shadow_agreement";
  /** From requests with a trusted key; of what pages report only the rest is known. */
  trusted: boolean;
  control: Value;
  candidate: Value;
  /** The candidate's share minus the control's; of latency the ratio of means minus 1. */
  difference: number;
  /** Bounds that hold at every look: the lower one is below `low` with probability `alpha` at most, and the upper one likewise. */
  low: number;
  high: number;
  /** Of "the candidate is not worse", valid at every look. */
  p: number;
  /** The candidate counts as worse below it. */
  alpha: number;
  verdict: Verdict;
  /** What is still needed for a verdict, each figure with its need; empty when there is one. */
  missing: string[];
}

export interface VersionRef {
  version: string;
  arm: string;
  /** Predictions that were counted. */
  n: number;
}

/** What the evidence says, without its history. */
export interface Judgement {
  action: Action;
  reason: Reason;
  /** Of `not_enough` and `untrusted`: which figure is how far from what a promotion needs. */
  missing: string[];
  evidence: Evidence[];
}

export interface Decision extends Judgement {
  model: string;
  /** Epoch milliseconds. */
  at: number;
  /** From when on data count: since both versions run. */
  since: number | null;
  control: VersionRef;
  candidate: VersionRef | null;
  /** Oldest first: each change, and the evidence whenever it had grown by a fifth. */
  history: HistoryEntry[];
}

export interface HistoryEntry {
  at: number;
  action: Action;
  reason: Reason;
  control: string;
  candidate: string;
  evidence: Pick<Evidence, "metric" | "trusted" | "difference" | "low" | "high" | "verdict">[];
}
