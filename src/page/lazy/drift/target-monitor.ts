// Watches the values of one target with all detectors, and decides which of their detections is told.

import { createAdwin } from "./adwin.js";
import { createDdm } from "./ddm.js";
import { createPageHinkley } from "./page-hinkley.js";
import type { DriftEvent, DriftTarget, DriftTargetState } from "./types.js";

/** What a detection says; whose it is, the caller knows. */
export type Finding = Omit<DriftEvent, "model" | "version" | "arm">;

/** What is stored of a target: bounded, plain numbers. */
export interface StoredTarget {
  n: number;
  total: number;
  adwin: number[];
  pageHinkley: number[];
  ddm: number[];
  times: [index: number, time: number][];
  step: number;
  last?: Finding;
}

// With fewer values nothing is told.
const MIN_VALUES = 100;
// With enough values any change is significant; a smaller one matters to nobody.
const MIN_CHANGE = 0.02;
// To say when a change began.
const MAX_TIMES = 64;

export interface TargetMonitor {
  /** `value` is 1 less the confidence, or 1 for an error. Returns the change that it shows, once for each change. */
  update(value: number, time: number): Finding | undefined;
  stored(): StoredTarget;
  state(): Omit<DriftTargetState, "last"> & { last?: Finding };
}

/**
 * ADWIN and Page-Hinkley raise the alarm; the drift detection method only warns, since in 8 to 60 of 100 quiet runs of 1,000 values it
 * detects something (docs/decisions/018-drift.md). After an alarm all of them start again, so that a change is told once.
 */
export function createTargetMonitor(target: DriftTarget, stored?: StoredTarget): TargetMonitor {
  const adwin = createAdwin({}, stored?.adwin);
  const pageHinkley = createPageHinkley({}, stored?.pageHinkley);
  const ddm = target === "error" ? createDdm({}, stored?.ddm) : undefined;
  let { n, total, step, last } = stored ?? { n: 0, total: 0, step: 1, last: undefined };
  let times = stored?.times.slice() ?? [];
  /** In the unit that is told. */
  const shown = (value: number) => (target === "error" ? value : 1 - value);

  const remember = (time: number) => {
    if (n % step !== 0) return;
    times.push([n, time]);
    if (times.length <= MAX_TIMES) return;
    step *= 2;
    times = times.filter(([index]) => index % step === 0);
  };
  const startOver = () => {
    for (const detector of [adwin, pageHinkley, ddm]) detector?.reset();
    n = 0;
    total = 0;
    step = 1;
    times = [];
  };

  return {
    update(value, time) {
      n += 1;
      total += value;
      remember(time);
      ddm?.update(value);
      const byAdwin = adwin.update(value);
      const found = byAdwin ?? pageHinkley.update(value);
      if (byAdwin) pageHinkley.update(value);
      if (!found || n < MIN_VALUES || Math.abs(found.after - found.before) < MIN_CHANGE) return undefined;
      const { statistic, threshold, since } = found;
      const at = times.findLast(([index]) => index <= n - since) ?? times[0];
      last = {
        target,
        detector: byAdwin ? "adwin" : "page_hinkley",
        startedAt: at?.[1] ?? time,
        detectedAt: time,
        n,
        since,
        before: shown(found.before),
        after: shown(found.after),
        statistic,
        threshold,
      };
      startOver();
      return last;
    },
    stored: () => ({
      n,
      total,
      adwin: adwin.state(),
      pageHinkley: pageHinkley.state(),
      ddm: ddm?.state() ?? [],
      times,
      step,
      last,
    }),
    state: () => ({
      target,
      n,
      mean: n > 0 ? shown(total / n) : undefined,
      levels: {
        adwin: adwin.level(),
        page_hinkley: pageHinkley.level(),
        ...(ddm && { ddm: ddm.level() }),
      },
      isWarning: ddm?.isWarning() ?? false,
      last,
    }),
  };
}
