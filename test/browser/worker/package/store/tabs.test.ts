// Tabs that share a store: one downloads while the others wait, and the next one takes over from a tab that dies.
import type { BrowserContext, Page } from "playwright";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Chromium } from "../../../../support/chromium.js";
import { crash } from "../../../../support/crash.js";
import {
  ask,
  load,
  loadFresh,
  newVisitor,
  openPage,
  predict,
  startClient,
  storedChunks,
  visit,
} from "../../../../support/loads.js";
import { connectChromium } from "../../../../support/shared-browser.js";
import { CHUNK, type Recipe, sizeOf, sumOf } from "../../../../support/synthetic.js";
import { openSite, type Site } from "../../../../support/synthetic-site.js";

const RECIPE = { tables: [1, 2, 3, 4, 5] } satisfies Recipe;
const NEWER = { tables: [1, 2, 13, 14, 15], release: 2 } satisfies Recipe;
const LOADED = { release: 1, sum: sumOf(RECIPE.tables) };
const TWO_CHUNKS = 2 * CHUNK;

let site: Site;
let chromium: Chromium;
let visitor: BrowserContext;
let first: Page;
let second: Page;
let total: number;
/** Lets the worker go on that waits. */
let resume: (() => void) | undefined;

beforeAll(async () => {
  site = await openSite([
    (req, res) => {
      if (req.url !== "/stopped") return false;
      resume = () => res.end();
      return true;
    },
  ]);
  // Waits before the first chunk of weights that it reads from the store; the model's description is read before.
  site.workers.set(
    "reads-late",
    `let reads = 0;
    const { getFileHandle } = FileSystemDirectoryHandle.prototype;
    FileSystemDirectoryHandle.prototype.getFileHandle = async function (...given) {
      if (++reads === 1) await fetch("/stopped");
      return getFileHandle.apply(this, given);
    };`,
  );
  chromium = await connectChromium();
});
afterAll(async () => {
  await chromium?.close();
  await site?.close();
});
beforeEach(async () => {
  site.host.release();
  total = sizeOf(await site.publish("/p/", RECIPE));
  await visitor?.close();
  visitor = await newVisitor(chromium);
  [first, second] = (await Promise.all([0, 1].map(() => openPage(visitor, site.server.url)))) as [Page, Page];
  site.server.requests.length = 0;
});

const requests = (path: string) => site.server.requests.filter(({ url }) => url === path).length;

/** The first tab has stored two chunks, and waits for more. */
const firstIsHeld = () => expect.poll(async () => (await storedChunks(second))?.length).toBe(2);
/** Time in which a load that does not wait would have asked for the manifest. */
const aWhile = () => new Promise((done) => setTimeout(done, 1_000));

test("two tabs that load at once download the package once", async () => {
  site.host.hold(TWO_CHUNKS);
  const one = loadFresh(first, "/p/");
  await firstIsHeld();
  const two = loadFresh(second, "/p/");
  await aWhile();
  expect(requests("/p/insitu.json")).toBe(1);
  site.host.release();
  expect(await one).toEqual({ ...LOADED, source: "network" });
  expect(await two).toEqual({ ...LOADED, source: "cache" });
  expect(site.sent("/p/")).toBe(total);
  expect(requests("/p/insitu.json")).toBe(1);
  expect(requests("/p/model.json")).toBe(1);
});

test("a tab that crashes while it downloads passes its turn on, with what it had stored", async () => {
  site.host.hold(TWO_CHUNKS);
  const one = loadFresh(first, "/p/").catch(() => "the page is gone");
  await firstIsHeld();
  const two = loadFresh(second, "/p/");
  await aWhile();
  expect(requests("/p/insitu.json")).toBe(1);
  await crash(first);
  expect(await one).toBe("the page is gone");
  await expect.poll(() => requests("/p/insitu.json")).toBe(2);
  site.host.release();
  expect(await two).toEqual({ ...LOADED, source: "network" });
  // The two chunks of the tab that crashed, and the rest: nothing twice.
  expect(site.sent("/p/")).toBe(total);
});

test("a tab that waits for another one's download can be aborted, and the other goes on", async () => {
  site.host.hold(TWO_CHUNKS);
  const one = loadFresh(first, "/p/");
  await firstIsHeld();
  const aborted = await second.evaluate(async () => {
    const client = window.insitu.createClient({ backends: ["cpu"] });
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 500);
    const load = client.load("/p/", { signal: controller.signal });
    return load.catch(({ code }: { code: string }) => code);
  });
  expect(aborted).toBe("aborted");
  site.host.release();
  expect(await one).toEqual({ ...LOADED, source: "network" });
  expect(site.sent("/p/")).toBe(total);
});

test("clients of two storage names do not wait for each other", async () => {
  site.host.hold(TWO_CHUNKS);
  const one = loadFresh(first, "/p/");
  await firstIsHeld();
  const two = loadFresh(second, "/p/", { storage: { name: "other" } });
  await expect.poll(async () => (await storedChunks(second, "other"))?.length).toBe(2);
  site.host.release();
  expect(await Promise.all([one, two])).toEqual([
    { ...LOADED, source: "network" },
    { ...LOADED, source: "network" },
  ]);
});

test("a tab whose files another tab has replaced leaves the new ones", async () => {
  expect(await loadFresh(first, "/p/")).toMatchObject({ source: "network" });
  await visit(first, site.server.url);
  resume = undefined;
  await startClient(first, { worker: "/workers/reads-late.js" });
  const held = load(first, "/p/");
  await expect.poll(() => resume !== undefined).toBe(true);
  await startClient(second);
  await ask(second, "clear");
  expect(await load(second, "/p/")).toEqual({ ...LOADED, source: "network" });
  site.host.folders.delete("/p/");
  (resume as unknown as () => void)();
  expect(await held).toMatchObject({ error: { code: "storage_corrupt" } });
  expect(await loadFresh(second, "/p/")).toEqual({ ...LOADED, source: "cache" });
});

test("a tab goes on with the version that it runs while another tab updates the package and clears the store", async () => {
  expect(await loadFresh(first, "/p/")).toMatchObject({ source: "network" });
  await site.publish("/p/", NEWER);
  await startClient(second);
  expect(await load(second, "/p/", { refresh: true })).toEqual({
    source: "network",
    release: 2,
    sum: sumOf(NEWER.tables),
  });
  expect(await predict(first, "/p/")).toEqual(LOADED.sum);
  await second.evaluate(() => window.client.store.clear());
  expect(await predict(first, "/p/")).toEqual(LOADED.sum);
  expect(await predict(second, "/p/")).toEqual(sumOf(NEWER.tables));
});

test("a tab whose version another tab replaces while it is read loads the new one", async () => {
  await loadFresh(first, "/p/");
  await site.publish("/p/", NEWER);
  await startClient(first, { worker: "/workers/reads-late.js" });
  const one = load(first, "/p/");
  await expect.poll(() => resume !== undefined).toBe(true);
  await startClient(second);
  expect(await load(second, "/p/", { refresh: true })).toEqual({
    source: "network",
    release: 2,
    sum: sumOf(NEWER.tables),
  });
  resume?.();
  expect(await one).toEqual({ source: "cache", release: 2, sum: sumOf(NEWER.tables) });
});
