// Random graphs answer the same after they were rewritten, and rewriting what was rewritten changes nothing.
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { difference, loadGraph, noise, rewriteGraph, runGraph } from "../../../../support/graph-models.js";
import { graphOf, useWasm } from "../../../../support/handmade.js";
import { randomGraph, steps } from "../../../../support/random-graphs.js";

beforeAll(useWasm);

// All but keepPeaks, where rounding may decide which of two neighbours is the larger, and those that few such graphs have.
const RULES = [
  ...[
    "dropIdentities",
    "cancelTransposes",
    "recogniseActivations",
    "foldFactors",
    "foldFactorsBefore",
    "foldBatchNorm",
    "foldPads",
  ],
  ...[
    "fuseBias",
    "fuseHardSwish",
    "fuseActivation",

    "interleave",
    "squeezeExciteMean",
    "addPairs",
  ],
];

test("random graphs", async () => {
  const applied = new Map<string, number>();
  const kept = fc.array(fc.nat(9), { maxLength: 2 });
  await fc.assert(
    fc.asyncProperty(steps, kept, async (plan, keep) => {
      const { parts, outputs } = randomGraph(plan, keep);
      fc.pre(outputs.length > 0);
      const graph = graphOf(parts, outputs);
      const rewritten = rewriteGraph(graph);
      for (const [name, count] of Object.entries(rewritten.applied))
        applied.set(name, (applied.get(name) ?? 0) + count);
      const again = rewriteGraph({
        graph: {
          ...graph.graph,
          nodes: rewritten.nodes,
          weights: new Map(
            [...graph.graph.weights, ...rewritten.constants].filter(([name]) => !rewritten.unused.has(name)),
          ),
        },
        values: new Map([...graph.values, ...rewritten.constants]),
      });
      expect(again.applied).toEqual({});
      const models = [await loadGraph(graph), await loadGraph(graph, rewritten)] as const;
      const feeds = { x: noise([1, 6, 6, 4], -8, 8) };
      const error = difference(runGraph(models[0], outputs, feeds), runGraph(models[1], outputs, feeds));
      for (const model of models) model.dispose();
      expect(error).toBeLessThan(1e-5);
    }),
    { numRuns: 2500 },
  );
  // Each of these was tried.
  expect(RULES.filter((rule) => !applied.has(rule))).toEqual([]);
});
