// A model that is used comes to run on the library's own kernels, gives the outputs of before but for rounding, and keeps them for later visits.
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LibraryPage } from "../../../support/page.js";
import { openSharedLibrary } from "../../../support/shared-browser.js";

let library: LibraryPage;

beforeAll(async () => {
  library = await openSharedLibrary({ mounts: { "/packages/": "models" } });
});
afterAll(() => library?.close());

const FILE = "/dist/worker-kernels.js";
/** Of the outputs, relative to the largest: as self-tests compare. */
const TOLERANCE = 1e-4;

interface Visit {
  /** What the first predictions computed, and those after the choice. */
  outputs: [first: number[], last: number[]];
  kernels: number | undefined;
  asked: string[];
}

/** Predicts until own kernels are used, or so often. */
async function visit(path: string, most: number): Promise<Visit> {
  await library.visit();
  library.server.requests.length = 0;
  const found = await library.page.evaluate(
    async ({ path, most }) => {
      const client = window.insitu.createClient({ backends: ["wasm"], worker: "/dist/worker.js" });
      const model = await client.load(path);
      const length = (model.info.inputs[0]?.shape ?? []).reduce((product, side) => product * Math.max(1, side), 1);
      const values = Float32Array.from({ length }, (_, index) => ((index * 7919) % 251) / 251);
      const predict = async () => {
        const { outputs } = await model.predict(values.slice());
        return Object.values(outputs).flatMap(({ data }) => Array.from(data));
      };
      const first = await predict();
      for (let count = 1; count < most && !model.info.plan.kernels; count += 1) {
        await predict();
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      const last = await predict();
      const { kernels } = model.info.plan;
      // The choice is stored after it was made.
      await new Promise((resolve) => setTimeout(resolve, 300));
      await client.dispose();
      return { outputs: [first, last] as [number[], number[]], kernels };
    },
    { path, most },
  );
  return { ...found, asked: library.server.requests.map(({ url }) => url) };
}

function difference(expected: number[], actual: number[]): number {
  const scale = Math.max(1, ...expected.map(Math.abs));
  return Math.max(...expected.map((value, index) => Math.abs(value - (actual[index] as number)))) / scale;
}

test.each(["features", "digits"])(
  "%s comes to use them, and does at the next visit from its first prediction on",
  async (name) => {
    const path = `/packages/${name}/package/`;
    const first = await visit(path, 200);
    expect(first.asked).toContain(FILE);
    expect(first.kernels).toBeGreaterThan(0);
    const [before, after] = first.outputs;
    expect(difference(before, after)).toBeLessThan(TOLERANCE);
    const second = await visit(path, 1);
    expect(second.kernels).toBe(first.kernels);
    // The same kernels, so the same bits.
    expect(second.outputs).toEqual([after, after]);
  },
);
