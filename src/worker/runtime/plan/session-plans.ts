// The plans of one session: which shapes get one, how it is recorded and checked piece by piece, and which are kept.
import type { PlanInfo } from "../../../shared/types/model.js";
import type { TensorData } from "../../../shared/types/tensor.js";
import { mulberry32 } from "../../package/seeded-noise.js";
import type { SelfTest } from "../../package/self-test-files.js";
import type { Plans } from "../session/engine.js";
import { isTrap } from "../session/run-errors.js";
import {
  type Execute,
  type Feeds,
  type InputRange,
  isSame,
  noiseLike,
  rangesOf,
  runTfjs,
  tensorsOf,
  widened,
} from "./check-runs.js";
import type { KeptPlans } from "./kept-plans.js";
import type { PlanMaker, RecordedRun, ReplayPlan } from "./plan-maker.js";
import { isOutOfTable, NoPlanError, type Part } from "./steps.js";
import { keyOfFeeds } from "./stored-plan.js";

export interface SessionPlansDeps {
  /** Of the session's backend. */
  make: PlanMaker;
  /** How tfjs computes each part. */
  execute: Record<Part, Execute>;
  /** What failed without an error since the last call. */
  takeFailure: () => string | undefined;
  /** Why the model can have no plan, where that is known before a run is recorded. */
  refused?: string;
  /** Rejects with `device_lost` where that is why something failed; absent where there is no device. */
  throwIfLost?: () => Promise<void>;
  /** Called with the reason when a plan has trapped: the binary's memory is in an unknown state. */
  onTrap: (reason: string) => void;
  /** Keeps plans between visits; absent where they cannot be kept. */
  kept?: KeptPlans;
}

/** Inputs of which a plan is wanted: their shapes, and the range of their values. */
interface Wanted {
  part: Part;
  key: string;
  inputs: InputRange[];
}

export interface Replayed {
  outputs: TensorData[];
  /** When all steps had run, in milliseconds of `performance.now()`. */
  executedAt: number;
}

/** A page uses few shapes: one item, and the batch sizes that its load makes. Each plan holds memory. */
export const MAX_PLANS = 4;
/** Shapes that keep changing are not recorded for ever. */
const MAX_MADE = 16;
/** Shapes that are counted; the oldest is forgotten. */
const MAX_COUNTED = 64;
/** A shape that is used once may never come again. */
const USES = 2;
const RANDOM_CHECKS = 2;

export class SessionPlans implements Plans {
  readonly #deps: SessionPlansDeps;
  /** By key; the one that was used last comes last. */
  readonly #plans = new Map<string, ReplayPlan>();
  readonly #uses = new Map<string, number>();
  #wanted: Wanted[] = [];
  #making: AsyncGenerator<void, void> | undefined;
  /** Not checked yet. */
  #unchecked: ReplayPlan | undefined;
  #made = 0;
  #reason: string | undefined;
  #isRefused: boolean;

  constructor(deps: SessionPlansDeps) {
    this.#deps = deps;
    this.#reason = deps.refused;
    this.#isRefused = deps.refused !== undefined;
  }

  get isWanted(): boolean {
    return this.#making !== undefined || this.#wanted.length > 0;
  }

