// Predicts a share of the inputs a second time by the shadow version, while nothing else runs, and compares the results.

import type { TaskKind } from "../../../shared/types/manifest.js";
import type { ModelRef, Prediction } from "../../../shared/types/model.js";
import type { ShadowCounts } from "../rollout/types.js";
import { compareValues } from "./agreement.js";
import type { DeviceConditions } from "./device-conditions.js";
import { createIdleWait, type IdleWait } from "./idle-wait.js";

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

const MAX_FAILURES = 5;
// A copied video frame is one of the few that its decoder has.
const MAX_WAIT_MS = 10_000;
/**
 * The crash sentinel notes for a second after a prediction which version ran. A shadow that is new starts later: if it crashes the page, that
 * is not taken for the main version's fault.
 */
const QUIET_MS = 1_200;
const PROVED_AFTER = 3;

export class Comparisons<I> {
  readonly #deps: ComparisonDeps<I>;
  readonly #counts: ShadowCounts = { status: "waiting", agreed: 0, disagreed: 0, failed: 0, dropped: 0 };
  readonly #end = new AbortController();
  readonly #idle: IdleWait;
  #model: ShadowModel<I> | undefined;
  #failuresInRow = 0;
  /** An input waits or is being predicted: there is never a second one. */
  #hasInput = false;

  constructor(deps: ComparisonDeps<I>) {
    this.#deps = deps;
    const isBusy = () => deps.isBusy() || deps.conditions.problem() !== undefined;
    this.#idle = createIdleWait(isBusy, this.#end.signal);
  }

  counts(): ShadowCounts {
    return { ...this.#counts };
  }

  /**
   * A prediction of the main version begins. Where its input is chosen it is copied by `copy`, called at once, before the caller can change it,
   * and the returned function must be called at the prediction's end.
   */
  started(copy: () => Promise<I>): OnMainResult | undefined {
    const { share, conditions, random = Math.random } = this.#deps;
    if (!this.#model || this.#hasInput || random() >= share || conditions.problem() !== undefined) return undefined;
    this.#hasInput = true;
    const copied = copy();
    // It is awaited at the end of the prediction.
    copied.catch(() => undefined);
    return (main) => void this.#follow(copied, main);
  }

  /** The main version's prediction has ended; a shadow that is not loaded yet is, once the page is idle. */
  ended(): void {
    const counts = this.#counts;
    this.#idle.touch();
    if (counts.status !== "waiting") return;
    counts.status = "loading";
    // A page that never rests is asked again by its next prediction.
    void this.#idle.wait(MAX_WAIT_MS, this.#quietMs()).then((isIdle) => {
      if (isIdle) return this.#load();
      if (!this.#end.signal.aborted) counts.status = "waiting";
    });
  }

  /** Ends for good, and says why: the device has no memory for two, say. */
  giveUp(problem: string): void {
    if (this.#end.signal.aborted) return;
    this.#end.abort();
    void this.#model?.dispose().catch(() => undefined);
    this.#model = undefined;
    Object.assign(this.#counts, { status: "off", problem });
  }

  dispose(): void {
    this.giveUp("the model was disposed");
  }

  #quietMs(): number {
    return this.#counts.agreed + this.#counts.disagreed < PROVED_AFTER ? QUIET_MS : 0;
  }

  async #load(): Promise<void> {
    const { signal } = this.#end;
    try {
      const opened = await this.#deps.open(signal);
      // Given up meanwhile.
      if (signal.aborted) return void opened.dispose().catch(() => undefined);
      this.#model = opened;
      this.#counts.status = "on";
    } catch (error) {
      this.giveUp(`it could not be loaded: ${messageOf(error)}`);
    }
  }

  async #follow(copied: Promise<I>, main: Parameters<OnMainResult>[0]): Promise<void> {
    try {
      const copy = await copied;
      const isIdle = main !== undefined && (await this.#idle.wait(MAX_WAIT_MS, this.#quietMs()));
      if (isIdle && this.#model) return await this.#compare(copy, main, this.#model);
      this.#deps.free(copy);
      if (main) this.#counts.dropped += 1;
    } catch {
      // What could not be copied could not be predicted either.
    } finally {
      this.#hasInput = false;
    }
  }

  /** A failure says so in the counts and the records, and nowhere else. */
  async #compare(copy: I, main: NonNullable<Parameters<OnMainResult>[0]>, by: ShadowModel<I>): Promise<void> {
    const counts = this.#counts;
    try {
      const { value, workMs } = await by.predict(copy);
      if (this.#end.signal.aborted) return;
      this.#failuresInRow = 0;
      const { agrees, difference } = compareValues(main.task, main.value, value, by.task);
      const slowdown = main.workMs > 0 ? workMs / main.workMs : undefined;
      this.#deps.record({ model: by.ref, result: agrees ? "agree" : "disagree", difference, slowdown });
      counts[agrees ? "agreed" : "disagreed"] += 1;
    } catch (error) {
      if (this.#end.signal.aborted) return;
      this.#deps.record({ model: by.ref, result: "failed" });
      counts.failed += 1;
      this.#failuresInRow += 1;
      if (this.#failuresInRow < MAX_FAILURES) return;
      this.giveUp(`${this.#failuresInRow} predictions in a row failed, the last one: ${messageOf(error)}`);
    }
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
