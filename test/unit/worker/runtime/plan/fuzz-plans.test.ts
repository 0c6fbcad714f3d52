// 10,000 plans of strangers: each is refused with a typed error, or runs within its own tensors, soon, and without a trap.
import type { NamedTensorMap, Tensor } from "@tensorflow/tfjs-core";
import { beforeAll, expect, test, vi } from "vitest";
import { isInsituError } from "../../../../../src/shared/errors.js";
import type { TensorData } from "../../../../../src/shared/types/tensor.js";
import { checkPlan } from "../../../../../src/worker/runtime/plan/check-plan.js";
import { readPlan } from "../../../../../src/worker/runtime/plan/plan-text.js";
import { NoPlanError, OutOfTableError } from "../../../../../src/worker/runtime/plan/steps.js";
import type { StoredPlan } from "../../../../../src/worker/runtime/plan/stored-plan.js";
import { bytesPerElement } from "../../../../../src/worker/runtime/plan/wasm-module.js";
import { loadGraph, rewriteGraph } from "../../../../support/graph-models.js";
import { GuardedRoom } from "../../../../support/guarded-replay.js";
import { Dice } from "../../../../support/kernel-dice.js";
import { drawCase, KERNELS } from "../../../../support/kernel-runs.js";
import { mutate } from "../../../../support/mutate-plans.js";
import { type Feeds, noiseFeeds, useObservedWasm } from "../../../../support/plans.js";
import { readGraph } from "../../../../support/read-graph.js";
import { manifestOf, type StoredCase, storedOf } from "../../../../support/stored-plans.js";

const CASES = Number(process.env.INSITU_FUZZ_CASES ?? 10_000);
const SEED = Number(process.env.INSITU_FUZZ_SEED ?? 1);
/** Plans of each kernel; the models' are longer, and are drawn as often as ten kernels. */
const SEEDS_OF_KERNELS = 3;
/** What takes long takes for ever; the machine may pause meanwhile. */
const MAX_MS = 5_000;
/** Of what is run here: the check allows more. */
const MAX_BYTES = 2 ** 25;

const bases: StoredCase[] = [];

beforeAll(async () => {
  await useObservedWasm();
  for (const name of Object.keys(KERNELS))
    for (let seed = 1; seed <= SEEDS_OF_KERNELS; seed += 1) {
      const { run, feeds, free } = drawCase(name, seed * 101);
      const one = await storedOf(run, feeds());
      free();
      if (isFit(one.stored)) bases.push(one);
    }
  const graph = readGraph("models/digits/package/model.json");
  const model = await loadGraph(graph, rewriteGraph(graph));
  const execute = (inputs: NamedTensorMap) => [model.execute(inputs, graph.graph.outputs)].flat() as Tensor[];
  const digits = await storedOf(execute, noiseFeeds(graph.graph, 1, 0));
  for (let time = 0; time < 10; time += 1) bases.push(digits);
  model.dispose();
});

function isFit(plan: StoredPlan): boolean {
  try {
    checkPlan(plan, manifestOf(plan), "a plan");
    return true;
  } catch {
    return false;
  }
}

const bytesOf = ({ tensors }: StoredPlan): number =>
  tensors.reduce((sum, { size, dtype }) => sum + size * bytesPerElement(dtype), 0);

function feedsOf({ inputs, tensors }: StoredPlan, dice: Dice): Feeds {
  const entries = inputs.map(({ name, tensor, shape }): [string, TensorData] => {
    const dtype = tensors[tensor]?.dtype ?? "float32";
    return [name, dice.values({ shape, dtype, low: dtype === "bool" ? 0 : -2, high: dtype === "bool" ? 1 : 4 })];
  });
  return Object.fromEntries(entries);
}

/** Undefined for one that is refused. Throws where the error is of another kind. */
function accepted(text: string, base: StoredPlan): StoredPlan | undefined {
  try {
    const plan = readPlan(text, "a plan");
    checkPlan(plan, manifestOf(base), "a plan");
    return plan;
  } catch (error) {
    if (isInsituError(error) && error.code === "model_format") return undefined;
    throw error;
  }
}

/** Whether the weights are there, as the engine checks before it opens a plan. */
const hasWeights = ({ tensors }: StoredPlan, { weights }: StoredCase): boolean =>
  tensors.every(({ weight, size, dtype }) => {
    const found = weight === undefined ? undefined : weights.get(weight);
    return weight === undefined || (found?.dtype === dtype && found.bytes.length === size * bytesPerElement(dtype));
  });

test(`${CASES} changed plans`, async () => {
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const counts = { refused: 0, unfit: 0, large: 0, left: 0, ran: 0, failed: 0 };
  let room = await GuardedRoom.open();
  let slowest = 0;
  for (let index = 0; index < CASES; index += 1) {
    const dice = new Dice(SEED * 1_000_003 + index * 7_919);
    const base = dice.pick(bases);
    const text = mutate(base.stored, dice);
    const started = performance.now();
    const plan = accepted(text, base.stored);
    slowest = Math.max(slowest, performance.now() - started);
    if (!plan) counts.refused += 1;
    else if (!hasWeights(plan, base)) counts.unfit += 1;
    else if (bytesOf(plan) > MAX_BYTES) counts.large += 1;
    else {
      const begun = performance.now();
      try {
        room.run(plan, base.weights, feedsOf(plan, dice));
        counts[room.binary.takeFailure() ? "failed" : "ran"] += 1;
      } catch (error) {
        if (!(error instanceof OutOfTableError || error instanceof NoPlanError))
          throw new Error(`case ${index}, ${String(error)}: ${text}`, { cause: error });
        counts.left += 1;
        room = await GuardedRoom.open();
      }
      if (performance.now() - begun > MAX_MS) throw new Error(`case ${index} took too long: ${text}`);
    }
    if (index % 500 === 499) room = await GuardedRoom.open();
  }
  console.log(JSON.stringify({ ...counts, slowestCheckMs: slowest }));
  // Most changes are found; those that are not are harmless, and there are enough of them to mean something.
  expect(counts.refused).toBeGreaterThan(CASES / 2);
  expect(counts.ran).toBeGreaterThan(CASES / 20);
}, 300_000);
