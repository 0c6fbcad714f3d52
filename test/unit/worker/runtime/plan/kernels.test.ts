// Every kernel of tfjs's wasm backend, recorded once with random shapes and replayed with other inputs, gives tfjs's outputs to the last bit.
import { engine, getKernelsForBackend, type Tensor } from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { Dice, floats, ints, type KernelCase } from "../../../../support/kernel-dice.js";
import { drawCase, drawFeeds, executeKernel, KERNELS } from "../../../../support/kernel-runs.js";
import { bitsOf, type Execute, type Feeds, planOf, runPlan, runTfjs, useObservedWasm } from "../../../../support/plans.js"; // biome-ignore format: one line

beforeAll(useObservedWasm);

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
  const known = [KERNELS, SOURCES, REFUSED].flatMap((table) => Object.keys(table));
  expect([...known, ...STRINGS].toSorted()).toEqual(registered.toSorted());
});

/** Some inputs are the model's, at least one, the others its weights. */
async function check(name: string, seed: number): Promise<void> {
  const { given, run, feeds, free } = drawCase(name, seed);
  const { plan } = await planOf(run, feeds());
  for (let again = 0; again < 3; again += 1) {
    const fed = feeds();
    expect(bitsOf(await runPlan(plan, fed)), JSON.stringify(given)).toEqual(bitsOf(runTfjs(run, fed)));
  }
  plan.dispose();
  free();
}

test.each(Object.keys(KERNELS))("%s", async (name) => {
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
  const run = executeKernel(name, given, {});
  await expect(planOf(run, drawFeeds(new Dice(1), given, Object.keys(given.inputs)))).rejects.toThrow(
    `${name} ${reason}`,
  );
});
