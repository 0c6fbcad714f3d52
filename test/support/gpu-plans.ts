// Plans on WebGPU in a page, beside tfjs itself: the page's own tfjs and the library's sources, bundled together (bundle-page.ts).
import "@tensorflow/tfjs-backend-cpu";
import { loadGraphModel } from "@tensorflow/tfjs-converter";
import {
  backend,
  engine,
  getKernelsForBackend,
  type NamedTensorMap,
  ready,
  setBackend,
  type Tensor,
} from "@tensorflow/tfjs-core";
import type { TensorData } from "../../src/shared/types/tensor.js";
import { type Gpu, takeGpuFailure } from "../../src/worker/runtime/gpu-device.js";
import { type Execute, type Feeds, isSame, runTfjs, tensorsOf } from "../../src/worker/runtime/plan/check-runs.js";
import type { GpuBackend } from "../../src/worker/runtime/plan/webgpu/backend.js";
import { GpuPlan } from "../../src/worker/runtime/plan/webgpu/plan.js";
import { record } from "../../src/worker/runtime/plan/webgpu/recorder.js";
import type { GpuRecording } from "../../src/worker/runtime/plan/webgpu/recording.js";
import { registerWebGPU } from "../../src/worker/runtime/tfjs/webgpu.js";
import { graphFromJson, loadGraph, rewriteGraph } from "./graph-models.js";

let gpu: Gpu;

/** Starts tfjs on WebGPU as the worker does. */
export async function startGpu(): Promise<void> {
  countBuffers();
  gpu = await registerWebGPU();
  await setBackend("webgpu");
  await ready();
}

/** The kernels that tfjs has on WebGPU. */
export const kernelNames = (): string[] => getKernelsForBackend("webgpu").map(({ kernelName }) => kernelName);

let bytes = 0;

/** Bytes of the buffers that exist, those of tfjs apart. */
export const gpuBytes = (): number => bytes;

function countBuffers(): void {
  const { createBuffer } = GPUDevice.prototype;
  const { destroy } = GPUBuffer.prototype;
  const counted = new WeakSet<GPUBuffer>();
  GPUDevice.prototype.createBuffer = function (descriptor) {
    const buffer = createBuffer.call(this, descriptor);
    if (!descriptor.label) return buffer;
    counted.add(buffer);
    bytes += buffer.size;
    return buffer;
  };
  GPUBuffer.prototype.destroy = function () {
    if (counted.delete(this)) bytes -= this.size;
    return destroy.call(this);
  };
}

const current = () => backend() as unknown as GpuBackend;

/** Throws what says why there is no plan. */
export async function planOf(execute: Execute, feeds: Feeds): Promise<{ plan: GpuPlan; recording: GpuRecording }> {
  const inputs = tensorsOf(feeds);
  let recording: GpuRecording;
  try {
    recording = await record(current(), inputs, execute);
  } finally {
    for (const one of Object.values(inputs)) one.dispose();
  }
  return { plan: await GpuPlan.create(current().device, recording), recording };
}

async function runPlan(plan: GpuPlan, feeds: Feeds): Promise<TensorData[]> {
  await plan.execute(feeds);
  const outputs = await plan.read();
  const failure = takeGpuFailure(gpu);
  if (failure) throw new Error(failure);
  return outputs;
}

/** Throws unless the plan gives tfjs's outputs to the last bit. */
export async function compare(plan: GpuPlan, execute: Execute, feeds: Feeds): Promise<void> {
  const expected = await runTfjs(execute, feeds);
  const actual = await runPlan(plan, feeds);
  if (isSame(expected, actual)) return;
  const first = ({ data, shape }: TensorData) => `[${shape}] ${Array.from(data).slice(0, 12).join(" ")}`;
  throw new Error(`tfjs: ${expected.map(first)}; plan: ${actual.map(first)}`);
}

/** `fed` are put on the GPU first: small tensors tfjs computes on the CPU. */
export async function runKernel(
  name: string,
  inputs: NamedTensorMap | Tensor[],
  attrs: object,
  fed: Tensor[],
): Promise<Tensor[]> {
  for (const { dataId } of fed) current().uploadToGPU(dataId);
  return [engine().runKernel(name, inputs as NamedTensorMap, attrs as never)].flat() as Tensor[];
}

export interface OpenedGraph {
  /** As tfjs loads the file. */
  plain: Execute;
  /** The graph that the library runs. */
  rewritten: Execute;
  inputs: { name: string; shape: number[]; dtype: "float32" | "int32" }[];
  dispose(): void;
}

/** Loads a graph model over HTTP, with and without the library's rewrites. */
export async function openGraph(url: string, outputs?: string[]): Promise<OpenedGraph> {
  const json = await (await fetch(url)).json();
  const groups = await Promise.all(
    json.weightsManifest.map(async ({ paths }: { paths: string[] }) => {
      const parts = await Promise.all(
        paths.map(async (path) => (await fetch(new URL(path, new URL(url, location.href)))).blob()),
      );
      return new Blob(parts).arrayBuffer();
    }),
  );
  const graph = graphFromJson(json, groups, outputs);
  const [plain, rewritten] = [await loadGraphModel(url), await loadGraph(graph, rewriteGraph(graph))];
  const names = graph.graph.outputs;
  return {
    plain: async (feeds) => [plain.execute(feeds, names)].flat() as Tensor[],
    rewritten: async (feeds) => [rewritten.execute(feeds, names)].flat() as Tensor[],
    inputs: plain.inputs.map(({ name, shape, dtype }) => ({
      name,
      shape: (shape ?? []).map((side) => Math.max(1, side)),
      dtype: dtype === "int32" ? "int32" : "float32",
    })),
    dispose() {
      plain.dispose();
      rewritten.dispose();
    },
  };
}

/** Values from 0 to `to`, others for another seed. */
export function feedsOf({ inputs }: OpenedGraph, to: number, seed: number): Feeds {
  const entries = inputs.map(({ name, shape, dtype }): [string, TensorData] => {
    const length = shape.reduce((product, side) => product * side, 1);
    const values = Array.from({ length }, (_, index) => ((((index + 1) * (seed + 3) * 7919) % 251) / 250) * to);
    return [name, { data: dtype === "int32" ? Int32Array.from(values) : Float32Array.from(values), shape, dtype }];
  });
  return Object.fromEntries(entries);
}
