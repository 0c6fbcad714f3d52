// Plans in Node: tfjs's wasm backend whose calls can be recorded, and a plan beside the model that it is of.
import "@tensorflow/tfjs-backend-cpu";
import { setThreadsCount, setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import {
  copyRegisteredKernels,
  backend as currentBackend,
  env,
  findBackendFactory,
  type NamedTensorMap,
  ready,
  registerBackend,
  setBackend,
  type Tensor,
  tensor,
} from "@tensorflow/tfjs-core";
import type { DType, TensorData } from "../../src/shared/types/tensor.js";
import { declaredShape } from "../../src/worker/runtime/graph/nodes.js";
import type { Graph } from "../../src/worker/runtime/graph/types.js";
import { Plan } from "../../src/worker/runtime/plan/plan.js";
import { record } from "../../src/worker/runtime/plan/recorder.js";
import type { Recording } from "../../src/worker/runtime/plan/steps.js";
import { makeObservable, type WasmBackend } from "../../src/worker/runtime/plan/wasm-backend.js";
import { noise } from "./graph-models.js";

const BACKEND = "wasm-observed";

export type Execute = (inputs: NamedTensorMap) => Tensor[];
export type Feeds = Record<string, TensorData>;

/** Starts tfjs's wasm backend on one thread, as the worker does. */
export async function useObservedWasm(): Promise<void> {
  setWasmPaths(`${process.cwd()}/node_modules/@tensorflow/tfjs-backend-wasm/dist/`);
  setThreadsCount(1);
  if (!findBackendFactory(BACKEND)) {
    const start = findBackendFactory("wasm");
    registerBackend(BACKEND, async () => {
      env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
      const started = await start();
      makeObservable(started);
      return started;
    });
    copyRegisteredKernels("wasm", BACKEND);
  }
  await setBackend(BACKEND);
  await ready();
}

/** Noise for each input of a graph; another seed gives other noise. Sides that the graph leaves open are 1. */
export function noiseFeeds(graph: Graph, to: number, seed: number): Feeds {
  const entries = graph.inputs.map((name): [string, TensorData] => {
    const placeholder = graph.nodes.find((node) => node.name === name.split(":")[0]);
    const shape = placeholder && declaredShape({ ...placeholder, attr: placeholder.attr ?? {} });
    if (!shape) throw new Error(`The graph does not declare the shape of its input ${name}.`);
    const type = (placeholder.attr as { dtype?: { type?: unknown } }).dtype?.type;
    const dtype = type === "DT_INT32" || type === 3 ? "int32" : "float32";
    const fixed = shape.map((length) => Math.max(1, length));
    const size = fixed.reduce((product, length) => product * length, 1);
    const { values } = noise([seed + 1, ...fixed], 0, to, dtype);
    return [name, { data: (values as Float32Array).slice(seed * size), shape: fixed, dtype }];
  });
  return Object.fromEntries(entries);
}

export const wasmBackend = (): WasmBackend => currentBackend() as unknown as WasmBackend;

export function tensorsOf(feeds: Feeds): NamedTensorMap {
  const entries = Object.entries(feeds);
  return Object.fromEntries(entries.map(([name, { data, shape, dtype }]) => [name, tensor(data, shape, dtype)]));
}

export function runTfjs(execute: Execute, feeds: Feeds): TensorData[] {
  const inputs = tensorsOf(feeds);
  const results = execute(inputs);
  const outputs = results.map((result) => ({
    data: result.dataSync().slice() as TensorData["data"],
    shape: result.shape,
    dtype: result.dtype as DType,
  }));
  for (const one of [...results, ...Object.values(inputs)]) one.dispose();
  return outputs;
}

/** Throws what says why there is no plan. */
export async function planOf(execute: Execute, feeds: Feeds): Promise<{ plan: Plan; recording: Recording }> {
  const inputs = tensorsOf(feeds);
  let recording: Recording;
  try {
    recording = await record(wasmBackend(), inputs, async (given) => execute(given));
  } finally {
    for (const one of Object.values(inputs)) one.dispose();
  }
  return { plan: new Plan(wasmBackend().wasm, recording), recording };
}

export async function runPlan(plan: Plan, feeds: Feeds): Promise<TensorData[]> {
  plan.execute(feeds);
  return plan.read();
}

/** The outputs' bytes, so that NaN and the sign of zero count. */
export const bitsOf = (outputs: TensorData[]) =>
  outputs.map(({ data, shape, dtype }) => ({
    shape,
    dtype,
    bytes: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("latin1"),
  }));
