// Every kernel of tfjs's wasm backend, recorded once with random shapes and replayed with other inputs, by tfjs's module and from a text without tfjs, gives tfjs's outputs to the last bit.
import { engine, getKernelsForBackend, type NamedTensorMap, type Tensor } from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { openBinary, restore, storedOf } from "../../../../support/binary.js";
import { KERNEL_CASES } from "../../../../support/kernel-cases.js";
import { Dice, floats, ints, type KernelCase } from "../../../../support/kernel-dice.js";
import { PICTURE_KERNEL_CASES } from "../../../../support/picture-kernel-cases.js";
import { bitsOf, type Execute, type Feeds, planOf, runPlan, runTfjs, tensorsOf, useObservedWasm, wasmBackend } from "../../../../support/plans.js"; // biome-ignore format: one line

beforeAll(useObservedWasm);
/** One for all: what a plan leaves in it must not change the next. */
const binary = openBinary();

const CASES = { ...KERNEL_CASES, ...PICTURE_KERNEL_CASES };
const RUNS = 40;

/** Kernels without inputs: their results are constants of a plan. */
const SOURCES: Record<string, (dice: Dice) => Record<string, unknown>> = {
  Fill: (dice) => ({ shape: dice.shape(), value: dice.int(-3, 3), dtype: dice.pick(["float32", "int32"]) }),
  LinSpace: (dice) => ({ start: dice.float(-1, 0), stop: dice.float(1, 2), num: dice.int(1, 9) }),
  Range: (dice) => ({ start: 0, stop: dice.int(1, 9), step: dice.int(1, 3), dtype: dice.pick(["float32", "int32"]) }),
};

const BOXES = { boxes: floats([4, 4], 0, 1), scores: floats([4], 0, 1) };
const NMS = { iouThreshold: 0.5, maxOutputSize: 4, scoreThreshold: 0, padToMaxOutputSize: false, softNmsSigma: 0 };
const SEGMENTS = { data: floats([4, 2]), indices: ints([3], 0, 3), segmentIds: ints([3], 0, 0) };
const SIZE = "makes outputs whose size depends on the input";
const READS = "reads values back";
const JAVASCRIPT = "computes in JavaScript";

/** Kernels that cannot be in a plan. */
const REFUSED: Record<string, { reason: string; given: KernelCase }> = {
  NonMaxSuppressionV3: { reason: SIZE, given: { inputs: BOXES, attrs: NMS } },
  NonMaxSuppressionV4: { reason: SIZE, given: { inputs: BOXES, attrs: NMS } },
  NonMaxSuppressionV5: { reason: SIZE, given: { inputs: BOXES, attrs: NMS } },
  Conv3DBackpropInputV2: {
    reason: "adds to memory that it has not cleared",
    given: {
      inputs: { dy: floats([1, 2, 2, 2, 1]), filter: floats([2, 2, 2, 1, 1]) },
      attrs: { strides: [1, 1, 1], pad: "same", inputShape: [1, 2, 2, 2, 1] },
    },
  },
  Unique: { reason: JAVASCRIPT, given: { inputs: { x: floats([4]) }, attrs: { axis: 0 } } },
  BroadcastArgs: { reason: JAVASCRIPT, given: { inputs: { s0: ints([2], 1, 1), s1: ints([2], 1, 1) } } },
  SparseFillEmptyRows: {
    reason: READS,
    given: {
      inputs: {
        indices: ints([2, 2], 0, 1),
        values: floats([2]),
        denseShape: ints([2], 3, 3),
        defaultValue: floats([]),
      },
    },
  },
  SparseReshape: {
    reason: READS,
    given: { inputs: { inputIndices: ints([2, 2], 0, 1), inputShape: ints([2], 2, 2), newShape: ints([1], 4, 4) } },
  },
  SparseSegmentMean: { reason: READS, given: { inputs: SEGMENTS } },
  SparseSegmentSum: { reason: READS, given: { inputs: SEGMENTS } },
};

