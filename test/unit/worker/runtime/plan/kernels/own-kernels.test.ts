// The library's own kernels compute what tfjs's do, for random shapes, and touch nothing but their tensors.
import { setFlagsFromString } from "node:v8";
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { type KernelExports, startKernels } from "../../../../../../src/worker/runtime/plan/kernels/kernel-module.js";
import { makeOwnStep, ownCalls, Scratch } from "../../../../../../src/worker/runtime/plan/kernels/own-step.js";
import { hasOwnKernels } from "../../../../../../src/worker/runtime/plan/own-kernels.js";
import { Plan } from "../../../../../../src/worker/runtime/plan/plan.js";
import type { Binary } from "../../../../../../src/worker/runtime/plan/start-binary.js";
import { fromStored } from "../../../../../../src/worker/runtime/plan/stored-plan.js";
import { FIRST_ID } from "../../../../../../src/worker/runtime/plan/wasm-module.js";
import { noise } from "../../../../../support/graph-models.js";
import { type Execute, type Feeds, runTfjs, useObservedWasm } from "../../../../../support/plans.js";
import { freshBinary, placeWeights, storedOf } from "../../../../../support/stored-plans.js";

// Node 20 has relaxed SIMD behind a flag.
setFlagsFromString("--experimental-wasm-relaxed-simd");

const GUARD = 4_096;
/** Of the largest value of an output. */
const TOLERANCE = 1e-5;

let binary: Binary;
let kernels: KernelExports;
let nextId = FIRST_ID;

beforeAll(async () => {
  await useObservedWasm();
  binary = await freshBinary();
  kernels = await startKernels(binary.memory);
});

const random = (shape: number[], seed: number) => tf.tensor(noise([...shape, seed + 1], -1, 1).values.slice(0, shape.reduce((a, b) => a * b, 1)) as Float32Array, shape); // biome-ignore format: one line

interface Found {
  /** The kernel's name, where own kernels can compute the call. */
  kernel: string | undefined;
  difference: number;
}

/** Records the call, and computes it by tfjs's kernel and the own one in memory whose tensors lie between guards. */
async function compare(execute: Execute, shape: number[], weights: tf.Tensor[]): Promise<Found> {
  const feeds: Feeds = { x: { data: noise(shape, -1, 1).values as Float32Array, shape, dtype: "float32" } };
  const recorded = await storedOf(execute, feeds);
  const id = () => nextId++;
  const guards: [number, number][] = [];
  const place = (bytes: number) => {
    const start = binary._malloc(bytes + 2 * GUARD);
    binary.HEAPU8.fill(0xff, start, start + bytes + 2 * GUARD);
    guards.push([start, start + GUARD], [start + GUARD + bytes, start + 2 * GUARD + bytes]);
    return start + GUARD;
  };
  const recording = fromStored(recorded.stored, id, placeWeights(binary, recorded.weights, id, place));
  // The plan leaves a tensor with an address where it is.
  for (const tensor of recording.tensors) {
    if (tensor.address !== undefined || tensor.data) continue;
    const address = place(tensor.size * 4);
    binary.tfjs.registerTensor(tensor.id, tensor.size, address);
    tensor.address = address;
  }
  const plan = new Plan(binary, recording);
  const calls = [...ownCalls(plan)];
  plan.execute(feeds);
  const expected = plan.read()[0]?.data as Float32Array;
  const [index, call] = calls[0] ?? [0, undefined];
  if (!call) return { kernel: undefined, difference: 0 };
  const own = makeOwnStep(binary, kernels, new Scratch(binary), plan, index, call);
  // All that its output had is written.
  const { address, size } = plan.tensor(call.out);
  binary.HEAPU8.fill(0xff, address, address + size * 4);
  plan.steps[index] = own.run;
  plan.execute(feeds);
  const actual = plan.read()[0]?.data as Float32Array;
  for (const [from, to] of guards) expect(binary.HEAPU8.subarray(from, to).every((byte) => byte === 0xff)).toBe(true);
  own.dispose();
  plan.dispose();
  for (const { id, address: given } of recording.tensors) if (given !== undefined) binary.tfjs.disposeData(id);
  for (const [start] of guards.filter((_, at) => at % 2 === 0)) binary._free(start);
  const found = differenceOf(expected, actual);
  // tfjs's wasm kernel gives zeros for some windows that are wider than the picture; its cpu kernel is right.
  const difference = found < TOLERANCE ? found : differenceOf(await onCpu(execute, feeds), actual);
  for (const weight of weights) weight.dispose();
  return { kernel: call.kernel, difference };
}

function differenceOf(expected: Float32Array, actual: Float32Array): number {
  const scale = Math.max(...expected.map(Math.abs), 1e-3);
  const worst = expected.reduce((most, value, at) => Math.max(most, Math.abs(value - (actual[at] as number))), 0);
  return actual.some(Number.isNaN) ? Number.NaN : worst / scale;
}

async function onCpu(execute: Execute, feeds: Feeds): Promise<Float32Array> {
  await tf.setBackend("cpu");
  const [output] = runTfjs(execute, feeds);
  await useObservedWasm();
  return output?.data as Float32Array;
}

const activations = fc.constantFrom("linear", "linear", "relu", "relu", "relu6", "elu", "sigmoid", "leakyrelu") as fc.Arbitrary<tf.fused.Activation>; // biome-ignore format: one line
const paddings = fc.oneof(
  fc.constantFrom("same" as const, "valid" as const),
  fc.array(fc.nat(3), { minLength: 4, maxLength: 4 }),
);

