// `client.store`: what it lists, deletes and pins, and the events it dispatches.
import type { BrowserContext, Page } from "playwright";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Chromium } from "../../../support/chromium.js";
import {
  ask,
  askFor,
  eventsOf,
  load,
  loadFresh,
  newVisitor,
  openPage,
  predict,
  startClient,
  storedChunks,
  visit,
} from "../../../support/loads.js";
import { connectChromium } from "../../../support/shared-browser.js";
import { type Recipe, sizeOf, sumOf } from "../../../support/synthetic.js";
import { openSite, type Site } from "../../../support/synthetic-site.js";

// Tables of 256 KiB; the packages share the second one.
const A = { tables: [1, 2], rows: 64, files: "each", name: "a" } satisfies Recipe;
const B = { tables: [2, 3], rows: 64, files: "each", name: "b" } satisfies Recipe;
const TABLE = 64 * 4096;

let site: Site;
let chromium: Chromium;
let visitor: BrowserContext;
let page: Page;

beforeAll(async () => {
  site = await openSite();
  chromium = await connectChromium();
});
afterAll(async () => {
  await chromium?.close();
  await site?.close();
});
beforeEach(async () => {
  site.host.release();
  await visitor?.close();
  visitor = await newVisitor(chromium);
  page = await openPage(visitor, site.server.url);
  await startClient(page);
});

const at = (path: string) => new URL(path, site.server.url).href;
const types = async () => (await eventsOf(page)).map(({ type }) => type);

test("list and usage contain every package, and count a shared chunk once", async () => {
  const a = await site.publish("/a/", A);
  const b = await site.publish("/b/", B);
  expect(await ask(page, "list")).toEqual([]);
  const before = Date.now();
  await load(page, "/a/");
  await load(page, "/b/");
  const row = { release: 1, version: "1.0.0", digest: expect.stringMatching(/^[0-9a-f]{64}$/), pinned: false };
  const listed = await ask(page, "list");
  expect(listed).toEqual([
    { ...row, url: at("/a/"), name: "a", bytes: sizeOf(a), usedAt: expect.any(Number) },
    { ...row, url: at("/b/"), name: "b", bytes: sizeOf(b), usedAt: expect.any(Number) },
  ]);
  for (const { usedAt } of listed) expect(usedAt).toBeGreaterThanOrEqual(before);
  expect(await ask(page, "usage")).toMatchObject({
    bytes: sizeOf(a) + sizeOf(b) - TABLE,
    maxBytes: 500e6,
    packages: 2,
    available: true,
  });
});

test("a shared chunk outlives the first package that is deleted, and goes with the last", async () => {
  await site.publish("/a/", A);
  const b = await site.publish("/b/", B);
  await load(page, "/a/");
  await load(page, "/b/");
  expect(await askFor(page, "delete", "/a/")).toBe(true);
  expect(await askFor(page, "delete", "/a/")).toBe(false);
  expect((await storedChunks(page))?.reduce((sum, size) => sum + size, 0)).toBe(sizeOf(b));
  await visit(page, site.server.url);
  site.server.requests.length = 0;
  expect(await loadFresh(page, "/b/")).toEqual({ source: "cache", release: 1, sum: sumOf(B.tables) });
  expect(site.sent("/b/")).toBe(0);
  expect(await askFor(page, "delete", "/b/insitu.json")).toBe(true);
  expect(await storedChunks(page)).toEqual([]);
});

test("a model whose package is deleted goes on running, and is fetched again next time", async () => {
  await site.publish("/a/", A);
  await load(page, "/a/");
  expect(await askFor(page, "delete", "/a/")).toBe(true);
  expect(await predict(page, "/a/")).toEqual(sumOf(A.tables));
  expect(await load(page, "/a/")).toMatchObject({ source: "memory" });
  expect(await loadFresh(page, "/a/")).toMatchObject({ source: "network", sum: sumOf(A.tables) });
});

test.each([false, true])("an older release is refused after clear too (refresh: %s)", async (refresh) => {
  await site.publish("/p/", { ...A, release: 2 });
  await load(page, "/p/");
  await ask(page, "clear");
  expect(await ask(page, "list")).toEqual([]);
  expect(await storedChunks(page)).toEqual([]);
  expect(await predict(page, "/p/")).toEqual(sumOf(A.tables));
  await site.publish("/p/", { ...A, release: 1 });
  await startClient(page);
  expect(await load(page, "/p/", { refresh })).toMatchObject({ error: { code: "model_rollback" } });
  expect(await ask(page, "list")).toEqual([]);
  await site.publish("/p/", { ...A, release: 2 });
  expect(await load(page, "/p/", { refresh })).toEqual({ source: "network", release: 2, sum: sumOf(A.tables) });
});

