// wasm whose memory is used up: a prediction is right or has an error, batches get smaller, and another backend helps.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { TaskFile } from "../../../../../src/cli/task-file.js";
import type { Backend } from "../../../../../src/index.js";
import { convolution, input, weight } from "../../../../support/handmade.js";
import { packHandmade } from "../../../../support/handmade-package.js";
import type { LibraryPage } from "../../../../support/page.js";
import { RIGGED_WORKER, rig, riggedWorker } from "../../../../support/rigged-worker.js";
import { openSharedLibrary } from "../../../../support/shared-browser.js";

let root: string;
let library: LibraryPage;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "insitu-memory-"));
  const SUM: TaskFile["task"] = { kind: "raw" };
  // The sum of nine neighbours. XNNPACK needs a table of nine addresses for each pixel: 37 MB for the large image.
  for (const [name, shape, task] of [
    ["large", [1, 1024, 1024, 1], SUM],
    ["small", [-1, 192, 192, 1], SUM],
    ["many", [-1, 64, 64, 1], { kind: "ranking", output: "sums" }],
  ] as [string, number[], TaskFile["task"]][])
    await packHandmade(join(root, name), {
      parts: [
        input("image", shape),
        weight("filter", [3, 3, 1, 1], new Array(9).fill(1)),
        convolution("sums", ["image", "filter"]),
      ],
      inputs: ["image"],
      outputs: ["sums"],
      task: { task, outputs: [{ name: "sums", dtype: "float32", shape }] },
    });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
afterEach(() => library?.close());

/** Starts a worker. */
async function start(backends: Backend[]): Promise<void> {
  library = await openSharedLibrary({ mounts: { "/memory/": root }, routes: [riggedWorker] });
  await library.page.evaluate(
    async ({ backends, worker }) => {
      window.rigged = { client: window.insitu.createClient({ backends, worker }) };
      await window.rigged.client.capabilities();
    },
    { backends, worker: RIGGED_WORKER },
  );
}

const load = (name: string) =>
  library.page.evaluate(async (name) => {
    try {
      window.rigged.model = await window.rigged.client.load(`/memory/${name}/`);
      await window.rigged.model.tuned;
      return "loaded";
    } catch (error) {
      const { code, message } = error as { code: string; message: string };
      return `${code}: ${message}`;
    }
  }, name);

/** Predicts images of ones, twos, … at once; the middle of each image must be nine times that. `items` are in one call. */
const predict = (side: number, calls: number, items = 1) =>
  library.page.evaluate(
    async ({ side, calls, items }) => {
      const model = window.rigged.model as NonNullable<typeof window.rigged.model>;
      const size = side * side;
      const one = async (value: number) => {
        try {
          const { outputs, backend } = await model.predict(new Float32Array(items * size).fill(value));
          const data = Object.values(outputs)[0]?.data;
          const middles = Array.from(
            { length: items },
            (_, item) => data?.[item * size + side * (side / 2) + side / 2],
          );
          const wrong = middles.find((found) => found !== 9 * value);
          return wrong === undefined ? backend : `wrong: ${wrong} for ${9 * value}`;
        } catch (error) {
          return (error as { code: string }).code;
        }
      };
      const answers = await Promise.all(Array.from({ length: calls }, (_, index) => one(index + 1)));
      return { answers: [...new Set(answers)], refused: model.info.refused, backend: model.info.backend };
    },
    { side, calls, items },
  );

const NO_MEMORY = { backend: "wasm", reason: expect.stringMatching(/ran out of memory/) };

test("a model for which a kernel of wasm finds no memory runs on the next backend, which is told", async () => {
  await start(["wasm", "cpu"]);
  await rig(library.page, "limitMemory");
  expect(await load("large")).toBe("loaded");
  expect(await predict(1024, 1)).toEqual({ answers: ["cpu"], backend: "cpu", refused: [NO_MEMORY] });
});

test("without another backend its load is an error that names the memory", async () => {
  await start(["wasm"]);
  await rig(library.page, "limitMemory");
  expect(await load("large")).toMatch(/^backend_unavailable: .*wasm ran out of memory/);
});

// 1,000 items and their outputs are 33 MB; the module has 16.
test("a call that is too large for wasm runs on the next backend, although closing wasm fails", async () => {
  await start(["wasm", "cpu"]);
  await load("many");
  await rig(library.page, "limitMemory");
  expect(await predict(64, 1, 10)).toMatchObject({ answers: ["wasm"] });
  expect(await predict(64, 1, 1_000)).toEqual({ answers: ["cpu"], backend: "cpu", refused: [NO_MEMORY] });
});

test("without another backend it is an error, and the model works on", async () => {
  await start(["wasm"]);
  await load("many");
  await rig(library.page, "limitMemory");
  expect(await predict(64, 1, 1_000)).toMatchObject({ answers: ["out_of_memory"] });
  expect(await predict(64, 1, 10)).toMatchObject({ answers: ["wasm"], refused: [] });
});

test("a model for whose plan there is no memory runs without, and says so", async () => {
  await start(["wasm"]);
  await load("large");
  await predict(1024, 1);
  await rig(library.page, "limitMemory");
  // A run of tfjs fits into what the first one left; a plan beside its checks does not.
  expect(await predict(1024, 1)).toMatchObject({ answers: ["wasm"] });
  const info = () => library.page.evaluate(() => window.rigged.model?.info.plan);
  await expect
    .poll(info, { timeout: 10_000 })
    .toEqual({ state: "none", shapes: 0, reason: expect.stringMatching(/out of memory/) });
  expect(await predict(1024, 1)).toMatchObject({ answers: ["wasm"], refused: [] });
});

test("a batch that is too large is run in smaller ones, on the same backend", async () => {
  await start(["wasm", "cpu"]);
  await load("small");
  await rig(library.page, "limitMemory");
  // 32 images and their outputs are 9.4 MB; the module has 16, of which it needs some itself.
  await predict(192, 64);
  const { answers, refused } = await predict(192, 64);
  expect(answers).toEqual(["wasm"]);
  expect(refused.filter(({ reason }) => /memory/.test(reason))).toEqual([]);
});
