// Plans in the page: the same outputs to the last bit with a plan and without, `model.info` says it, and a model that cannot says why.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { packModel } from "../../../../src/cli/pack.js";
import type { Backend, PlanInfo } from "../../../../src/index.js";
import { convolution, input, node, type Part, weight } from "../../../support/handmade.js";
import { packHandmade } from "../../../support/handmade-package.js";
import type { LibraryPage } from "../../../support/page.js";
import { openSharedLibrary } from "../../../support/shared-browser.js";

let root: string;
let library: LibraryPage;

const SHAPE = [1, 16, 16, 3];

/** A picture of integers, which the model casts. */
const integers = (): Part => {
  const part = input("image", SHAPE);
  part.node.attr.dtype = { type: "DT_INT32" };
  return part;
};

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "insitu-plans-"));
  await packHandmade(join(root, "integers"), {
    parts: [
      integers(),
      node("floats", "Cast", ["image"], { SrcT: { type: "DT_INT32" }, DstT: { type: "DT_FLOAT" } }),
      weight("filter", [3, 3, 3, 4]),
      convolution("features", ["floats", "filter"]),
    ],
    inputs: ["image"],
    outputs: ["features"],
    task: {
      inputs: [{ name: "image", dtype: "int32", shape: SHAPE }],
      outputs: [{ name: "features", dtype: "float32", shape: [1, 16, 16, 4] }],
      task: { kind: "raw" },
    },
  });
  // Pages make the plan themselves.
  await packModel({ model: "models/digits/package", out: join(root, "digits"), name: "digits", plan: false });
  await packModel({
    model: "test/fixtures/cases/constout",
    out: join(root, "constout"),
    name: "constout",
    version: "1.0.0",
  });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
afterEach(() => library?.close());

interface Compared {
  before: PlanInfo;
  after: PlanInfo;
  /** The outputs' bytes in hex, of inputs that were first predicted by tfjs and then by the plan. */
  outputs: [tfjs: string, plan: string][];
}

/** Predicts batches by tfjs until each size has a plan, and then the same batches again. */
async function compare(path: string, sizes: number[], backend: Backend = "wasm"): Promise<Compared> {
  library = await openSharedLibrary({ mounts: { "/plans/": root } });
  return library.page.evaluate(
    async ({ path, sizes, backend }) => {
      const client = window.insitu.createClient({ backends: [backend] });
      const model = await client.load(path);
      await model.tuned;
      const feed = (seed: number) =>
        Object.fromEntries(
          model.info.inputs.map(({ name, dtype, shape }) => {
            const length = shape.reduce((product, side) => product * Math.max(1, side), 1);
            const values = Array.from({ length }, (_, index) => ((index + 1) * (seed + 3) * 7919) % 251);
            const floats = Float32Array.from(values, (value) => value / 255);
            return [name, dtype === "int32" ? Int32Array.from(values) : floats];
          }),
        );
      const hex = ({ outputs }: { outputs: Record<string, { data: ArrayBufferView }> }) =>
        Object.values(outputs)
          .flatMap(({ data }) => Array.from(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)))
          .join();
      // Predictions that wait run together: with the first of them, which runs alone, they are `size` + 1.
      const batch = async (size: number) => {
        const calls = Array.from({ length: size === 1 ? 1 : size + 1 }, (_, seed) => model.predict(feed(seed)));
        return (await Promise.all(calls)).map(hex);
      };
      const all = async () => {
        const found: string[][] = [];
        for (const size of sizes) found.push(await batch(size));
        return found.flat();
      };
      const before = model.info.plan;
      const tfjs = await all();
      const until = performance.now() + 20_000;
      for (let round = 0; round < 2; round += 1) await all();
      while (performance.now() < until && model.info.plan.shapes < sizes.length && !model.info.plan.reason)
        await new Promise((resolve) => setTimeout(resolve, 50));
      const plan = await all();
      const after = model.info.plan;
      await client.dispose();
      return { before, after, outputs: tfjs.map((one, index): [string, string] => [one, plan[index] as string]) };
    },
    { path, sizes, backend },
  );
}

test("digits, one at a time and eight together", async () => {
  const { before, after, outputs } = await compare("/plans/digits/", [1, 8]);
  expect(before).toMatchObject({ shapes: 0 });
  // Of one item, and of the batches that its load makes: mostly of eight, on a busy machine also of four.
  expect(after).toEqual({ state: "used", shapes: expect.any(Number) });
  expect(after.shapes).toBeGreaterThanOrEqual(2);
  expect(outputs).toHaveLength(10);
  for (const [tfjs, plan] of outputs) expect(plan).toBe(tfjs);
  // Different inputs have different outputs.
  expect(new Set(outputs.map(([tfjs]) => tfjs)).size).toBe(9);
});

test("a picture of integers, which the model casts", async () => {
  const { after, outputs } = await compare("/plans/integers/", [1]);
  expect(after).toEqual({ state: "used", shapes: 1 });
  for (const [tfjs, plan] of outputs) expect(plan).toBe(tfjs);
});

test("a model whose results have no fixed size says so", async () => {
  const { after } = await compare("/plans/constout/", [1]);
  const reason = "the model has control flow, or results whose size depends on the input";
  expect(after).toEqual({ state: "none", shapes: 0, reason });
});

test("other backends have no plans", async () => {
  const { after } = await compare("/models/digits/", [1], "cpu");
  expect(after).toEqual({ state: "none", shapes: 0, reason: "cpu has no plans" });
});