const pictures = fc.record({
  batch: fc.integer({ min: 1, max: 3 }),
  height: fc.integer({ min: 1, max: 12 }),
  width: fc.integer({ min: 1, max: 15 }),
  from: fc.constantFrom(1, 2, 3, 4, 5, 8, 11, 12, 16, 20),
  to: fc.constantFrom(1, 2, 3, 4, 5, 7, 8, 9, 14, 16, 31),
  window: fc.oneof(fc.constant([1, 1]), fc.tuple(fc.integer({ min: 1, max: 5 }), fc.constantFrom(1, 2, 3, 3, 5))),
  stride: fc.constantFrom(1, 1, 2, 3),
  dilation: fc.constantFrom(1, 1, 1, 2),
  pad: paddings,
  hasBias: fc.boolean(),
  activation: activations,
});

test.each([false, true])(
  "convolutions of random shapes agree with tfjs's, or are left to it; depthwise: %s",
  async (isDepthwise) => {
    expect(hasOwnKernels()).toBe(true);
    const counts: Record<string, number> = {};
    const property = fc.asyncProperty(pictures, async (picture) => {
      const { batch, height, width, from, stride, dilation, hasBias, activation } = picture;
      const { pad, window } = picture;
      const [rows = 1, columns = 1] = window;
      const to = isDepthwise ? from : picture.to;
      const padding: "same" | "valid" | [[0, 0], [number, number], [number, number], [0, 0]] =
      typeof pad === "string" ? pad : [[0, 0], [pad[0] as number, pad[1] as number], [pad[2] as number, pad[3] as number], [0, 0]]; // biome-ignore format: one line
      const reach = (window: number) => (window - 1) * dilation + 1;
      const room = (side: number, before = 0, after = 0) => side + before + after;
      const [high, wide] = typeof pad === "string" ? [height, width] : [room(height, pad[0], pad[1]), room(width, pad[2], pad[3])]; // biome-ignore format: one line
      // tfjs refuses an empty output, and strides beside dilations.
      fc.pre((pad === "same" || (reach(rows) <= high && reach(columns) <= wide)) && (stride === 1 || dilation === 1));
      const filter = random(isDepthwise ? [rows, columns, from, 1] : [rows, columns, from, to], rows) as tf.Tensor4D;
      const bias = hasBias ? random([to], 7) : undefined;
      const options = { filter, bias, strides: stride, pad: padding, dataFormat: "NHWC", dilations: dilation, activation } as const; // biome-ignore format: one line
      const run = isDepthwise ? tf.fused.depthwiseConv2d : tf.fused.conv2d;
      const found = await compare(
        ({ x }) => [
          run({
            x: x as tf.Tensor4D,
            ...options,
            ...(typeof pad !== "string" && { dimRoundingMode: "floor" }),
          } as never),
        ],
        [batch, height, width, from],
        [filter, ...(bias ? [bias] : [])],
      );
      counts[found.kernel ?? "tfjs"] = (counts[found.kernel ?? "tfjs"] ?? 0) + 1;
      expect(found.difference).toBeLessThan(TOLERANCE);
      if (["elu", "leakyrelu"].includes(activation)) expect(found.kernel).toBeUndefined();
    });
    await fc.assert(property, { numRuns: 500 });
    for (const kernel of isDepthwise ? ["depthwise"] : ["multiply", "convolve"])
      expect(counts[kernel]).toBeGreaterThan(10);
  },
  60_000,
);

test("large shapes, whose weights do not fit the cache, agree too", async () => {
  for (const [side, from, to, window] of [
    [7, 700, 320, 1],
    [9, 130, 70, 3],
    [13, 64, 1, 3],
  ] as const) {
    // biome-ignore format: one line
    const filter = random([window, window, from, to], 3) as tf.Tensor4D;
    const { kernel, difference } = await compare(
      ({ x }) => [tf.conv2d(x as tf.Tensor4D, filter, 1, "same")],
      [1, side, side, from],
      [filter],
    );
    expect(kernel).toBe(window === 1 ? "multiply" : "convolve");
    expect(difference).toBeLessThan(TOLERANCE);
  }
});

test("products with a matrix of weights agree; those of two inputs are left to tfjs", async () => {
  const sides = fc.record({ rows: fc.integer({ min: 1, max: 9 }), inner: fc.integer({ min: 1, max: 33 }), columns: fc.integer({ min: 1, max: 21 }) }); // biome-ignore format: one line
  const property = fc.asyncProperty(
    sides,
    activations,
    fc.boolean(),
    async ({ rows, inner, columns }, activation, hasBias) => {
      const b = random([inner, columns], 5) as tf.Tensor2D;
      const bias = hasBias ? random([columns], 6) : undefined;
      const { kernel, difference } = await compare(
        ({ x }) => [tf.fused.matMul({ a: x as tf.Tensor2D, b, bias, activation })],
        [rows, inner],
        [b, ...(bias ? [bias] : [])],
      );
      expect(kernel).toBe(["linear", "relu", "relu6", "sigmoid"].includes(activation) ? "multiply" : undefined);
      expect(difference).toBeLessThan(TOLERANCE);
    },
  );
  await fc.assert(property, { numRuns: 100 });
  const both = await compare(({ x }) => [tf.matMul(x as tf.Tensor2D, x as tf.Tensor2D)], [4, 4], []);
  expect(both.kernel).toBeUndefined();
});
