// A model whose plans on WebGPU are stored starts without TensorFlow.js (in software): the same outputs; what does not fit is made anew; a
// device that is lost; pictures; what is freed.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { packModel } from "../../../../src/cli/pack.js";
import type { LibraryPage } from "../../../support/page.js";
import { makePictureModel } from "../../../support/pictures.js";
import { count, RIGGED_BARE, rig, riggedWorker } from "../../../support/rigged-worker.js";
import { SCENE } from "../../../support/scene.js";
import { openSharedLibrary } from "../../../support/shared-browser.js";
import { changeNote } from "../../../support/stored-notes.js";

let library: LibraryPage;
let root: string;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "insitu-gpu-starts-"));
  await packModel({ model: "models/digits/package", out: join(root, "digits"), name: "digits", plan: false });
  await makePictureModel(join(root, "pictures"), { width: 64, height: 48, image: { fit: "contain", scale: 1 / 255 } });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
beforeEach(async () => {
  library = await openSharedLibrary({ mounts: { "/plans/": root }, routes: [riggedWorker] }, "webgpu");
});
afterEach(() => library?.close());

const TFJS = "/dist/engine-tfjs.js";
const GPU = "/dist/worker-gpu.js";
const ROW = "gpu-plans";

/** Of those two files the ones that were asked for since the last call. */
const asked = () => library.server.requests.splice(0).flatMap(({ url }) => ([TFJS, GPU].includes(url) ? [url] : []));

/** Opens a new page and loads the model in it. */
async function open(name = "digits"): Promise<void> {
  await library.visit();
  asked();
  await library.page.addScriptTag({ content: SCENE });
  await library.page.evaluate(
    async ({ worker, name }) => {
      const client = window.insitu.createClient({ backends: ["webgpu"], worker });
      window.rigged = { client };
      window.rigged.model = await client.load(`/plans/${name}/`);
    },
    { worker: RIGGED_BARE, name },
  );
}

/** The outputs' bytes for predictions that are made at the same time. */
const predict = (items = 1) =>
  library.page.evaluate(async (items) => {
    const digit = (seed: number) => Float32Array.from({ length: 784 }, (_, index) => ((index * (seed + 3)) % 17) / 17);
    const calls = Array.from({ length: items }, (_, seed) => window.rigged.model?.predict(digit(seed)));
    return (await Promise.all(calls)).map((found) =>
      Object.values(found?.outputs ?? {})
        .flatMap(({ data }) => Array.from(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)))
        .join(),
    );
  }, items);

const plan = () => library.page.evaluate(() => window.rigged.model?.info.plan);

