// Plans on WebGPU (in software), in the page: the same outputs to the last bit with a plan and without, pictures, losses and what is freed.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { packModel } from "../../../../src/cli/pack.js";
import { comparePlans } from "../../../support/compare-plans.js";
import { input, ints, node } from "../../../support/handmade.js";
import { packHandmade } from "../../../support/handmade-package.js";
import type { LibraryPage } from "../../../support/page.js";
import { makePictureModel } from "../../../support/pictures.js";
import { count, RIGGED_WORKER, rig, riggedWorker } from "../../../support/rigged-worker.js";
import { SCENE } from "../../../support/scene.js";
import { openSharedLibrary } from "../../../support/shared-browser.js";

let root: string;
let library: LibraryPage;

/** A slice that begins where the second input says. */
const DYNAMIC = {
  parts: [
    input("x", [1, 8]),
    input("at", [2]),
    node("begin", "Cast", ["at"], { SrcT: { type: "DT_FLOAT" }, DstT: { type: "DT_INT32" } }),
    ints("size", 1, 3),
    node("part", "Slice", ["x", "begin", "size"], { Index: { type: "DT_INT32" } }),
  ],
  inputs: ["x", "at"],
  outputs: ["part"],
};

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "insitu-gpu-plans-"));
  await packHandmade(join(root, "dynamic"), DYNAMIC);
  await makePictureModel(join(root, "pictures"), { width: 64, height: 48, image: { fit: "contain", scale: 1 / 255 } });
  await packModel({ model: "test/fixtures/cases/constout", out: join(root, "constout"), name: "constout", version: "1.0.0" }); // biome-ignore format: one line
  await packModel({ model: "test/fixtures/cases/twoheads", out: join(root, "twoheads"), name: "twoheads", version: "1.0.0" }); // biome-ignore format: one line
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
beforeEach(async () => {
  library = await openSharedLibrary({ mounts: { "/plans/": root }, routes: [riggedWorker] }, "webgpu");
});
afterEach(() => library?.close());

const backend = "webgpu";
const worker = RIGGED_WORKER;

test("digits, one at a time and eight together", async () => {
  const { before, after, outputs } = await comparePlans(library, "/models/digits/", { sizes: [1, 8], backend });
  expect(before).toMatchObject({ shapes: 0 });
  expect(after).toEqual({ state: "used", shapes: expect.any(Number) });
  expect(after.shapes).toBeGreaterThanOrEqual(2);
  expect(outputs).toHaveLength(10);
  for (const [tfjs, plan] of outputs) expect(plan).toBe(tfjs);
  expect(new Set(outputs.map(([tfjs]) => tfjs)).size).toBe(9);
});

test("a layers model with two outputs", async () => {
  const { after, outputs } = await comparePlans(library, "/plans/twoheads/", { backend });
  expect(after).toEqual({ state: "used", shapes: 1 });
  for (const [tfjs, plan] of outputs) expect(plan).toBe(tfjs);
});

test("a model that reads values back while it runs says so, and so does one whose results have no fixed size", async () => {
  const { after } = await comparePlans(library, "/plans/dynamic/", { backend });
  expect(after).toEqual({ state: "none", shapes: 0, reason: "the model reads values back" });
  const constout = await comparePlans(library, "/plans/constout/", { backend });
  const reason = "the model has control flow, or results whose size depends on the input";
  expect(constout.after).toEqual({ state: "none", shapes: 0, reason });
});

/** Loads a model in the rigged worker and predicts until a plan is used. */
async function usePlan(path: string, isPicture = false): Promise<void> {
  await library.page.addScriptTag({ content: SCENE });
  const plan = await library.page.evaluate(
    async ({ path, worker, isPicture }) => {
      const client = window.insitu.createClient({ backends: ["webgpu"], worker });
      const model = await client.load(path);
      window.rigged = { client, model };
      const given = isPicture ? window.scene(300, 200) : new Float32Array(784).fill(0.5);
      for (let use = 0; use < 3; use += 1) await model.predict(given);
      for (let wait = 0; wait < 600 && model.info.plan.state !== "used"; wait += 1)
        await new Promise((resolve) => setTimeout(resolve, 50));
      return model.info.plan;
    },
    { path, worker, isPicture },
  );
  expect(plan).toEqual({ state: "used", shapes: 1 });
}

test("pictures are drawn on the GPU for a plan too: of a canvas, a frame, a bitmap and a file the same pixels as by tfjs", async () => {
  const pixels = () =>
    library.page.evaluate(async () => {
      const found: Record<string, string> = {};
      const { model } = window.rigged;
      for (const [kind, given] of Object.entries(await window.kinds(window.scene(301, 177))))
        found[kind] = String((await model?.predict(given))?.outputs["pixels:0"]?.data);
      return found;
    });
  await library.page.addScriptTag({ content: SCENE });
  await library.page.evaluate(async (worker) => {
    const client = window.insitu.createClient({ backends: ["webgpu"], worker });
    window.rigged = { client, model: await client.load("/plans/pictures/") };
  }, worker);
  const byTfjs = await pixels();
  await library.page.evaluate(() => window.rigged.client.dispose());
  await library.visit();
  await usePlan("/plans/pictures/", true);
  const before = (await count(library.page)).groups;
  const byPlan = await pixels();
  expect(byPlan).toEqual(byTfjs);
  // For each prediction the one that draws the picture: no kernel of tfjs ran.
  expect((await count(library.page)).groups - before).toBe(Object.keys(byPlan).length);
});

test("a device that is lost during a plan's run: the prediction is made again, and the model gets a plan again", async () => {
  await usePlan("/models/digits/");
  const predict = () =>
    library.page.evaluate(async () => {
      const { model } = window.rigged;
      const calls = Array.from({ length: 4 }, () => model?.predict(new Float32Array(784).fill(0.5)));
      return (await Promise.all(calls)).map((result) => String(result?.outputs.probabilities?.data));
    });
  const before = await predict();
  const running = predict();
  await rig(library.page, "destroyDevice");
  expect(await running).toEqual(before);
  // The stored plan runs on a second device; tfjs, which batches without a plan need, has one of its own.
  expect([2, 3]).toContain((await count(library.page)).devices);
  const plan = await library.page.evaluate(async () => {
    const { model } = window.rigged;
    for (let wait = 0; wait < 200 && model?.info.plan.state !== "used"; wait += 1) {
      await model?.predict(new Float32Array(784));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return model?.info.plan;
  });
  expect(plan).toMatchObject({ state: "used" });
  expect(await predict()).toEqual(before);
});

test("disposing a model frees its plans' buffers, and a plan's run makes nothing", async () => {
  await usePlan("/models/digits/");
  const made = await count(library.page);
  expect(made.planBuffers).toBeGreaterThan(0);
  await library.page.evaluate(() => window.rigged.model?.predict(new Float32Array(784)));
  expect(await count(library.page)).toEqual({ ...made, submits: made.submits + 1 });
  await library.page.evaluate(() => window.rigged.model?.dispose());
  expect(await count(library.page)).toMatchObject({ planBuffers: 0 });
});
