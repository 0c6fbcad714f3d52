// Which shapes of a session get a plan, when it is used, and what happens where it fails.
import { keep, memory, mul, type NamedTensorMap, type Tensor } from "@tensorflow/tfjs-core";
import { afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import type { TensorData } from "../../../../../src/shared/types/tensor.js";
import { Plan, planBytes } from "../../../../../src/worker/runtime/plan/plan.js";
import type { PlanMaker } from "../../../../../src/worker/runtime/plan/plan-maker.js";
import { PLAN_MAKERS } from "../../../../../src/worker/runtime/plan/plan-makers.js";
import { SessionPlans, type SessionPlansDeps } from "../../../../../src/worker/runtime/plan/session-plans.js";
import { loadGraph, noise, rewriteGraph } from "../../../../support/graph-models.js";
import { graphOf, input, ints, node, type Part, weight } from "../../../../support/handmade.js";
import { bitsOf, type Feeds, tensorsOf, useObservedWasm } from "../../../../support/plans.js";
import { readGraph } from "../../../../support/read-graph.js";

const noTests = async () => [];
let before: { tensors: number; bytes: number };
let opened: { execute: (inputs: NamedTensorMap) => Promise<Tensor[]>; dispose(): void };

beforeAll(useObservedWasm);
beforeEach(async () => {
  before = { tensors: memory().numTensors, bytes: planBytes() };
  opened = await open(readGraph("models/digits/package/model.json"));
});
afterEach(() => {
  opened.dispose();
  expect({ tensors: memory().numTensors, bytes: planBytes() }).toEqual(before);
});

async function open(graph: ReturnType<typeof readGraph>) {
  const model = await loadGraph(graph, rewriteGraph(graph));
  const execute = async (inputs: NamedTensorMap) => [model.execute(inputs, graph.graph.outputs)].flat() as Tensor[];
  return { execute, dispose: () => model.dispose() };
}

const images = (batch: number): Feeds => {
  const { values, shape } = noise([batch, 28, 28, 1], 0, 1);
  return { "image:0": { data: values as Float32Array, shape, dtype: "float32" } };
};

function plansOf(more: Partial<SessionPlansDeps> = {}): SessionPlans {
  const { execute } = opened;
  const takeFailure = () => undefined;
  const onTrap = vi.fn();
  return new SessionPlans({
    make: PLAN_MAKERS.wasm as PlanMaker,
    execute: { run: execute, embed: execute },
    takeFailure,
    onTrap,
    ...more,
  });
}

/** What a session does with a prediction: true where it was replayed. */
async function predict(plans: SessionPlans, feeds: Feeds, part: "run" | "embed" = "run"): Promise<boolean> {
  const replayed = await plans.replay(part, feeds);
  if (!replayed) plans.count(part, feeds);
  return replayed !== undefined;
}

async function tfjsOutputs(feeds: Feeds) {
  const inputs = tensorsOf(feeds);
  const results = await opened.execute(inputs);
  const outputs = results.map((result) => ({ data: result.dataSync(), shape: result.shape, dtype: result.dtype }));
  for (const one of [...results, ...Object.values(inputs)]) one.dispose();
  return bitsOf(outputs as Feeds[string][]);
}

async function makeAll(plans: SessionPlans): Promise<number> {
  let steps = 0;
  for (; plans.isWanted; steps += 1) await plans.advance(noTests);
  return steps;
}

test("a shape gets a plan once it is used twice, and then its predictions replay it", async () => {
  const plans = plansOf();
  expect(await predict(plans, images(1))).toBe(false);
  expect(plans.info).toEqual({ state: "none", shapes: 0 });
  expect(await predict(plans, images(1))).toBe(false);
  expect(plans.info).toEqual({ state: "recording", shapes: 0 });
  // Recorded, two checks of two runs each, and the end: predictions that come in between need not wait for all.
  expect(await makeAll(plans)).toBe(6);
  expect(plans.info).toEqual({ state: "used", shapes: 1 });
  expect(await predict(plans, images(1))).toBe(true);
  expect(await predict(plans, images(2))).toBe(false);
  plans.dispose();
});

test("four shapes are kept, the ones that were used last", async () => {
  const plans = plansOf();
  for (const batch of [1, 2, 3, 4, 5]) {
    for (let use = 0; use < 2; use += 1) await predict(plans, images(batch));
    await makeAll(plans);
    // The first is used again, so the second is the oldest.
    await predict(plans, images(1));
  }
  expect(plans.info.shapes).toBe(4);
  const replayed: boolean[] = [];
  for (const batch of [1, 2, 3, 4, 5]) replayed.push((await plans.replay("run", images(batch))) !== undefined);
  expect(replayed).toEqual([true, false, true, true, true]);
  plans.dispose();
});

test("the outputs and the embedding have plans of their own, with tfjs's outputs", async () => {
  const plans = plansOf();
  for (const part of ["run", "embed"] as const)
    for (let use = 0; use < 2; use += 1) await predict(plans, images(3), part);
  await makeAll(plans);
  const { data, shape, dtype } = images(4)["image:0"] as Feeds[string];
  const feeds: Feeds = { "image:0": { data: data.slice(784), shape: [3, ...shape.slice(1)], dtype } };
  const right = await tfjsOutputs(feeds);
  for (const part of ["run", "embed"] as const)
    expect(bitsOf((await plans.replay(part, feeds))?.outputs ?? [])).toEqual(right);
  plans.dispose();
});

test("a self-test of the shape is part of the check", async () => {
  const plans = plansOf();
  for (let use = 0; use < 2; use += 1) await predict(plans, images(1));
  const asked = vi.fn(async () => [1, 2].map((batch) => ({ inputs: images(batch), outputs: {}, tolerance: { cpu: 0, wasm: 0, webgpu: 0 } }))); // biome-ignore format: one line
  let steps = 0;
  for (; plans.isWanted; steps += 1) await plans.advance(asked);
  expect(steps).toBe(8);
  expect(asked).toHaveBeenCalledTimes(1);
  plans.dispose();
});

test("a replay that differs is refused with the reason, and no other shape is tried", async () => {
  const plans = plansOf();
  for (let use = 0; use < 2; use += 1) await predict(plans, images(1));
  await plans.advance(noTests);
  // The first check's outputs of tfjs, then those of the plan with one bit changed.
  await plans.advance(noTests);
  const { read } = Plan.prototype;
  const spy = vi.spyOn(Plan.prototype, "read").mockImplementation(function (this: Plan) {
    const outputs = read.call(this);
    const bytes = new Uint8Array((outputs[0] as TensorData).data.buffer);
    bytes[0] = 1 - (bytes[0] as number);
    return outputs;
  });
  await plans.advance(noTests);
  spy.mockRestore();
  expect(plans.info).toEqual({ state: "none", shapes: 0, reason: "a replayed run gives other outputs than tfjs" });
  for (let use = 0; use < 2; use += 1) expect(await predict(plans, images(2))).toBe(false);
  expect(plans.isWanted).toBe(false);
  plans.dispose();
});

test("a plan that fails is dropped, and tfjs runs; one that traps is told and throws", async () => {
  let failure: string | undefined;
  const onTrap = vi.fn();
  const plans = plansOf({ takeFailure: () => failure, onTrap });
  for (const batch of [1, 2]) for (let use = 0; use < 2; use += 1) await predict(plans, images(batch));
  await makeAll(plans);
  failure = "XNN status for xnn_setup is not successful";
  expect(await predict(plans, images(1))).toBe(false);
  expect(plans.info).toEqual({ state: "used", shapes: 1, reason: failure });
  failure = undefined;
  const trap = new WebAssembly.RuntimeError("memory access out of bounds");
  const spy = vi.spyOn(Plan.prototype, "read").mockImplementation(() => {
    throw trap;
  });
  await expect(plans.replay("run", images(2))).rejects.toBe(trap);
  expect(onTrap).toHaveBeenCalledWith("memory access out of bounds");
  spy.mockRestore();
  expect(plans.info).toEqual({ state: "none", shapes: 0, reason: "memory access out of bounds" });
  plans.dispose();
});

test("disposing while a plan is being made frees it", async () => {
  const plans = plansOf();
  for (let use = 0; use < 2; use += 1) await predict(plans, images(1));
  await plans.advance(noTests);
  await plans.advance(noTests);
  expect(planBytes()).toBeGreaterThan(before.bytes);
  plans.dispose();
  plans.dispose();
  expect(plans.isWanted).toBe(false);
});

async function openParts(parts: Part[], outputs: string[]) {
  opened.dispose();
  opened = await open(graphOf(parts, outputs));
  return plansOf();
}

test("an index that is in no table is left to tfjs, which says so; the plan is kept", async () => {
  const parts = [
    input("rows", [3]),
    node("indices", "Cast", ["rows"], { SrcT: { type: "DT_FLOAT" }, DstT: { type: "DT_INT32" } }),
    weight("table", [4, 2]),
    ints("axis", 0),
    node("found", "GatherV2", ["table", "indices", "axis"]),
  ];
  parts[3] = { ...(parts[3] as Part), constant: { shape: [], dtype: "int32", values: Int32Array.of(0) } };
  const plans = await openParts(parts, ["found"]);
  const rows = (...values: number[]): Feeds => ({
    rows: { data: Float32Array.from(values), shape: [3], dtype: "float32" },
  });
  for (let use = 0; use < 2; use += 1) await predict(plans, rows(0, 3, 1));
  await makeAll(plans);
  expect(plans.info).toEqual({ state: "used", shapes: 1 });
  expect(await predict(plans, rows(2, 2, 0))).toBe(true);
  expect(await predict(plans, rows(0, 4, 1))).toBe(false);
  expect(await predict(plans, rows(0, -1, 1))).toBe(false);
  expect(await predict(plans, rows(3, 2, 1))).toBe(true);
  plans.dispose();
});

test("the checks use the range of all values that came before, not only that of the first", async () => {
  const seen: number[] = [];
  const execute = async ({ x }: NamedTensorMap) => {
    seen.push(...(x as Tensor).dataSync());
    return [mul(x as Tensor, 2)];
  };
  const plans = plansOf({ execute: { run: execute, embed: execute } });
  for (const values of [[0, 0], [0, 0], [50, 90]]) // biome-ignore format: a table
    await predict(plans, { x: { data: Int32Array.from(values), shape: [2], dtype: "int32" } });
  // Reading the input is what makes this model one without a plan; its first run is the recorded one.
  await plans.advance(noTests);
  expect(Math.max(...seen)).toBeGreaterThan(0);
  expect(Math.max(...seen)).toBeLessThanOrEqual(90);
  plans.dispose();
});

test("a model that keeps tensors from one run to the next has no plan", async () => {
  const kept: Tensor[] = [];
  const execute = async ({ x }: NamedTensorMap) => {
    const state = keep(mul(x as Tensor, 2));
    kept.push(state);
    return [mul(state, 2)];
  };
  const plans = plansOf({ execute: { run: execute, embed: execute } });
  const feeds: Feeds = { x: { data: Float32Array.of(1, 2), shape: [2], dtype: "float32" } };
  for (let use = 0; use < 2; use += 1) await predict(plans, feeds);
  await makeAll(plans);
  expect(plans.info.reason).toBe("the model keeps tensors from one run to the next");
  for (const state of kept) state.dispose();
  plans.dispose();
});

test("a model whose outputs are made in JavaScript has no plan, and the reason names the kernel", async () => {
  const plans = await openParts([input("x", [6]), node("found", "Unique", ["x"])], ["found"]);
  const feeds: Feeds = { x: { data: Float32Array.of(1, 0, 2, 2, 0, 1), shape: [6], dtype: "float32" } };
  for (let use = 0; use < 2; use += 1) await predict(plans, feeds);
  await makeAll(plans);
  expect(plans.info).toEqual({ state: "none", shapes: 0, reason: "Unique computes in JavaScript" });
  plans.dispose();
});
