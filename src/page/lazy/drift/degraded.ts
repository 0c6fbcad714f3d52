// Decides whether a version is less accurate than it should be; pure.

import type { ReferenceProfile } from "../../../shared/types/manifest.js";
import type { MonitoredVersion } from "../monitor/types.js";
import type { DegradedEvent, MonitorLimits } from "./types.js";

export type Verdict = Pick<DegradedEvent, "accuracy" | "interval" | "n" | "limit">;

// Fewer are too few for an alarm.
const MIN_LABELLED = 100;
const MARGIN = 0.05;
// Standard errors around an estimate, as NannyML shows them.
const ERRORS = 3;

/** The limits that hold for a model: those of the caller, else what its manifest says. */
export function limitsOf(
  given: MonitorLimits,
  { metrics, reference }: { metrics?: Record<string, number>; reference?: ReferenceProfile },
): { labels?: number; estimate?: number } {
  const { baseline = metrics?.accuracy ?? metrics?.heldOutAccuracy, margin = MARGIN, floor } = given;
  const mean = reference?.confidence?.reduce((sum, share, bin) => sum + (share * (bin + 0.5)) / 20, 0);
  return {
    labels: baseline === undefined ? undefined : baseline - margin,
    estimate: floor ?? (mean === undefined ? undefined : mean - margin),
  };
}

/**
 * By feedback: the upper end of Wilson's interval is below the limit. `undefined`: nothing can be said. `isOver`: the accuracy itself is at
 * the limit or above, so that what was degraded is no more; between the two nothing changes.
 */
export function judgeLabels({ last500 }: MonitoredVersion, limit?: number): (Verdict & Judgement) | undefined {
  const { labelled: n, accuracy, interval } = last500;
  if (limit === undefined || accuracy === undefined || n < MIN_LABELLED) return undefined;
  return { accuracy, interval, n, limit, isBelow: interval[1] < limit, isOver: accuracy >= limit };
}

/** By the confidences alone: the estimate and its error are below the floor. */
export function judgeEstimate({ estimate }: MonitoredVersion, limit?: number): (Verdict & Judgement) | undefined {
  if (limit === undefined || !estimate || estimate.n < MIN_LABELLED) return undefined;
  const { accuracy, standardError, n } = estimate;
  const reach = ERRORS * standardError;
  const interval: [number, number] = [Math.max(0, accuracy - reach), Math.min(1, accuracy + reach)];
  return { accuracy, interval, n, limit, isBelow: accuracy + reach < limit, isOver: accuracy >= limit };
}

interface Judgement {
  isBelow: boolean;
  isOver: boolean;
}
