// Random graphs of many ops, replayed with other inputs, give tfjs's outputs to the last bit: memory is not reused too early.
import type { NamedTensorMap, Tensor } from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { loadGraph, noise, rewriteGraph } from "../../../../support/graph-models.js";
import { graphOf } from "../../../../support/handmade.js";
import { bitsOf, type Feeds, planOf, runPlan, runTfjs, useObservedWasm } from "../../../../support/plans.js";
import { randomGraph, steps } from "../../../../support/random-graphs.js";

beforeAll(useObservedWasm);

const SHAPE = [1, 6, 6, 4];
const SIZE = 144;
const all = noise([4, ...SHAPE], -8, 8).values as Float32Array;
const feeds = (part: number): Feeds => ({
  x: { data: all.slice(part * SIZE, (part + 1) * SIZE), shape: SHAPE, dtype: "float32" },
});

test("random graphs", async () => {
  let reused = 0;
  const kept = fc.array(fc.nat(9), { maxLength: 2 });
  await fc.assert(
    fc.asyncProperty(steps, kept, fc.boolean(), async (list, keep, isRewritten) => {
      const { parts, outputs } = randomGraph(list, keep);
      fc.pre(outputs.length > 0);
      const graph = graphOf(parts, outputs);
      const model = await loadGraph(graph, isRewritten ? rewriteGraph(graph) : undefined);
      const execute = (inputs: NamedTensorMap) => [model.execute(inputs, outputs)].flat() as Tensor[];
      const { plan, recording } = await planOf(execute, feeds(0));
      for (const part of [1, 2, 3]) expect(bitsOf(await runPlan(plan, feeds(part)))).toEqual(bitsOf(runTfjs(execute, feeds(part)))); // biome-ignore format: one line
      const own = recording.tensors.filter(({ address }) => address === undefined);
      if (plan.bytes < own.reduce((sum, { size }) => sum + size * 4, 0)) reused += 1;
      plan.dispose();
      model.dispose();
    }),
    { numRuns: 600 },
  );
  // The memory of most graphs is used more than once.
  expect(reused).toBeGreaterThan(200);
});
