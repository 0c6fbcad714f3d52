// Predicts a share of the inputs a second time by the shadow version, while nothing else runs, and compares the results.

import type { TaskKind } from "../../../shared/types/manifest.js";
import type { ModelRef, Prediction } from "../../../shared/types/model.js";
import type { ShadowCounts } from "../rollout/types.js";
import { compareValues } from "./agreement.js";
import type { DeviceConditions } from "./device-conditions.js";
import { createIdleWait } from "./idle-wait.js";

/** The shadow version, loaded. `I` is a copied input. */
export interface ShadowModel<I> {
  ref: ModelRef;
  task: TaskKind;
  /** Uses the copy up. `workMs`: the time of its own work. */
  predict(copy: I): Promise<{ value: Prediction["value"]; workMs: number }>;
  dispose(): Promise<void>;
}

export interface ComparisonDeps<I> {
  /** Share of the inputs that are predicted a second time, over 0 to 1. */
  share: number;
  /** Loads the shadow version. Called while nothing else runs. */
  open(signal: AbortSignal): Promise<ShadowModel<I>>;
  /** True while any prediction of the page runs or waits. */
  isBusy(): boolean;
  conditions: DeviceConditions;
  /** Frees a copy that is not used. */
  free(copy: I): void;
  record(comparison: ShadowComparison): void;
  random?: () => number;
}

/** One input that both versions predicted. */
export interface ShadowComparison {
  /** The shadow version. */
  model: ModelRef;
  result: "agree" | "disagree" | "failed";
  /** Absolute difference of the confidences; for classification and detection. */
  difference?: number;
  /** The shadow's time over the main version's. */
  slowdown?: number;
}

/** The end of the main version's prediction: undefined where it failed. */
export type OnMainResult = (main: { value: Prediction["value"]; task: TaskKind; workMs: number } | undefined) => void;

export interface Comparisons<I> {
  counts(): ShadowCounts;
  /**
   * A prediction of the main version begins. Where its input is chosen it is copied by `copy`, called at once, before the caller can change it,
   * and the returned function must be called at the prediction's end.
   */
  started(copy: () => Promise<I>): OnMainResult | undefined;
  /** The main version's prediction has ended; a shadow that is not loaded yet is, once the page is idle. */
  ended(): void;
  /** Ends for good, and says why: the device has no memory for two, say. */
  giveUp(problem: string): void;
  dispose(): void;
}

const MAX_FAILURES = 5;
// A copied video frame is one of the few that its decoder has.
const MAX_WAIT_MS = 10_000;
/**
 * The crash sentinel notes for a second after a prediction which version ran. A shadow that is new starts later: if it crashes the page, that
 * is not taken for the main version's fault.
 */
const QUIET_MS = 1_200;
const PROVED_AFTER = 3;

export function createComparisons<I>(deps: ComparisonDeps<I>): Comparisons<I> {
  const { share, conditions, isBusy, free, random = Math.random } = deps;
  const counts: ShadowCounts = { status: "waiting", agreed: 0, disagreed: 0, failed: 0, dropped: 0 };
  const end = new AbortController();
  const idle = createIdleWait(() => isBusy() || conditions.problem() !== undefined, end.signal);
  let model: ShadowModel<I> | undefined;
  let failuresInRow = 0;
  /** An input waits or is being predicted: there is never a second one. */
  let hasInput = false;

  const change = (changes: Partial<ShadowCounts>) => void Object.assign(counts, changes);
  const stop = (problem: string) => {
    if (end.signal.aborted) return;
    end.abort();
    void model?.dispose().catch(() => undefined);
    model = undefined;
    change({ status: "off", problem });
  };

  const quiet = () => (counts.agreed + counts.disagreed < PROVED_AFTER ? QUIET_MS : 0);

  const load = async () => {
    change({ status: "loading" });
    try {
      const opened = await deps.open(end.signal);
      // Given up meanwhile.
      if (end.signal.aborted) return void opened.dispose().catch(() => undefined);
      model = opened;
      change({ status: "on" });
    } catch (error) {
      stop(`it could not be loaded: ${error instanceof Error ? error.message : String(error)}`);
    }
  };

  /** A failure says so in the counts and the records, and nowhere else. */
  const compare = async (copy: I, main: NonNullable<Parameters<OnMainResult>[0]>, by: ShadowModel<I>) => {
    try {
      const { value, workMs } = await by.predict(copy);
      if (end.signal.aborted) return;
      failuresInRow = 0;
      const { agrees, difference } = compareValues(main.task, main.value, value, by.task);
      const slowdown = main.workMs > 0 ? workMs / main.workMs : undefined;
      deps.record({ model: by.ref, result: agrees ? "agree" : "disagree", difference, slowdown });
      change(agrees ? { agreed: counts.agreed + 1 } : { disagreed: counts.disagreed + 1 });
    } catch (error) {
      if (end.signal.aborted) return;
      deps.record({ model: by.ref, result: "failed" });
      failuresInRow += 1;
      change({ failed: counts.failed + 1 });
      if (failuresInRow < MAX_FAILURES) return;
      const detail = error instanceof Error ? error.message : String(error);
      stop(`${failuresInRow} predictions in a row failed, the last one: ${detail}`);
    }
  };

  const follow = async (copied: Promise<I>, main: Parameters<OnMainResult>[0]) => {
    try {
      const copy = await copied;
      const isIdle = main !== undefined && (await idle.wait(MAX_WAIT_MS, quiet()));
      if (isIdle && model) return await compare(copy, main, model);
      free(copy);
      if (main) change({ dropped: counts.dropped + 1 });
    } catch {
      // What could not be copied could not be predicted either.
    } finally {
      hasInput = false;
    }
  };

  return {
    counts: () => ({ ...counts }),
    started(copy) {
      if (!model || hasInput || random() >= share || conditions.problem() !== undefined) return undefined;
      hasInput = true;
      const copied = copy();
      // It is awaited at the end of the prediction.
      copied.catch(() => undefined);
      return (main) => void follow(copied, main);
    },
    ended() {
      idle.touch();
      if (counts.status !== "waiting") return;
      counts.status = "loading";
      // A page that never rests is asked again by its next prediction.
      void idle.wait(MAX_WAIT_MS, quiet()).then((isIdle) => {
        if (isIdle) return load();
        counts.status = end.signal.aborted ? "off" : "waiting";
      });
    },
    giveUp: stop,
    dispose() {
      if (counts.status !== "off") stop("the model was disposed");
    },
  };
}