/** No input or weight of a package is a string, and `dist/worker.js` has no such kernel. */
const STRINGS = ["StringNGrams", "StringSplit", "StringToHashBucketFast"];

test("every kernel is here", () => {
  const registered = getKernelsForBackend("wasm").map(({ kernelName }) => kernelName);
  const known = [CASES, SOURCES, REFUSED].flatMap((table) => Object.keys(table));
  expect([...known, ...STRINGS].toSorted()).toEqual(registered.toSorted());
});

function execute(name: string, { inputs, attrs, isList }: KernelCase, constants: NamedTensorMap): Execute {
  return (feeds) => {
    const all = { ...feeds, ...constants };
    const given = Object.keys(inputs).map((key) => [key, all[key] as Tensor] as const);
    const named = isList ? given.map(([, value]) => value) : Object.fromEntries(given);
    return [engine().runKernel(name, named as NamedTensorMap, attrs as never)].flat() as Tensor[];
  };
}

function draw(dice: Dice, { inputs }: KernelCase, keys: string[]): Feeds {
  const chosen = Object.entries(inputs).filter(([key]) => keys.includes(key));
  return Object.fromEntries(chosen.map(([key, drawn]) => [key, dice.values(drawn)]));
}

/** Some inputs are the model's, at least one, the others its weights. */
async function check(name: string, seed: number): Promise<void> {
  const dice = new Dice(seed);
  const given = (CASES[name] as (dice: Dice) => KernelCase)(dice);
  const keys = Object.keys(given.inputs);
  const fed = keys.filter(() => dice.next() < 0.7);
  if (fed.length === 0) fed.push(dice.pick(keys));
  const constants = tensorsOf(
    draw(
      dice,
      given,
      keys.filter((key) => !fed.includes(key)),
    ),
  );
  const run = execute(name, given, constants);
  const { plan, recording } = await planOf(run, draw(dice, given, fed));
  const { stored, weights } = storedOf(recording, wasmBackend().wasm);
  const restored = restore(await binary, stored, weights);
  for (let again = 0; again < 3; again += 1) {
    const feeds = draw(dice, given, fed);
    const right = bitsOf(runTfjs(run, feeds));
    expect(bitsOf(await runPlan(plan, feeds)), JSON.stringify(given)).toEqual(right);
    expect(bitsOf(await runPlan(restored, feeds)), `${JSON.stringify(given)}, stored`).toEqual(right);
  }
  plan.dispose();
  restored.dispose();
  for (const constant of Object.values(constants)) constant.dispose();
}

test.each(Object.keys(CASES))("%s", async (name) => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 2 ** 30 }), (seed) => check(name, seed)),
    { numRuns: RUNS },
  );
});

test.each(Object.keys(SOURCES))("%s is a constant", async (name) => {
  for (let seed = 1; seed <= RUNS; seed += 1) {
    const attrs = (SOURCES[name] as (dice: Dice) => Record<string, unknown>)(new Dice(seed));
    const run: Execute = ({ x }) => [
      engine().runKernel(name, {}, attrs as never) as Tensor,
      engine().runKernel("Neg", { x: x as Tensor }) as Tensor,
    ];
    const feeds: Feeds = { x: new Dice(seed).values(floats([3])) };
    const { plan, recording } = await planOf(run, feeds);
    expect(recording.steps).toHaveLength(1);
    expect(bitsOf(await runPlan(plan, feeds))).toEqual(bitsOf(runTfjs(run, feeds)));
    plan.dispose();
  }
});

test.each(Object.entries(REFUSED))("%s has a reason", async (name, { reason, given }) => {
  const run = execute(name, given, {});
  await expect(planOf(run, draw(new Dice(1), given, Object.keys(given.inputs)))).rejects.toThrow(`${name} ${reason}`);
});
