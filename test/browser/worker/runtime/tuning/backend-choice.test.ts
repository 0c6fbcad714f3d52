// Which backend a model runs on: measured once, remembered, measured again when the browser changed, with reasons.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { ClientOptions } from "../../../../../src/index.js";
import { input, node, string, weight } from "../../../../support/handmade.js";
import { packHandmade } from "../../../../support/handmade-package.js";
import type { LibraryPage } from "../../../../support/page.js";
import { openSharedLibrary } from "../../../../support/shared-browser.js";

let library: LibraryPage;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "insitu-choose-"));
  // tfjs's wasm has no kernel for Einsum; its cpu has.
  await packHandmade(join(folder, "einsum"), {
    parts: [
      input("x", [3, 2]),
      weight("w", [2, 2]),
      node("y", "Einsum", ["x", "w"], { N: { i: "2" }, equation: string("ij,jk->ik") }),
    ],
    inputs: ["x"],
    outputs: ["y"],
    task: { outputs: [{ name: "y", dtype: "float32", shape: [3, 2] }] },
  });
  library = await openSharedLibrary({ isolated: true, mounts: { "/handmade/": folder } });
});
afterAll(async () => {
  await library?.close();
  if (folder) rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => library.visit());

/** What `info` says at once and when the fastest was found, and the milliseconds between. */
function load(path: string, options: ClientOptions = {}) {
  return library.page.evaluate(
    async ({ path, options }) => {
      const client = window.insitu.createClient(options);
      const model = await client.load(path);
      const told = () => {
        const { backend, threads, measured, refused, source } = model.info;
        return structuredClone({ backend, threads, measured, refused, source });
      };
      const first = told();
      const started = performance.now();
      await model.tuned;
      const ms = performance.now() - started;
      const tuned = told();
      const length = model.info.inputs[0]?.shape.reduce((product, size) => product * Math.abs(size), 1) ?? 0;
      const { backend } = await model.predict(new Float32Array(length).fill(0.5));
      await model.stored;
      await client.dispose();
      return { first, tuned, ms, ran: backend };
    },
    { path, options },
  );
}

test("a model starts on the first backend, and its threads are measured in pauses", async () => {
  const { first, tuned, ran } = await load("/models/digits/");
  expect(first).toMatchObject({ backend: "wasm", threads: 1, measured: [], source: "network" });
  const cores = await library.page.evaluate(() => navigator.hardwareConcurrency);
  const threads = tuned.measured.filter(({ backend }) => backend === "wasm").map((one) => one.threads);
  expect(threads).toEqual(cores > 1 ? [1, 2, ...threads.slice(2)] : [1]);
  const fastest = tuned.measured.reduce((a, b) => (b.p50Ms < a.p50Ms ? b : a));
  const used = tuned.measured.find((one) => one.backend === tuned.backend && one.threads === tuned.threads);
  // A move must win a tenth.
  expect(used?.p50Ms).toBeLessThanOrEqual(fastest.p50Ms / 0.9);
  expect(ran).toBe(tuned.backend);
  expect(tuned.refused.map(({ backend }) => backend).sort()).toEqual(
    ["cpu", "wasm", "webgpu"].filter((backend) => backend !== tuned.backend),
  );
});

test("the next visit starts where the last one ended, and measures nothing", async () => {
  const before = await load("/models/digits/");
  await library.visit();
  const { first, tuned } = await load("/models/digits/");
  expect(first).toEqual({ ...before.tuned, source: "cache" });
  expect(tuned).toEqual(first);
});

test("with other backends allowed it is measured anew", async () => {
  const backends: ClientOptions["backends"] = ["cpu", "wasm"];
  const { first, tuned } = await load("/models/digits/", { backends });
  expect(first).toMatchObject({ backend: "cpu", measured: [] });
  expect(tuned.measured.map(({ backend }) => backend)).toContain("wasm");
  // Plain JavaScript needs ten times as long.
  expect(tuned.backend).toBe("wasm");
  expect(tuned.refused).toEqual([{ backend: "cpu", reason: expect.stringMatching(/^slower: [\d.]+ ms, wasm takes/) }]);
});

test("a backend without a kernel that the graph needs is refused by the op's name", async () => {
  const { first, ran } = await load("/handmade/einsum/", { backends: ["wasm", "cpu"] });
  expect(ran).toBe("cpu");
  expect(first.refused).toEqual([{ backend: "wasm", reason: "wasm has no kernel for Einsum" }]);
});
