// A page that comes back from the back/forward cache goes on with the same client.
import { chromium } from "playwright";
import { expect, test, vi } from "vitest";
import { findBrowser } from "../../../support/chromium.js";
import { importLibrary, MOUNTS } from "../../../support/page.js";
import { startServer } from "../../../support/server.js";
import { openSharedLibrary } from "../../../support/shared-browser.js";

vi.setConfig({ testTimeout: 60_000 });

const load = async () => {
  const client = window.insitu.createClient({ backends: ["cpu"] });
  const model = await client.load("/models/digits/", { task: "classification" });
  await Promise.all([model.stored, model.tuned]);
  window.kept = { client, model };
  window.shows = [];
  addEventListener("pageshow", ({ persisted }) => void window.shows.push(persisted));
};
const goOn = async () => {
  const { client, model } = window.kept;
  const { value } = await model.predict(new Float32Array(784), { timeout: 10_000 });
  const again = await client.load("/models/digits/", { timeout: 10_000 });
  return { shows: window.shows, values: value.length, source: again.info.source };
};

test("after a pageshow that says the page was kept, calls that run and later ones are answered", async () => {
  const library = await openSharedLibrary();
  await library.page.evaluate(load);
  const during = await library.page.evaluate(async () => {
    const call = window.kept.model.predict(new Float32Array(784));
    dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }));
    dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
    return (await call).value.length;
  });
  expect(during).toBe(10);
  expect(await library.page.evaluate(goOn)).toEqual({ shows: [true], values: 10, source: "memory" });
  await library.close();
});

test("back from the back/forward cache the worker, its models and the store are as they were", async () => {
  const server = await startServer({ mounts: MOUNTS });
  const browser = await chromium.launch({
    executablePath: findBrowser(),
    args: ["--headless=new", ...(process.getuid?.() === 0 ? ["--no-sandbox"] : [])],
    // Playwright turns the cache off.
    ignoreDefaultArgs: ["--disable-back-forward-cache"],
  });
  try {
    const page = await browser.newPage();
    await page.goto(server.url);
    await importLibrary(page);
    await page.evaluate(load);
    await page.goto(`${server.url}?elsewhere`);
    await page.goBack({ waitUntil: "commit" });
    await page.waitForFunction(() => window.shows?.length === 1, undefined, { timeout: 10_000 });
    expect(await page.evaluate(goOn)).toEqual({ shows: [true], values: 10, source: "memory" });
  } finally {
    await browser.close();
    await server.close();
  }
});
