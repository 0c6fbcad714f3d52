// The plans of one session: which shapes get one, how it is recorded and checked piece by piece, and which are kept.
import type { PlanInfo } from "../../../shared/types/model.js";
import type { TensorData } from "../../../shared/types/tensor.js";
import { mulberry32 } from "../../package/seeded-noise.js";
import type { SelfTest } from "../../package/self-test-files.js";
import type { PlanStore, Plans } from "../session/engine.js";
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
import { OutOfTableError, Plan } from "./plan.js";
import { record } from "./recorder.js";
import { NoPlanError, type Part, type Recording } from "./steps.js";
import { fromStored, keyOf, keyOfStored, type StoredPlan, type StoredTensor, toStored } from "./stored-plan.js";
import type { DataId, WasmBackend } from "./wasm-backend.js";
import { sizeOf } from "./wasm-module.js";

export interface SessionPlansDeps {
  backend: () => WasmBackend;
  /** How tfjs computes each part. */
  execute: Record<Part, Execute>;
  /** What failed without an error since the last call. */
  takeFailure: () => string | undefined;
  /** Why the model can have no plan, where that is known before a run is recorded. */
  refused?: string;
  /** Called with the reason when a plan has trapped: the binary's memory is in an unknown state. */
  onTrap: (reason: string) => void;
  /** Where plans are kept between visits; the model's weights by their names. */
  kept?: { store: PlanStore; weights: () => Record<string, DataId> };
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
const MAX_PLANS = 4;
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
  readonly #plans = new Map<string, Plan>();
  readonly #uses = new Map<string, number>();
  /** By key, those that are stored: each is of this session or waits for its first use. Undefined until they were read. */
  #stored: Map<string, StoredPlan> | undefined;
  #wanted: Wanted[] = [];
  #making: AsyncGenerator<void, void> | undefined;
  /** Not checked yet. */
  #unchecked: Plan | undefined;
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

  /** Undefined where the inputs have no plan, or theirs has failed: then tfjs runs. Throws what trapped. */
  async replay(part: Part, feeds: Feeds): Promise<Replayed | undefined> {
    const key = keyOfFeeds(part, feeds);
    try {
      const plan = this.#plans.get(key) ?? (await this.#restore(key));
      if (!plan) return undefined;
      this.#plans.delete(key);
      this.#keep(key, plan);
      plan.execute(feeds);
      const executedAt = performance.now();
      const failure = this.#deps.takeFailure();
      if (failure) throw new Error(failure);
      return { outputs: plan.read(), executedAt };
    } catch (error) {
      if (error instanceof OutOfTableError) return undefined;
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
    const recording = await this.#record(execute, noise());
    yield;
    const plan = new Plan(this.#deps.backend().wasm, recording);
    this.#unchecked = plan;
    const tests = part === "run" ? await selfTests().catch(() => []) : [];
    const same = tests.map((test) => test.inputs).filter((feeds) => keyOfFeeds(part, feeds) === key);
    for (const feeds of [...Array.from({ length: RANDOM_CHECKS }, noise), ...same]) {
      const expected = await runTfjs(execute, feeds);
      yield;
      plan.execute(feeds);
      const actual = plan.read();
      const failure = this.#deps.takeFailure();
      if (failure) throw new Error(failure);
      if (!isSame(expected, actual)) throw new NoPlanError("a replayed run gives other outputs than tfjs");
      yield;
    }
    this.#unchecked = undefined;
    this.#keep(key, plan);
    await this.#store(part, key, recording);
  }

  /** The plan becomes the one that was used last; the one that was used longest ago goes where there are too many. */
  #keep(key: string, plan: Plan): void {
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
    if (this.#stored?.delete(key)) void this.#deps.kept?.store.write([...this.#stored.values()]);
  }

  // ---- between visits ----------------------------------------------------------------------------------------------

  /** A plan that was stored, for the ids that the tensors have here. */
  async #restore(key: string): Promise<Plan | undefined> {
    const { kept, refused } = this.#deps;
    if (!kept || refused !== undefined) return undefined;
    const plans = this.#stored ? undefined : await kept.store.own();
    if (plans) this.#stored ??= new Map(plans.map((plan) => [keyOfStored(plan), plan]));
    const stored = this.#isRefused ? undefined : this.#stored?.get(key);
    if (!stored) return undefined;
    const backend = this.#deps.backend();
    const weights = kept.weights();
    const weight = (name: string, { size, dtype }: StoredTensor) => {
      const data = Object.hasOwn(weights, name) ? weights[name] : undefined;
      const { id, memoryOffset, shape, dtype: found } = (data && backend.dataIdMap.get(data)) ?? NOT_THERE;
      if (memoryOffset === null || sizeOf(shape) !== size || found !== dtype)
        throw new NoPlanError(
          `a stored plan needs a weight ${name} of ${size} ${dtype}, which the model does not have`,
        );
      return { id, address: memoryOffset };
    };
    try {
      return new Plan(
        backend.wasm,
        fromStored(stored, () => backend.dataIdNextNumber++, weight),
      );
    } catch (error) {
      if (!(error instanceof NoPlanError)) throw error;
      // It is of another model or another version; this one makes its own.
      this.#drop(key);
      return undefined;
    }
  }

  async #store(part: Part, key: string, recording: Recording): Promise<void> {
    const { kept } = this.#deps;
    if (!kept) return;
    const { dataIdMap } = this.#deps.backend();
    const names = new Map(Object.entries(kept.weights()).map(([name, data]) => [dataIdMap.get(data).id, name]));
    const stored = toStored(part, recording, names);
    if (!stored) return;
    this.#stored ??= new Map();
    this.#stored.delete(key);
    this.#stored.set(key, stored);
    for (const oldest of this.#stored.keys()) if (this.#stored.size > MAX_PLANS) this.#stored.delete(oldest);
    await kept.store.write([...this.#stored.values()]);
  }

  async #record(execute: Execute, feeds: Feeds): Promise<Recording> {
    const tensors = tensorsOf(feeds);
    try {
      return await record(this.#deps.backend(), tensors, execute);
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
function discard(plan: Plan): void {
  try {
    plan.dispose();
  } catch {
    // The backend is closed with all its memory.
  }
}

const NOT_THERE = { id: 0, memoryOffset: null, shape: [], dtype: "" };

const keyOfFeeds = (part: Part, feeds: Feeds): string =>
  keyOf(
    part,
    Object.entries(feeds).map(([name, { shape, dtype }]) => ({ name, shape, dtype })),
  );