  get info(): PlanInfo {
    const shapes = this.#plans.size;
    const state = shapes > 0 ? "used" : this.isWanted ? "recording" : "none";
    return { state, shapes, ...(this.#reason && { reason: this.#reason }) };
  }

  /** Undefined where the inputs have no plan, or theirs has failed: then tfjs runs. Throws what trapped, and `device_lost`. */
  async replay(part: Part, feeds: Feeds): Promise<Replayed | undefined> {
    const key = keyOfFeeds(part, feeds);
    try {
      const plan = this.#plans.get(key) ?? (this.#isRefused ? undefined : await this.#deps.kept?.restore(key));
      if (!plan) return undefined;
      this.#plans.delete(key);
      this.#keep(key, plan);
      await plan.execute(feeds);
      const executedAt = performance.now();
      const outputs = await plan.read();
      // A GPU tells failures late.
      const failure = this.#deps.takeFailure();
      if (failure) throw new Error(failure);
      return { outputs, executedAt };
    } catch (error) {
      if (isOutOfTable(error)) return undefined;
      // Its plans are right for the next device.
      await this.#deps.throwIfLost?.();
      this.#refuse(error);
      this.#drop(key);
      if (isTrap(error)) throw error;
      return undefined;
    }
  }

  /** tfjs has run these inputs. */
  count(part: Part, feeds: Feeds): void {
    if (this.#isRefused || this.#made >= MAX_MADE) return;
    const key = keyOfFeeds(part, feeds);
    const uses = (this.#uses.get(key) ?? 0) + 1;
    this.#uses.set(key, uses);
    const waiting = this.#wanted.find((wanted) => wanted.key === key);
    // The first runs of a model may be those of its tuning, on zeros.
    if (waiting) waiting.inputs = widened(waiting.inputs, rangesOf(feeds));
    else if (uses === USES) this.#wanted.push({ part, key, inputs: rangesOf(feeds) });
    for (const oldest of this.#uses.keys()) if (this.#uses.size > MAX_COUNTED) this.#uses.delete(oldest);
  }

  async advance(selfTests: () => Promise<SelfTest[]>): Promise<void> {
    const next = this.#making ?? this.#wanted.shift();
    if (!next) return;
    this.#making = Symbol.asyncIterator in next ? next : this.#make(next, selfTests);
    try {
      const { done } = await this.#making.next();
      if (done) this.#making = undefined;
    } catch (error) {
      this.#making = undefined;
      this.#refuse(error);
      this.#dropUnchecked();
      if (isTrap(error)) throw error;
    }
  }

  dispose(): void {
    this.#isRefused = true;
    this.#wanted = [];
    this.#making = undefined;
    this.#dropUnchecked();
    for (const plan of this.#plans.values()) discard(plan);
    this.#plans.clear();
  }

  /** Each step takes as long as a run or two. */
  async *#make({ part, key, inputs }: Wanted, selfTests: () => Promise<SelfTest[]>): AsyncGenerator<void, void> {
    this.#made += 1;
    const random = mulberry32(this.#made);
    const noise = (): Feeds => noiseLike(inputs, random);
    const execute = this.#deps.execute[part];
    const recorded = await this.#record(execute, noise());
    yield;
    const plan = await recorded.make();
    // Disposed meanwhile.
    if (this.#isRefused) return discard(plan);
    this.#unchecked = plan;
    const tests = part === "run" ? await selfTests().catch(() => []) : [];
    const same = tests.map((test) => test.inputs).filter((feeds) => keyOfFeeds(part, feeds) === key);
    for (const feeds of [...Array.from({ length: RANDOM_CHECKS }, noise), ...same]) {
      const expected = await runTfjs(execute, feeds);
      yield;
      await plan.execute(feeds);
      const actual = await plan.read();
      const failure = this.#deps.takeFailure();
      if (failure) throw new Error(failure);
      if (!isSame(expected, actual)) throw new NoPlanError("a replayed run gives other outputs than tfjs");
      yield;
    }
    this.#unchecked = undefined;
    this.#keep(key, plan);
    await this.#deps.kept?.add(part, key, recorded);
  }

  /** The plan becomes the one that was used last; the one that was used longest ago goes where there are too many. */
  #keep(key: string, plan: ReplayPlan): void {
    this.#plans.set(key, plan);
    for (const [oldest, other] of this.#plans) {
      if (this.#plans.size <= MAX_PLANS) break;
      this.#plans.delete(oldest);
      this.#uses.delete(oldest);
      discard(other);
    }
  }

  #drop(key: string): void {
    const plan = this.#plans.get(key);
    this.#plans.delete(key);
    if (plan) discard(plan);
    this.#deps.kept?.forget(key);
  }

  async #record(execute: Execute, feeds: Feeds): Promise<RecordedRun> {
    const tensors = tensorsOf(feeds);
    try {
      return await this.#deps.make(tensors, execute);
    } finally {
      for (const one of Object.values(tensors)) one.dispose();
    }
  }

  /** No further plan is tried: other shapes would fail as well. */
  #refuse(error: unknown): void {
    this.#reason = error instanceof Error ? error.message : String(error);
    this.#isRefused = true;
    this.#wanted = [];
    if (isTrap(error)) this.#deps.onTrap(this.#reason);
  }

  #dropUnchecked(): void {
    if (this.#unchecked) discard(this.#unchecked);
    this.#unchecked = undefined;
  }
}

/** Where memory is broken, freeing it fails too. */
function discard(plan: ReplayPlan): void {
  try {
    plan.dispose();
  } catch {
    // The backend is closed with all its memory.
  }
}
