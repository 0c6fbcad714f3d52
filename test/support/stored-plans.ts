// Stored plans in Node: recorded on tfjs's wasm backend, replayed in an instance of the binary of their own, as the worker does without tfjs.
import { readFileSync } from "node:fs";
import type { Manifest } from "../../src/shared/types/manifest.js";
import type { DType, TensorData } from "../../src/shared/types/tensor.js";
import { Plan } from "../../src/worker/runtime/plan/plan.js";
import { type Binary, startBinary } from "../../src/worker/runtime/plan/start-binary.js";
import type { Recording } from "../../src/worker/runtime/plan/steps.js";
import { fromStored, type StoredPlan, toStored, type Weight } from "../../src/worker/runtime/plan/stored-plan.js";
import { bytesPerElement, FIRST_ID } from "../../src/worker/runtime/plan/wasm-module.js";
import { type Execute, type Feeds, planOf, wasmBackend } from "./plans.js";

export type Weights = Map<string, { dtype: DType; bytes: Uint8Array }>;

export interface StoredCase {
  stored: StoredPlan;
  /** The model's, with what they hold. */
  weights: Weights;
}

/** Records a run. Throws what says why there is no plan. */
export async function storedOf(execute: Execute, feeds: Feeds): Promise<StoredCase> {
  const { plan, recording } = await planOf(execute, feeds);
  plan.dispose();
  return storedCase(recording);
}

/** The weights must still be in the memory of tfjs's binary. */
export function storedCase(recording: Recording): StoredCase {
  const names = new Map<number, string>();
  const weights: Weights = new Map();
  for (const { id, address, dtype, size } of recording.tensors) {
    if (address === undefined) continue;
    names.set(id, `weight-${id}`);
    const bytes = wasmBackend().wasm.HEAPU8.slice(address, address + size * bytesPerElement(dtype));
    weights.set(`weight-${id}`, { dtype, bytes });
  }
  const stored = toStored("run", recording, names);
  if (!stored) throw new Error("A tensor of the recording is no weight.");
  return { stored, weights };
}

/** What a manifest would say of the plan's model, whose sides are all open. */
export function manifestOf({ inputs, outputs, tensors }: StoredPlan): Pick<Manifest, "inputs" | "outputs"> {
  const specOf = (name: string, tensor: number, shape: number[]) => {
    const dtype = tensors[tensor]?.dtype as DType;
    return { name, dtype, shape: shape.map(() => -1) };
  };
  return {
    inputs: inputs.map(({ name, tensor, shape }) => specOf(name, tensor, shape)),
    outputs: outputs.map(({ tensor, shape }, index) => specOf(`output-${index}`, tensor, shape)),
  };
}

const BINARY = "node_modules/@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm";
let compiled: Promise<WebAssembly.Module> | undefined;

export async function freshBinary(): Promise<Binary> {
  compiled ??= WebAssembly.compile(readFileSync(BINARY));
  return startBinary(await compiled);
}

/** Puts weights into the memory; the result finds them, and throws for others. */
export function placeWeights(
  binary: Binary,
  weights: Weights,
  nextId: () => number,
  allocate: (bytes: number) => number = (bytes) => binary._malloc(bytes),
): (name: string) => Weight {
  const placed = new Map<string, Weight>();
  for (const [name, { dtype, bytes }] of weights) {
    const address = allocate(Math.max(1, bytes.length));
    binary.HEAPU8.set(bytes, address);
    const id = nextId();
    binary.tfjs.registerTensor(id, bytes.length / bytesPerElement(dtype), address);
    placed.set(name, { id, address });
  }
  return (name) => {
    const found = placed.get(name);
    if (!found) throw new Error(`The model has no weight ${name}.`);
    return found;
  };
}

/** A plan in an instance of its own, run once for each of the feeds. */
export async function replayStored({ stored, weights }: StoredCase, feeds: Feeds[]): Promise<TensorData[][]> {
  const binary = await freshBinary();
  let id = FIRST_ID;
  const nextId = () => id++;
  const plan = new Plan(binary, fromStored(stored, nextId, placeWeights(binary, weights, nextId)));
  const results = feeds.map((given) => {
    plan.execute(given);
    return plan.read();
  });
  plan.abandon();
  return results;
}
