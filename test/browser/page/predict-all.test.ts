// Many inputs through the built library: order, cancelling, failures at their index, and single predictions that go first.
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LibraryPage } from "../../support/page.js";
import { openSharedLibrary } from "../../support/shared-browser.js";

let library: LibraryPage;

beforeAll(async () => {
  library = await openSharedLibrary();
  await library.page.evaluate(() => {
    // Pictures that differ: digit `id % 10`, written by the browser.
    Object.assign(window, {
      digit(id: number) {
        const canvas = new OffscreenCanvas(28, 28);
        const context = canvas.getContext("2d") as OffscreenCanvasRenderingContext2D;
        context.fillStyle = "white";
        context.font = "24px sans-serif";
        context.fillText(String(id % 10), 7, 23);
        return canvas;
      },
    });
  });
});
afterAll(() => library?.close());

test.each([1, 2])("40 images give what each gives alone, in order, with a pool of %i", async (pool) => {
  const { many, alone, progress } = await library.page.evaluate(async (pool) => {
    const client = window.insitu.createClient({ backends: ["cpu"], pool });
    const model = await client.load("/models/digits/", { task: "classification" });
    const pictures = Array.from({ length: 40 }, (_, id) => window.digit(id));
    const progress: { done: number; total?: number }[] = [];
    const many: number[][] = [];
    const onProgress = (step: { done: number; total?: number }) => void progress.push(step);
    for await (const { value } of model.predictAll(pictures, { onProgress }))
      many.push(value.map(({ index, score }) => index + score));
    const alone: number[][] = [];
    for (const picture of pictures.slice(0, 10)) {
      const { value } = await model.predict(picture);
      alone.push(value.map(({ index, score }) => index + score));
    }
    await client.dispose();
    return { many, alone, progress };
  }, pool);
  expect(many).toHaveLength(40);
  for (const [place, scores] of many.entries()) {
    const expected = alone[place % 10] as number[];
    expect(scores.map(Math.floor)).toEqual(expected.map(Math.floor));
    for (const [rank, score] of scores.entries()) expect(score).toBeCloseTo(expected[rank] as number, 4);
  }
  expect(progress).toEqual(Array.from({ length: 40 }, (_, place) => ({ done: place + 1, total: 40 })));
});

test("leaving the loop and a signal free the model for the next call, and end the source", async () => {
  const result = await library.page.evaluate(async () => {
    const client = window.insitu.createClient({ backends: ["cpu"] });
    const model = await client.load("/models/digits/");
    let taken = 0;
    let closed = 0;
    async function* endless() {
      try {
        while (true) {
          taken += 1;
          yield new Float32Array(784);
        }
      } finally {
        closed += 1;
      }
    }
    let got = 0;
    for await (const _ of model.predictAll(endless(), { batchSize: 4 })) if (++got === 3) break;
    const takenAtBreak = taken;
    const controller = new AbortController();
    const failed = await (async () => {
      for await (const _ of model.predictAll(endless(), { signal: controller.signal })) controller.abort();
    })().catch((error: { code: string }) => error.code);
    const takenAtEnd = taken;
    await model.predict(new Float32Array(784));
    await client.dispose();
    return { got, closed, failed, takenAtBreak, later: taken - takenAtEnd };
  });
  // Three were handed out, and four held at most.
  expect(result).toMatchObject({ got: 3, closed: 2, failed: "aborted", later: 0 });
  expect(result.takenAtBreak).toBeLessThanOrEqual(7);
});

test("an input that does not fit is an error with its index, after the results before it", async () => {
  const result = await library.page.evaluate(async () => {
    const client = window.insitu.createClient({ backends: ["cpu"] });
    const model = await client.load("/models/digits/");
    const stray: unknown[] = [];
    window.addEventListener("unhandledrejection", ({ reason }) => stray.push(String(reason)));
    const inputs = Array.from({ length: 9 }, (_, place) => new Float32Array(place < 5 ? 784 : 7));
    let got = 0;
    const error = await (async () => {
      for await (const _ of model.predictAll(inputs)) got += 1;
    })().catch((reason: { code: string; data: { index: number } }) => ({
      code: reason.code,
      index: reason.data.index,
    }));
    await new Promise((resolve) => setTimeout(resolve, 100));
    await client.dispose();
    return { got, error, stray };
  });
  expect(result).toEqual({ got: 5, error: { code: "input_invalid", index: 5 }, stray: [] });
});

test("a single prediction overtakes those of a sequence that wait", async () => {
  const finished = await library.page.evaluate(async () => {
    const client = window.insitu.createClient({ backends: ["cpu"] });
    // One item a run: in one batch all would end together.
    const model = await client.load("/models/digits/", { batching: { maxBatchSize: 1, maxEnqueuedBatches: 99 } });
    await model.tuned;
    const finished: string[] = [];
    const walk = (async () => {
      const inputs = Array.from({ length: 24 }, () => new Float32Array(784));
      for await (const _ of model.predictAll(inputs, { batchSize: 24 })) finished.push("many");
    })();
    await new Promise((resolve) => setTimeout(resolve));
    await model.predict(new Float32Array(784));
    finished.push("one");
    await walk;
    await client.dispose();
    return finished;
  });
  expect(finished).toHaveLength(25);
  expect(finished.indexOf("one")).toBeLessThan(20);
});