test("clearing during a load leaves nothing behind, and the load reports it and runs", async () => {
  const { files } = await site.publish("/a/", A);
  await site.publish("/b/", B);
  await load(page, "/b/");
  site.host.hold(Number.MAX_SAFE_INTEGER);
  const loading = load(page, "/a/");
  // All but model.json: of the two tables one is there already.
  await expect.poll(async () => (await storedChunks(page))?.length).toBe(3 + files.length - 2);
  await ask(page, "clear");
  expect(await storedChunks(page)).toEqual([]);
  site.host.release();
  expect(await loading).toMatchObject({
    source: "network",
    sum: sumOf(A.tables),
    storeError: { code: "storage_corrupt" },
  });
  expect(await ask(page, "list")).toEqual([]);
  expect(await storedChunks(page)).toEqual([]);
});

test("a pin is listed, survives an update, and can be removed", async () => {
  await site.publish("/p/", { ...A, release: 1 });
  expect(await askFor(page, "pin", "/p/")).toBe(false);
  await load(page, "/p/");
  const pins = async () => (await ask(page, "list")).map(({ release, pinned }) => ({ release, pinned }));
  expect(await askFor(page, "pin", "/p/")).toBe(true);
  expect(await pins()).toEqual([{ release: 1, pinned: true }]);
  await site.publish("/p/", { ...A, release: 2 });
  await load(page, "/p/", { refresh: true });
  expect(await pins()).toEqual([{ release: 2, pinned: true }]);
  expect(await askFor(page, "unpin", "/p/")).toBe(true);
  expect(await pins()).toEqual([{ release: 2, pinned: false }]);
});

test("miss and hit events carry the address, and a removed listener is not called", async () => {
  await site.publish("/a/", A);
  await load(page, "/a/");
  const [{ digest } = { digest: "" }] = await ask(page, "list");
  await expect.poll(() => eventsOf(page)).toEqual([{ type: "miss", url: at("/a/"), reason: "it is not stored" }]);
  await startClient(page);
  const heard = page.evaluate(async () => {
    const seen: string[] = [];
    const listener = () => seen.push("removed");
    window.client.store.addEventListener("hit", listener);
    window.client.store.removeEventListener("hit", listener);
    window.client.store.addEventListener("hit", ({ detail }) => seen.push(detail.digest));
    await window.client.load("/a/");
    return seen;
  });
  expect(await heard).toEqual([digest]);
  await expect.poll(() => eventsOf(page)).toEqual([{ type: "hit", url: at("/a/"), digest }]);
});

test("the browser is asked to persist only by requestPersistence, which answers what it said", async () => {
  await page.evaluate(() => {
    const { persist } = StorageManager.prototype;
    window.asked = 0;
    StorageManager.prototype.persist = function () {
      window.asked += 1;
      return persist.call(this);
    };
  });
  const asked = () => page.evaluate(() => window.asked);
  await site.publish("/a/", A);
  await load(page, "/a/");
  expect((await ask(page, "usage")).origin).toMatchObject({ persisted: false });
  expect(await asked()).toBe(0);
  const answer = await ask(page, "requestPersistence");
  expect(await asked()).toBe(1);
  expect((await ask(page, "usage")).origin).toMatchObject({ persisted: answer });
});

test("clients of two storage names keep apart what they store", async () => {
  await site.publish("/a/", A);
  await load(page, "/a/");
  expect(await loadFresh(page, "/a/", { storage: { name: "other" } })).toMatchObject({ source: "network" });
  expect(await askFor(page, "delete", "/a/")).toBe(true);
  expect(await ask(page, "list")).toEqual([]);
  expect(await loadFresh(page, "/a/")).toMatchObject({ source: "cache" });
});

async function clearStorage(storageTypes: string): Promise<void> {
  const session = await visitor.newCDPSession(page);
  // The page that had it open goes first.
  await page.goto("about:blank");
  await session.send("Storage.clearDataForOrigin", { origin: site.server.url, storageTypes });
  await visit(page, site.server.url);
}

test("a site whose storage was cleared between two visits starts cold, without a reset event", async () => {
  await site.publish("/a/", A);
  await load(page, "/a/");
  await clearStorage("all");
  expect(await loadFresh(page, "/a/")).toEqual({ source: "network", release: 1, sum: sumOf(A.tables) });
  expect(await types()).toEqual(["miss"]);
});

test("a database that the browser lost between two visits is reported once as a reset", async () => {
  await site.publish("/a/", A);
  await load(page, "/a/");
  await clearStorage("indexeddb");
  expect(await loadFresh(page, "/a/")).toEqual({ source: "network", release: 1, sum: sumOf(A.tables) });
  expect(await types()).toEqual(["reset", "miss"]);
  expect(await loadFresh(page, "/a/")).toMatchObject({ source: "cache" });
  expect(await types()).toEqual(["hit"]);
});
