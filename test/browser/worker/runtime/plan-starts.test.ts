// A model whose plans are stored starts without TensorFlow.js, on one thread and on several; what the worker imports is fetched when it is wanted.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { packModel } from "../../../../src/cli/pack.js";
import type { BatchingOptions } from "../../../../src/index.js";
import type { LibraryPage } from "../../../support/page.js";
import { openSharedLibrary } from "../../../support/shared-browser.js";
import { changeNote } from "../../../support/stored-notes.js";

let library: LibraryPage;
let root: string;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "insitu-plan-starts-"));
  // The first visit makes the plan.
  await packModel({ model: "models/digits/package", out: join(root, "digits"), name: "digits", plan: false });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
afterEach(() => library?.close());

const open = async (isolated = false) => {
  library = await openSharedLibrary({ mounts: { "/plans/": root }, isolated });
};

const TFJS = "/dist/engine-tfjs.js";

/** The paths that were asked for since the last call. */
function asked(): string[] {
  return library.server.requests.splice(0).map(({ url }) => url);
}

interface Visit {
  plan: unknown;
  threads: number | undefined;
  /** Of each prediction, its outputs. */
  outputs: number[][];
  error?: { code: string; message: string };
}

/** Predicts batches of the given numbers of items, one after the other; with `stay` until the model has a plan that is stored. */
async function visit(batches: number[], stay = false, batching?: BatchingOptions): Promise<Visit> {
  await library.visit();
  asked();
  return library.page.evaluate(
    async ({ batches, stay, batching }) => {
      const client = window.insitu.createClient({ backends: ["wasm"], worker: "/dist/worker.js" });
      try {
        const model = await client.load("/plans/digits/", { batching });
        const digit = (seed: number) =>
          Float32Array.from({ length: 784 }, (_, index) => ((index * (seed + 3)) % 17) / 17);
        const outputs: number[][] = [];
        for (const size of batches) {
          const calls = Array.from({ length: size }, (_, seed) => model.predict(digit(seed)));
          for (const { outputs: given } of await Promise.all(calls))
            outputs.push(Object.values(given).flatMap(({ data }) => Array.from(data)));
        }
        const until = performance.now() + 20_000;
        if (stay) await Promise.all([model.stored, model.tuned]);
        while (stay && performance.now() < until && model.info.plan.state !== "used") {
          await model.predict(digit(0));
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        // The plan is stored after it was made.
        if (stay) await new Promise((resolve) => setTimeout(resolve, 300));
        const { plan, threads } = model.info;
        return { plan, threads, outputs };
      } catch (error) {
        const { code, message } = error as { code: string; message: string };
        return { plan: undefined, threads: undefined, outputs: [], error: { code, message } };
      } finally {
        await client.dispose();
      }
    },
    { batches, stay, batching },
  );
}

test("the second visit asks neither for the package nor for tfjs, and gives the same outputs", async () => {
  await open();
  const first = await visit([1], true);
  expect(first.plan).toEqual({ state: "used", shapes: 1 });
  expect(asked()).toContain(TFJS);
  const second = await visit([1]);
  expect(second).toMatchObject({ plan: first.plan, outputs: first.outputs });
  expect(asked().filter((path) => /tfjs|plans/.test(path))).toEqual([]);
});

test("calls that wait run on the plan one after the other; in batches, which have no plan, only where the page asks for them", async () => {
  await open();
  const first = await visit([1], true);
  const alone = await visit(Array.from({ length: 9 }, () => 1));
  const together = await visit([9]);
  expect(together.plan).toEqual(first.plan);
  expect(together.outputs).toHaveLength(9);
  expect(together.outputs[0]).toEqual(alone.outputs[0]);
  expect(asked()).not.toContain(TFJS);
  const joined = await visit([1, 9], false, { maxBatchSize: 8 });
  expect(joined.outputs.slice(1)).toEqual(
    together.outputs.map((output) => output.map((value) => expect.closeTo(value, 5))),
  );
  expect(asked().filter((path) => path === TFJS)).toHaveLength(1);
});

/** Changes the target that the earlier visit found to be the fastest. */
const chooseThreads = (threads: number) =>
  changeNote(library.page, "choice", {
    target: { backend: "wasm", threads },
    measured: [{ backend: "wasm", threads, p50Ms: 1 }],
  });

test("on an isolated page the plan runs on the number of threads that was measured to be fastest, without tfjs", async () => {
  await open(true);
  const first = await visit([1], true);
  for (const threads of [2, 1]) {
    await chooseThreads(threads);
    const again = await visit([1, 1]);
    expect(again).toMatchObject({ threads, plan: { state: "used" } });
    for (const outputs of again.outputs) expect(outputs).toEqual(first.outputs[0]);
    const paths = asked();
    expect(paths.filter((path) => path === TFJS)).toEqual([]);
    expect(paths.includes("/dist/worker-threads.js")).toBe(threads > 1);
  }
});

test("a file of the worker that cannot be had is an error that names it, and the next load tries again", async () => {
  await open();
  library.server.faults.set(TFJS, { kind: "status", status: 404 });
  const { error } = await visit([1]);
  expect(error).toMatchObject({ code: "backend_unavailable" });
  expect(error?.message).toContain("engine-tfjs.js, which belongs beside worker.js");
  library.server.faults.clear();
  expect((await visit([1])).outputs).toHaveLength(1);
});

const OTHER_VERSION = 'export const VERSION = "0.0.1"; export const tfjsEngine = 1;';

test("a file of another version is asked for once more past the cache, and is then an error that says so", async () => {
  await open();
  library.server.faults.set(TFJS, [{ kind: "replace", body: OTHER_VERSION, type: "text/javascript" }]);
  // As when a cache held the file of the release before.
  expect((await visit([1])).outputs).toHaveLength(1);
  expect(asked().filter((url) => url.startsWith(TFJS))).toEqual([TFJS, expect.stringMatching(/^.*\?version=\d/)]);
  library.server.faults.set(TFJS, { kind: "replace", body: OTHER_VERSION, type: "text/javascript" });
  const { error } = await visit([1]);
  expect(error?.code).toBe("backend_unavailable");
  expect(error?.message).toMatch(/is of version 0\.0\.1, worker\.js of \d/);
});
