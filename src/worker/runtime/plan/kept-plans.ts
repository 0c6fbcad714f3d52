// The plans of a session that outlive it: replayed on tfjs's wasm backend from what was stored, and stored once they were made.
import { backend } from "@tensorflow/tfjs-core";
import type { PlanStore } from "../session/engine.js";
import { Plan } from "./plan.js";
import type { ReplayPlan } from "./plan-maker.js";
import { NoPlanError, type Part, type Recording } from "./steps.js";
import { fromStored, keyOfStored, type StoredPlan, type StoredTensor, toStored } from "./stored-plan.js";
import type { DataId, WasmBackend } from "./wasm-backend.js";
import { sizeOf } from "./wasm-module.js";

const NOT_THERE = { id: 0, memoryOffset: null, shape: [], dtype: "" };

export interface KeptPlansDeps {
  store: PlanStore;
  /** The model's weights by their names. */
  weights: () => Record<string, DataId>;
  /** How many are kept. */
  max: number;
}

export class KeptPlans {
  readonly #deps: KeptPlansDeps;
  /** By key, those that are stored; undefined until they were read. */
  #stored: Map<string, StoredPlan> | undefined;

  constructor(deps: KeptPlansDeps) {
    this.#deps = deps;
  }

  /** The plan that was stored under the key, for the ids that the tensors have here. Undefined where there is none that fits. */
  async restore(key: string): Promise<ReplayPlan | undefined> {
    const plans = this.#stored ? undefined : await this.#deps.store.own();
    if (plans) this.#stored ??= new Map(plans.map((plan) => [keyOfStored(plan), plan]));
    const stored = this.#stored?.get(key);
    if (!stored) return undefined;
    const current = backend() as unknown as WasmBackend;
    const weights = this.#deps.weights();
    const weight = (name: string, { size, dtype }: StoredTensor) => {
      const data = Object.hasOwn(weights, name) ? weights[name] : undefined;
      const { id, memoryOffset, shape, dtype: found } = (data && current.dataIdMap.get(data)) ?? NOT_THERE;
      if (memoryOffset !== null && sizeOf(shape) === size && found === dtype) return { id, address: memoryOffset };
      throw new NoPlanError(`a stored plan needs a weight ${name} of ${size} ${dtype}, which the model does not have`);
    };
    try {
      const recording = fromStored(stored, () => current.dataIdNextNumber++, weight);
      return new Plan(current.wasm, recording);
    } catch (error) {
      if (!(error instanceof NoPlanError)) throw error;
      // It is of another model or another version; this one makes its own.
      this.forget(key);
      return undefined;
    }
  }

  /** Stores a plan that was checked. One that needs other tensors than the model's weights is not stored. */
  async add(part: Part, key: string, recording: Recording): Promise<void> {
    const { dataIdMap } = backend() as unknown as WasmBackend;
    const { store, weights, max } = this.#deps;
    const names = new Map(Object.entries(weights()).map(([name, data]) => [dataIdMap.get(data).id, name]));
    const stored = toStored(part, recording, names);
    if (!stored) return;
    const kept = this.#stored ?? new Map<string, StoredPlan>();
    this.#stored = kept;
    kept.delete(key);
    kept.set(key, stored);
    for (const oldest of kept.keys()) if (kept.size > max) kept.delete(oldest);
    await store.write([...kept.values()]);
  }

  /** It has failed, or does not fit. */
  forget(key: string): void {
    if (this.#stored?.delete(key)) void this.#deps.store.write([...this.#stored.values()]);
  }
}
