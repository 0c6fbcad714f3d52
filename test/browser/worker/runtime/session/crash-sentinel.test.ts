// After two crashes while a backend was working, the model opens on another one; leaving the page does not count.
import type { Page } from "playwright";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Chromium } from "../../../../support/chromium.js";
import { crash } from "../../../../support/crash.js";
import { newVisitor, openPage } from "../../../../support/loads.js";
import { MOUNTS } from "../../../../support/page.js";
import { startServer, type TestServer } from "../../../../support/server.js";
import { connectChromium } from "../../../../support/shared-browser.js";

let server: TestServer;
let chromium: Chromium;
let visitor: Awaited<ReturnType<typeof newVisitor>>;

beforeAll(async () => {
  server = await startServer({ mounts: MOUNTS });
  chromium = await connectChromium();
});
afterAll(async () => {
  await chromium?.close();
  await server?.close();
});
beforeEach(async () => {
  await visitor?.close();
  visitor = await newVisitor(chromium);
});

/** Where a new page's model runs, and why not elsewhere. */
async function open(): Promise<{ page: Page; backend: string; refused: { backend: string; reason: string }[] }> {
  const page = await openPage(visitor, server.url);
  const told = await page.evaluate(async () => {
    const client = window.insitu.createClient({ backends: ["wasm", "cpu"] });
    const model = await client.load("/models/digits/");
    await model.stored;
    await model.tuned;
    Object.assign(window, { model, client });
    return { backend: model.info.backend, refused: structuredClone(model.info.refused) };
  });
  return { page, ...told };
}

/** Predictions that go on until the page is gone; resolves when some have been made. */
async function predictOn(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const { model } = window;
    const predict = () => model.predict(new Float32Array(784));
    for (let n = 0; n < 20; n += 1) await predict();
    void (async () => {
      for (;;) await predict();
    })();
    // The note that a backend is at work is written beside the predictions.
    await new Promise((resolve) => setTimeout(resolve, 300));
  });
}

test("two crashes during predictions, and the third visit starts one rung lower and says why", async () => {
  for (const visit of [1, 2]) {
    const { page, backend } = await open();
    expect(`visit ${visit}: ${backend}`).toBe(`visit ${visit}: wasm`);
    await predictOn(page);
    await crash(page);
  }
  const third = await open();
  expect(third.backend).toBe("cpu");
  expect(third.refused).toEqual([{ backend: "wasm", reason: expect.stringMatching(/the page crashed, 2 times/) }]);
});

test("pages that are closed, left or hidden during predictions have not crashed", async () => {
  for (const leave of [
    (page: Page) => page.close(),
    (page: Page) => page.goto(`${server.url}elsewhere`),
    (page: Page) => page.reload(),
  ]) {
    const { page, backend } = await open();
    expect(backend).toBe("wasm");
    await predictOn(page);
    await leave(page);
  }
  expect((await open()).backend).toBe("wasm");
});

test("a page that runs at the same time is no crash", async () => {
  for (const { page } of [await open(), await open(), await open()]) await predictOn(page);
  expect((await open()).backend).toBe("wasm");
});

test("a crash between predictions is not held against the backend", async () => {
  for (const _visit of [1, 2]) {
    const { page } = await open();
    // Longer than a burst is remembered.
    await page.waitForTimeout(1_500);
    await crash(page);
  }
  expect((await open()).backend).toBe("wasm");
});
