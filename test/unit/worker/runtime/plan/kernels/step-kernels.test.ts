// Steps get own kernels where these are faster and agree with tfjs's; the choice is kept, and what does not fit is left to tfjs.
import { setFlagsFromString } from "node:v8";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, beforeEach, expect, test } from "vitest";
import { choose } from "../../../../../../src/worker/runtime/plan/kernels/choose.js";
import { startKernels } from "../../../../../../src/worker/runtime/plan/kernels/kernel-module.js";
import { KERNELS_SHA256 } from "../../../../../../src/worker/runtime/plan/kernels/kernels-binary.js";
import { makeOwnStep, type OwnStep, Scratch } from "../../../../../../src/worker/runtime/plan/kernels/own-step.js";
import { createStepKernels } from "../../../../../../src/worker/runtime/plan/kernels/step-kernels.js";
import { Plan } from "../../../../../../src/worker/runtime/plan/plan.js";
import type { Binary } from "../../../../../../src/worker/runtime/plan/start-binary.js";
import { fromStored, keyOfStored } from "../../../../../../src/worker/runtime/plan/stored-plan.js";
import { FIRST_ID } from "../../../../../../src/worker/runtime/plan/wasm-module.js";
import type { PlanStore } from "../../../../../../src/worker/runtime/session/engine.js";
import { noise } from "../../../../../support/graph-models.js";
import { type Feeds, useObservedWasm } from "../../../../../support/plans.js";
import { freshBinary, placeWeights, type StoredCase, storedOf } from "../../../../../support/stored-plans.js";

// Node 20 has relaxed SIMD behind a flag.
setFlagsFromString("--experimental-wasm-relaxed-simd");

const SHAPE = [1, 32, 32, 64];
const feeds: Feeds = { x: { data: noise(SHAPE, -1, 1).values as Float32Array, shape: SHAPE, dtype: "float32" } };
const weightsOf = (shape: [number, number, number, number]) =>
  tf.tensor4d(noise(shape, -0.1, 0.1).values as Float32Array, shape);

let recorded: StoredCase;
let binary: Binary;
let plan: Plan;
let key: string;

beforeAll(async () => {
  await useObservedWasm();
  const [wide, point] = [weightsOf([5, 5, 64, 1]), weightsOf([1, 1, 64, 32])];
  // The steps are a depthwise convolution, which is six times as fast, one that stays with tfjs, and a product.
  recorded = await storedOf(
    ({ x }) =>
      tf.tidy(() => [tf.conv2d(tf.softmax(tf.depthwiseConv2d(x as tf.Tensor4D, wide, 1, "same")) as tf.Tensor4D, point, 1, "same")]), // biome-ignore format: one line
    feeds,
  );
  key = keyOfStored(recorded.stored);
});
beforeEach(open);

async function open(): Promise<void> {
  binary = await freshBinary();
  let last = FIRST_ID;
  const nextId = () => last++;
  plan = new Plan(binary, fromStored(recorded.stored, nextId, placeWeights(binary, recorded.weights, nextId)));
}

function storeOf(stored?: unknown) {
  const kept: unknown[] = [stored];
  const store = {
    kernels: async () => kept.at(-1),
    keepKernels: async (value: unknown) => void kept.push(value),
  } as Partial<PlanStore> as PlanStore;
  return { kept, store };
}

const outputsOf = (): Float32Array => {
  plan.execute(feeds);
  return plan.read()[0]?.data as Float32Array;
};

const worst = (one: Float32Array, other: Float32Array) =>
  one.reduce((most, value, index) => Math.max(most, Math.abs(value - (other[index] as number))), 0);

test("a plan that is used is measured in pieces, and the next visit takes the choice over", async () => {
  const expected = outputsOf();
  const { kept, store } = storeOf();
  const kernels = await createStepKernels({ binary, store, outputs: ["y"] });
  expect(kernels.isWanted).toBe(false);
  for (let use = 0; use < 3; use += 1) kernels.used(key, plan, "run", feeds);
  let pieces = 0;
  for (; kernels.isWanted; pieces += 1) {
    await kernels.advance(async () => []);
    // Between two pieces a prediction may come.
    expect(worst(outputsOf(), expected)).toBeLessThan(1e-5);
  }
  expect(pieces).toBeGreaterThan(5);
  expect(kernels.info.kernels).toBeGreaterThan(0);
  const { steps } = kept.at(-1) as { steps: Record<string, number[]> };
  expect(steps[key]).toContain(0);
  const chosen = outputsOf();

  await open();
  const later = await createStepKernels({ binary, store, outputs: ["y"] });
  later.adopt(key, plan);
  expect(later.info).toEqual(kernels.info);
  expect(worst(outputsOf(), chosen)).toBe(0);
});

test("a choice of other kernels is not used; one that names other steps leaves those to tfjs", async () => {
  const expected = outputsOf();
  const before = plan.steps.slice();
  const old = await createStepKernels({ binary, outputs: ["y"], ...storeOf({ kernels: "0", steps: { [key]: [0] } }) });
  old.adopt(key, plan);
  expect(plan.steps).toEqual(before);
  const odd = { [key]: [1, 99, -1, "0", null] };
  const other = await createStepKernels({
    binary,
    outputs: ["y"],
    ...storeOf({ kernels: KERNELS_SHA256, steps: odd }),
  });
  other.adopt(key, plan);
  expect(plan.steps).toEqual(before);
  expect(outputsOf()).toEqual(expected);
});

test("a step whose kernel computes something else stays with tfjs", async () => {
  const kernels = await startKernels(binary.memory);
  const scratch = new Scratch(binary);
  // One value of the output is wrong.
  const damaged = (index: number, call: OwnStep["call"]) => {
    const made = makeOwnStep(binary, kernels, scratch, plan, index, call);
    if (call.kernel !== "depthwise") return made;
    const run = () => {
      made.run();
      const { address } = plan.tensor(call.out);
      new Float32Array(binary.HEAPU8.buffer, address, 1)[0] = 5;
    };
    return { ...made, run };
  };
  const choosing = choose({ binary, plan, feeds, key, outputs: ["y"], make: damaged, selfTests: async () => [] });
  let next = await choosing.next();
  while (!next.done) next = await choosing.next();
  expect(next.value.map(({ call }) => call.kernel)).not.toContain("depthwise");
});

test("no own kernel is chosen where the package's self-test fails with them", async () => {
  const expected = { y: { dtype: "float32" as const, shape: [1, 32, 32, 32], data: new Float32Array(32_768).fill(9), stride: 1, unstable: [] } }; // biome-ignore format: one line
  const { kept, store } = storeOf();
  const kernels = await createStepKernels({ binary, store, outputs: ["y"] });
  for (let use = 0; use < 3; use += 1) kernels.used(key, plan, "run", feeds);
  const test = { inputs: feeds, outputs: expected, tolerance: { wasm: 1e-4, webgpu: 1e-4, cpu: 1e-4 } };
  while (kernels.isWanted) await kernels.advance(async () => [test]);
  expect(kernels.info).toEqual({});
  // It is not measured again.
  expect(kept.at(-1)).toEqual({ kernels: KERNELS_SHA256, steps: { [key]: [] } });
});
