// In a page (bundle-page.ts): kernels and models on tfjs's WebGPU backend, recorded once and replayed with other inputs.

import {
  add,
  backend,
  type KernelBackend,
  memory,
  moments,
  mul,
  type NamedTensorMap,
  type Tensor,
  tidy,
} from "@tensorflow/tfjs-core";
import { loadLayersModel } from "@tensorflow/tfjs-layers";
import type { DType, TensorData } from "../../src/shared/types/tensor.js";
import { type Execute, type Feeds, tensorsOf } from "../../src/worker/runtime/plan/check-runs.js";
import { NoPlanError } from "../../src/worker/runtime/plan/steps.js";
import { compare, feedsOf, gpuBytes, openGraph, planOf, runKernel } from "./gpu-plans.js";
import { KERNEL_CASES } from "./kernel-cases.js";
import { Dice, type KernelCase } from "./kernel-dice.js";
import { PICTURE_KERNEL_CASES } from "./picture-kernel-cases.js";

export { kernelNames, startGpu } from "./gpu-plans.js";

const CASES: Record<string, (dice: Dice) => KernelCase> = { ...KERNEL_CASES, ...PICTURE_KERNEL_CASES };

export interface KernelResult {
  /** Why there was no plan. */
  refusals: string[];
  /** What did not agree with tfjs, or what tfjs threw. */
  problems: string[];
}

/** One try for each seed. */
export async function kernel(name: string, runs: number): Promise<KernelResult> {
  const found: KernelResult = { refusals: [], problems: [] };
  for (let seed = 1; seed <= runs; seed += 1)
    await checkKernel(name, seed).catch((error) =>
      found[error instanceof NoPlanError ? "refusals" : "problems"].push(`${seed}: ${error.message}`),
    );
  return found;
}

/** Some inputs are the model's, at least one, the others its weights. */
async function checkKernel(name: string, seed: number): Promise<void> {
  const dice = new Dice(seed);
  const given = (CASES[name] as (dice: Dice) => KernelCase)(dice);
  const keys = Object.keys(given.inputs);
  const fed = keys.filter(() => dice.next() < 0.7);
  if (fed.length === 0) fed.push(dice.pick(keys));
  const draw = (wanted: string[]): Feeds =>
    Object.fromEntries(wanted.map((key) => [key, dice.values(given.inputs[key] as KernelCase["inputs"][string])]));
  const constants = tensorsOf(draw(keys.filter((key) => !fed.includes(key))));
  const run: Execute = (feeds) => {
    const all = { ...feeds, ...constants };
    const entries = keys.map((key) => [key, all[key] as Tensor] as const);
    const inputs = given.isList ? entries.map(([, value]) => value) : Object.fromEntries(entries);
    return runKernel(name, inputs, given.attrs ?? {}, Object.values(feeds) as Tensor[]);
  };
  try {
    const { plan } = await planOf(run, draw(fed));
    try {
      for (let again = 0; again < 2; again += 1) await compare(plan, run, draw(fed));
    } finally {
      plan.dispose();
    }
  } finally {
    for (const constant of Object.values(constants)) constant.dispose();
  }
}

/** Of a run that makes tensors, reads one back and makes others: the reason, and what it left. */
export async function brokenOff(): Promise<{ reason: string; left: { tensors: number; data: number } }> {
  const held = () => ({ tensors: memory().numTensors, data: (backend() as unknown as KernelBackend).numDataIds() });
  const run: Execute = async ({ x }) =>
    tidy(() => {
      // A normalisation with many tensors of its own.
      const { mean, variance } = moments(x as Tensor);
      const [shift = 0] = mul(mean, 2).dataSync();
      return [add(variance, shift)];
    });
  const feeds: Feeds = { x: { data: Float32Array.of(1, 2, 3, 5), shape: [4], dtype: "float32" } };
  const before = held();
  const reason = await planOf(run, feeds).then(
    () => "none",
    (error: Error) => error.message,
  );
  const after = held();
  return { reason, left: { tensors: after.tensors - before.tensors, data: after.data - before.data } };
}

/** Values that are not finite, and both zeros. */
const ODD = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0, 1e-42, 3.4e38];

/** Bytes of the plan's buffers, and of all tensors that it needs if each had its own. */
export async function graph(url: string, to: number, outputs?: string[]): Promise<{ bytes: number; unshared: number }> {
  const opened = await openGraph(url, outputs);
  const before = gpuBytes();
  const { plan, recording } = await planOf(opened.rewritten, feedsOf(opened, to, 0));
  const bytes = gpuBytes() - before;
  const inputs = new Set(recording.inputs.map(({ id }) => id));
  const own = recording.tensors.filter(({ id, buffer, data }) => !buffer && !data && !inputs.has(id));
  for (const seed of [1, 2]) await compare(plan, opened.rewritten, feedsOf(opened, to, seed));
  const odd = feedsOf(opened, to, 3);
  for (const { data, dtype } of Object.values(odd))
    if (dtype === "float32") for (const [index, value] of ODD.entries()) data[index * 5] = value;
  await compare(plan, opened.rewritten, odd);
  // Nothing of the run before is left.
  await compare(plan, opened.rewritten, feedsOf(opened, to, 1));
  plan.dispose();
  plan.dispose();
  if (gpuBytes() !== before) throw new Error(`${gpuBytes() - before} bytes were not freed`);
  opened.dispose();
  return { bytes, unshared: own.reduce((sum, tensor) => sum + tensor.bytes, 0) };
}

export interface Numbers {
  dtype: DType;
  shape: number[];
  data: number[];
}

export async function layers(url: string, inputs: Record<string, Numbers>): Promise<void> {
  const model = await loadLayersModel(url);
  const run: Execute = async (feeds: NamedTensorMap) => [model.predict(Object.values(feeds))].flat() as Tensor[];
  const feeds = (isReversed: boolean): Feeds =>
    Object.fromEntries(
      Object.entries(inputs).map(([name, { data, shape, dtype }]): [string, TensorData] => {
        const values = Float32Array.from(data);
        return [name, { data: isReversed ? values.reverse() : values, shape, dtype }];
      }),
    );
  const { plan } = await planOf(run, feeds(false));
  for (const isReversed of [true, false]) await compare(plan, run, feeds(isReversed));
  plan.dispose();
  model.dispose();
}