/** Predicts until the model has a plan that is stored. */
async function makePlan(isPicture = false): Promise<void> {
  await library.page.evaluate(async (isPicture) => {
    const { model } = window.rigged;
    await Promise.all([model?.stored, model?.tuned]);
    const given = isPicture ? window.scene(300, 200) : new Float32Array(784).fill(0.5);
    for (let wait = 0; wait < 400 && model?.info.plan.state !== "used"; wait += 1) {
      if (wait < 3) await model?.predict(given);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    // The plan is stored after it was made.
    await new Promise((resolve) => setTimeout(resolve, 500));
  }, isPicture);
  expect(await plan()).toEqual({ state: "used", shapes: 1 });
}

/** A first visit that stores a plan; the result is what tfjs predicts. */
async function firstVisit(): Promise<string[]> {
  await open();
  const outputs = await predict();
  expect(asked()).toEqual([TFJS]);
  await makePlan();
  return outputs;
}

test("the second visit does not ask for tfjs, and gives the same outputs; inputs without a plan do", async () => {
  const first = await firstVisit();
  await open();
  expect(await plan()).toEqual({ state: "used", shapes: 1 });
  expect(await predict()).toEqual(first);
  await library.page.evaluate(() => window.rigged.model?.tuned);
  expect(await predict()).toEqual(first);
  expect(asked()).toEqual([GPU]);
  // The first of these runs alone, the others together.
  const all = await predict(9);
  expect(all).toHaveLength(9);
  expect(new Set(all).size).toBe(9);
  expect(all[0]).toBe(first[0]);
  expect(asked()).toEqual([TFJS]);
  // tfjs took the stored plan along, and the device without tfjs was given up.
  expect(await plan()).toMatchObject({ state: "used" });
  expect(await predict()).toEqual(first);
});

test("plans of several batch sizes are stored together", async () => {
  const first = await firstVisit();
  for (let use = 0; use < 3; use += 1) await predict(5);
  await expect.poll(async () => (await plan())?.shapes, { timeout: 30_000 }).toBeGreaterThan(1);
  const five = await predict(5);
  await new Promise((resolve) => setTimeout(resolve, 500));
  await open();
  expect((await plan())?.shapes).toBeGreaterThan(1);
  expect(await predict(5)).toEqual(five);
  expect(await predict()).toEqual(first);
  expect(asked()).toEqual([GPU]);
});

/** Others are refused by the same check (plan-row.test.ts). */
const WRONG_ROWS: [what: string, fields: Record<string, unknown> | undefined][] = [
  ["of another adapter", { gpu: "another" }],
  ["with a byte that has changed", undefined],
  ["whose shader does not compile", { shaders: shadersOf("fn _start() {") }],
  ["whose shaders have other bindings", { shaders: shadersOf("@compute @workgroup_size(1) fn _start() {}") }],
];

function shadersOf(text: string): string[] {
  return Array.from({ length: 20 }, () => text);
}

test("rows that do not fit are not used, and made anew", async () => {
  const first = await firstVisit();
  for (const [what, fields] of WRONG_ROWS) {
    await changeNote(library.page, ROW, fields);
    await open();
    expect(await predict(), what).toEqual(first);
    expect(asked(), what).toContain(TFJS);
    await makePlan();
    await open();
    expect(await predict(), what).toEqual(first);
    expect(asked(), what).toEqual([GPU]);
  }
});

test("a plan that computes wrong numbers fails the self-test after the start, and is dropped", async () => {
  const first = await firstVisit();
  const { tensors, ...rest } = await storedPlan();
  await changeNote(library.page, ROW, { plans: [{ ...rest, tensors, steps: [] }] });
  await open();
  await library.page.evaluate(() => window.rigged.model?.tuned);
  expect(await predict()).toEqual(first);
  expect(asked()).toEqual([GPU, TFJS]);
});

/** The first plan of the stored row, as its header has it. */
const storedPlan = () =>
  library.page.evaluate(async () => {
    const result = <T>(request: IDBRequest<T>) =>
      new Promise<T>((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    const database = await result(indexedDB.open("insitu"));
    const rows = await result(database.transaction("notes").objectStore("notes").getAll());
    database.close();
    const bytes = await new Blob([rows.find(({ kind }) => kind === "gpu-plans").bytes]).arrayBuffer();
    const [length = 0] = new Uint32Array(bytes, 0, 1);
    return JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, length))).plans[0];
  });

test("a device that is lost before and during a prediction is opened anew, without tfjs", async () => {
  const first = await firstVisit();
  await open();
  expect(await predict()).toEqual(first);
  await rig(library.page, "destroyDevice");
  expect(await predict()).toEqual(first);
  expect(await count(library.page)).toMatchObject({ devices: 2 });
  expect(asked()).toEqual([GPU]);
  await open();
  const running = predict(1);
  await rig(library.page, "destroyDevice");
  expect(await running).toEqual(first);
  expect(await predict()).toEqual(first);
  expect(asked()).toEqual([GPU]);
});

test("disposing a model frees all its buffers, and a prediction makes nothing and submits once", async () => {
  await firstVisit();
  await open();
  await predict();
  const before = await count(library.page);
  expect(before.planBuffers).toBeGreaterThan(8);
  await predict();
  expect(await count(library.page)).toEqual({ ...before, submits: before.submits + 1 });
  await library.page.evaluate(() => window.rigged.model?.dispose());
  expect(await count(library.page)).toMatchObject({ planBuffers: 0 });
});

test("pictures are drawn in the plan's own pass: one submit, and the pixels of the first visit", async () => {
  const pixels = () =>
    library.page.evaluate(async () => {
      const found: Record<string, string> = {};
      for (const [kind, given] of Object.entries(await window.kinds(window.scene(301, 177))))
        found[kind] = String((await window.rigged.model?.predict(given))?.outputs["pixels:0"]?.data);
      return found;
    });
  await open("pictures");
  const first = await pixels();
  await makePlan(true);
  await open("pictures");
  // The first picture of a kind is drawn apart, since it checks the shader.
  expect(await pixels()).toEqual(first);
  const before = (await count(library.page)).submits;
  expect(await pixels()).toEqual(first);
  expect((await count(library.page)).submits - before).toBe(Object.keys(first).length);
  expect(asked()).toEqual([GPU]);
});
