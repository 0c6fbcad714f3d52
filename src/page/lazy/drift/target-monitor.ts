// Watches the values of one target with all detectors, and decides which of their detections is told.

import { createAdwin } from "./adwin.js";
import { createDdm } from "./ddm.js";
import { createPageHinkley } from "./page-hinkley.js";
import type { DriftEvent, DriftTarget, DriftTargetState } from "./types.js";

/** What a detection says; whose it is, the caller knows. */
export type Finding = Omit<DriftEvent, "model" | "version" | "arm">;

type TimeOfValue = [index: number, time: number];

/** What is stored of a target: bounded, plain numbers. */
export interface StoredTarget {
  n: number;
  total: number;
  adwin: number[];
  pageHinkley: number[];
  ddm: number[];
  times: TimeOfValue[];
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
  let { n, total, last } = stored ?? { n: 0, total: 0, last: undefined };
  let clock = createClock(stored?.times);
  /** In the unit that is told. */
  const shown = (value: number) => (target === "error" ? value : 1 - value);

  const startOver = () => {
    for (const detector of [adwin, pageHinkley, ddm]) detector?.reset();
    n = 0;
    total = 0;
    clock = createClock();
  };

  return {
    update(value, time) {
      n += 1;
      total += value;
      clock.add(n, time);
      ddm?.update(value);
      const byAdwin = adwin.update(value);
      const found = byAdwin ?? pageHinkley.update(value);
      if (byAdwin) pageHinkley.update(value);
      if (!found || n < MIN_VALUES || Math.abs(found.after - found.before) < MIN_CHANGE) return undefined;
      const startedAt = clock.timeOf(n - found.since) ?? time;
      last = {
        ...found,
        target,
        detector: byAdwin ? "adwin" : "page_hinkley",
        startedAt,
        detectedAt: time,
        n,
        before: shown(found.before),
        after: shown(found.after),
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
      times: clock.times(),
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

/** When values came, to say when a change began: of at most 64 of them, evenly spaced. */
function createClock(stored: readonly TimeOfValue[] = []) {
  let times = [...stored];
  // The first was the first of all that are stored, the second tells how far apart they are.
  let step = times[1] ? times[1][0] - (times[0]?.[0] ?? 0) : 1;
  return {
    add(index: number, time: number) {
      if (index % step !== 0) return;
      times.push([index, time]);
      if (times.length <= MAX_TIMES) return;
      step *= 2;
      times = times.filter(([each]) => each % step === 0);
    },
    timeOf: (index: number): number | undefined => (times.filter(([each]) => each <= index).at(-1) ?? times[0])?.[1],
    times: () => times,
  };
}
