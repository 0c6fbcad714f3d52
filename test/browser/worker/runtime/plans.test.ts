// Plans in the page: the same outputs to the last bit with a plan and without, `model.info` says it, and a model that cannot says why.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { packModel } from "../../../../src/cli/pack.js";
import { type Compared, type CompareOptions, comparePlans } from "../../../support/compare-plans.js";
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

async function compare(path: string, options?: CompareOptions): Promise<Compared> {
  library = await openSharedLibrary({ mounts: { "/plans/": root } });
  return comparePlans(library, path, options);
}

test("digits, one at a time and eight together", async () => {
  const { before, after, outputs } = await compare("/plans/digits/", { sizes: [1, 8] });
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
  const { after, outputs } = await compare("/plans/integers/");
  expect(after).toEqual({ state: "used", shapes: 1 });
  for (const [tfjs, plan] of outputs) expect(plan).toBe(tfjs);
});

test("a model whose results have no fixed size says so", async () => {
  const { after } = await compare("/plans/constout/");
  const reason = "the model has control flow, or results whose size depends on the input";
  expect(after).toEqual({ state: "none", shapes: 0, reason });
});

test("other backends have no plans", async () => {
  const { after } = await compare("/models/digits/", { backend: "cpu" });
  expect(after).toEqual({ state: "none", shapes: 0, reason: "cpu has no plans" });
});
