// How plans on wasm are stored, and replayed on tfjs's wasm backend.
import { backend } from "@tensorflow/tfjs-core";
import type { PlanStore } from "../session/engine.js";
import type { KeptForm } from "./kept-plans.js";
import { Plan } from "./plan.js";
import { NoPlanError } from "./steps.js";
import { fromStored, keyOfStored, type StoredPlan, type StoredTensor, toStored } from "./stored-plan.js";
import type { DataId, WasmBackend } from "./wasm-backend.js";
import { sizeOf } from "./wasm-module.js";

const NOT_THERE = { id: 0, memoryOffset: null, shape: [], dtype: "" };

/** `weights` are the model's by their names. tfjs's wasm backend must be the current one where a plan is stored or made. */
export function wasmForm(store: PlanStore, weights: () => Record<string, DataId>): KeptForm<StoredPlan> {
  const current = () => backend() as unknown as WasmBackend;
  return {
    keyOf: keyOfStored,
    read: () => store.own(),
    write: (plans) => store.write(plans),
    toStored(part, _key, { wasm }) {
      const { dataIdMap } = current();
      const names = new Map(Object.entries(weights()).map(([name, data]) => [dataIdMap.get(data).id, name]));
      return wasm && toStored(part, wasm, names);
    },
    toPlan(stored) {
      const engine = current();
      const all = weights();
      const weight = (name: string, { size, dtype }: StoredTensor) => {
        const data = Object.hasOwn(all, name) ? all[name] : undefined;
        const { id, memoryOffset, shape, dtype: found } = (data && engine.dataIdMap.get(data)) ?? NOT_THERE;
        if (memoryOffset !== null && sizeOf(shape) === size && found === dtype) return { id, address: memoryOffset };
        throw new NoPlanError(
          `a stored plan needs a weight ${name} of ${size} ${dtype}, which the model does not have`,
        );
      };
      // For the ids that the tensors have here.
      return new Plan(
        engine.wasm,
        fromStored(stored, () => engine.dataIdNextNumber++, weight),
      );
    },
  };
}
