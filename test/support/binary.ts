// tfjs's wasm binary without tfjs, in Node, and a plan that was stored and restored in it.
import { readFileSync } from "node:fs";
import type { DType, TypedArray } from "../../src/shared/types/tensor.js";
import { Plan } from "../../src/worker/runtime/plan/plan.js";
import { readPlan, writePlan } from "../../src/worker/runtime/plan/plan-text.js";
import { type Binary, startBinary } from "../../src/worker/runtime/plan/start-binary.js";
import type { Recording } from "../../src/worker/runtime/plan/steps.js";
import { fromStored, type StoredPlan, toStored } from "../../src/worker/runtime/plan/stored-plan.js";
import type { WasmModule } from "../../src/worker/runtime/plan/wasm-module.js";
import { FIRST_ID, viewOf } from "../../src/worker/runtime/plan/wasm-module.js";

const BINARY = "node_modules/@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm";

let compiled: WebAssembly.Module | undefined;
/** Of all plans: one that is used again would still name the first tensor. */
let id = FIRST_ID;

export function openBinary(): Promise<Binary> {
  compiled ??= new WebAssembly.Module(readFileSync(BINARY));
  return startBinary(compiled);
}

export interface Weights {
  [name: string]: { data: TypedArray; dtype: DType };
}

/** The plan of a recording after it was written as text and read again, with the weights that `from`, in which it was recorded, holds. */
export function storedOf(recording: Recording, from: WasmModule): { stored: StoredPlan; weights: Weights } {
  const held = recording.tensors.filter(({ address }) => address !== undefined);
  const names = new Map(held.map(({ id }, index) => [id, `weight ${index}`]));
  const stored = toStored("run", recording, names);
  if (!stored) throw new Error("The plan cannot be stored.");
  const weights = held.map(({ id, size, dtype, address }) => {
    const data = viewOf(from, dtype, address as number, size).slice();
    return [names.get(id) as string, { data, dtype }] as const;
  });
  return { stored: readPlan(writePlan(stored), "plan.json"), weights: Object.fromEntries(weights) };
}

export function restore(binary: Binary, stored: StoredPlan, weights: Weights): Plan {
  const weight = (name: string) => {
    const { data, dtype } = weights[name] as Weights[string];
    const address = binary._malloc(Math.max(1, data.byteLength));
    viewOf(binary, dtype, address, data.length).set(data);
    id += 1;
    binary.tfjs.registerTensor(id, data.length, address);
    return { id, address };
  };
  const nextId = () => {
    id += 1;
    return id;
  };
  return new Plan(binary, fromStored(stored, nextId, weight));
}
