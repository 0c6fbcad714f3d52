// What is evicted when space is short, by the library's budget and by the browser's quota, and what never is.
import type { BrowserContext, Page } from "playwright";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { ClientOptions, StoreEvent } from "../../../../../src/index.js";
import type { Chromium } from "../../../../support/chromium.js";
import {
  ask,
  askFor,
  eventsOf,
  load,
  loadFresh,
  newVisitor,
  openPage,
  startClient,
  storedChunks,
  visit,
} from "../../../../support/loads.js";
import { connectChromium } from "../../../../support/shared-browser.js";
import { CHUNK, type Recipe, sizeOf, sumOf } from "../../../../support/synthetic.js";
import { openSite, type Site } from "../../../../support/synthetic-site.js";

// Three packages of two tables of 256 KiB, and one that shares a table with the first.
const small = (name: string, tables: number[]): Recipe => ({ name, tables, rows: 64, files: "each" });
const SMALL = { a: small("a", [1, 2]), b: small("b", [3, 4]), c: small("c", [5, 6]), d: small("d", [2, 7]) };
const TABLE = 64 * 4096;
/** Room for two packages and some. */
const storage = { maxBytes: 5 * TABLE } satisfies ClientOptions["storage"];

const LARGE = { tables: [1, 2, 3, 4, 5] } satisfies Recipe;

let site: Site;
let chromium: Chromium;
let visitor: BrowserContext;
let page: Page;

beforeAll(async () => {
  site = await openSite();
  chromium = await connectChromium();
  for (const [name, recipe] of Object.entries(SMALL)) await site.publish(`/${name}/`, recipe);
});
afterAll(async () => {
  await chromium?.close();
  await site?.close();
});
beforeEach(async () => {
  await visitor?.close();
  visitor = await newVisitor(chromium);
  page = await openPage(visitor, site.server.url);
});

const at = (path: string) => new URL(path, site.server.url).href;
const names = async () => (await ask(page, "list")).map(({ name }) => name).sort();
const evicted = async () => (await eventsOf(page)).filter(({ type }) => type === "evicted");

async function setQuota(quotaSize: number): Promise<void> {
  const session = await visitor.newCDPSession(page);
  await session.send("Storage.overrideQuotaForOrigin", { origin: site.server.url, quotaSize });
}

test("over its budget the store evicts what was not used for the longest time, and tells which", async () => {
  await startClient(page, { storage });
  await load(page, "/a/");
  await load(page, "/b/");
  const [b] = (await ask(page, "list")).filter(({ name }) => name === "b");
  expect(await loadFresh(page, "/a/", { storage })).toMatchObject({ source: "cache" });
  expect(await load(page, "/c/")).toEqual({ source: "network", release: 1, sum: sumOf(SMALL.c.tables) });
  expect(await names()).toEqual(["a", "c"]);
  const gone: StoreEvent = { type: "evicted", url: at("/b/"), digest: b?.digest ?? "", bytes: b?.bytes ?? 0 };
  await expect.poll(evicted).toEqual([gone]);
  expect(await storedChunks(page)).toHaveLength(6);
});

test("chunks that packages share are counted once against the budget", async () => {
  await startClient(page, { storage });
  for (const path of ["/a/", "/d/"]) await load(page, path);
  expect(await names()).toEqual(["a", "d"]);
  // Three tables are kept; two more do fit, beside the small files only just not.
  await load(page, "/b/");
  expect(await names()).toEqual(["b", "d"]);
  expect(await evicted()).toMatchObject([{ url: at("/a/") }]);
  // The table that the evicted package shared is still there.
  expect(await loadFresh(page, "/d/", { storage })).toMatchObject({ source: "cache", sum: sumOf(SMALL.d.tables) });
});

test("pinned packages are never evicted; what does not fit beside them runs, and says why it was not kept", async () => {
  await startClient(page, { storage });
  for (const path of ["/a/", "/b/"]) {
    await load(page, path);
    await askFor(page, "pin", path);
  }
  const outcome = await load(page, "/c/");
  expect(outcome).toMatchObject({ source: "network", sum: sumOf(SMALL.c.tables) });
  expect(outcome.storeError).toMatchObject({ code: "storage_quota", message: expect.stringMatching(/unpin/) });
  expect(await names()).toEqual(["a", "b"]);
  expect(await storedChunks(page)).toHaveLength(6);
  await askFor(page, "unpin", "/b/");
  await startClient(page, { storage });
  expect((await load(page, "/c/")).storeError).toBeUndefined();
  expect(await names()).toEqual(["a", "c"]);
});

test("a package over the whole budget evicts nothing", async () => {
  await startClient(page, { storage: { maxBytes: 3 * TABLE } });
  await load(page, "/a/");
  await site.publish("/large/", LARGE);
  expect(await load(page, "/large/")).toMatchObject({
    source: "network",
    sum: sumOf(LARGE.tables),
    storeError: { code: "storage_quota" },
  });
  expect(await names()).toEqual(["a"]);
  expect(await storedChunks(page)).toHaveLength(3);
  expect(await evicted()).toEqual([]);
});

test("an origin without room predicts, keeps no part of the package, and says that the quota is used up", async () => {
  await site.publish("/large/", LARGE);
  await setQuota(5e6);
  const outcome = await loadFresh(page, "/large/");
  expect(outcome).toMatchObject({ source: "network", sum: sumOf(LARGE.tables) });
  expect(outcome.storeError).toMatchObject({ code: "storage_quota", message: expect.stringMatching(/quota/) });
  expect(await ask(page, "list")).toEqual([]);
  expect(await storedChunks(page)).toEqual([]);
  expect(await ask(page, "usage")).toMatchObject({ bytes: 0, packages: 0, available: true });
  // As much space as the browser has: the same client stores it now.
  await setQuota(200e6);
  expect((await loadFresh(page, "/large/")).storeError).toBeUndefined();
  expect(await loadFresh(page, "/large/")).toMatchObject({ source: "cache", sum: sumOf(LARGE.tables) });
});

test.each([
  ["one after the other", "one"],
  ["at once, and all find no room", "each"],
] as const)("a full origin evicts another package and keeps the new one, whose chunks come %s", async (_how, files) => {
  await site.publish("/old/", LARGE);
  const recipe = { tables: [21, 22, 23, 24], files, name: "new" };
  await site.publish("/new/", recipe);
  await setQuota(23e6);
  await startClient(page);
  expect((await load(page, "/old/")).storeError).toBeUndefined();
  const [old] = await ask(page, "list");
  expect(await load(page, "/new/")).toEqual({ source: "network", release: 1, sum: sumOf(recipe.tables) });
  await expect.poll(evicted).toEqual([{ type: "evicted", url: at("/old/"), digest: old?.digest, bytes: old?.bytes }]);
  expect(await names()).toEqual(["new"]);
  await visit(page, site.server.url);
  expect(await loadFresh(page, "/new/")).toMatchObject({ source: "cache", sum: sumOf(recipe.tables) });
});

test("a full origin evicts nothing that is pinned, and leaves no part of what found no room", async () => {
  await site.publish("/old/", LARGE);
  await site.publish("/new/", { tables: [21, 22, 23, 24], files: "each", name: "new" });
  await setQuota(30e6);
  await startClient(page);
  await load(page, "/old/");
  await askFor(page, "pin", "/old/");
  expect(await load(page, "/new/")).toMatchObject({ source: "network", storeError: { code: "storage_quota" } });
  expect(await names()).toEqual(["synthetic"]);
  expect(await storedChunks(page)).toHaveLength(6);
  expect(await evicted()).toEqual([]);
});

test("an update that finds no room runs, and leaves the version from before as it was", async () => {
  await site.publish("/p/", LARGE);
  await setQuota(30e6);
  await loadFresh(page, "/p/");
  const newer = { tables: [1, 2, 23, 24, 25], release: 2 } satisfies Recipe;
  await site.publish("/p/", newer);
  expect(await load(page, "/p/", { refresh: true })).toMatchObject({
    source: "network",
    sum: sumOf(newer.tables),
    storeError: { code: "storage_quota" },
  });
  expect(await storedChunks(page)).toHaveLength(6);
  expect(await loadFresh(page, "/p/")).toEqual({ source: "cache", release: 1, sum: sumOf(LARGE.tables) });
});

test("the browser's estimate is passed on as it is, and not relied on", async () => {
  await site.publish("/large/", LARGE);
  await setQuota(5e6);
  await startClient(page);
  // The first call makes the database.
  await ask(page, "usage");
  const { origin } = await ask(page, "usage");
  const told = await page.evaluate(() => navigator.storage.estimate());
  expect(origin).toEqual({ usage: told.usage, quota: told.quota, persisted: false });
  // Untrue: the package would fit many times.
  expect(told.quota).toBeGreaterThan(1e9);
  expect(await load(page, "/large/")).toMatchObject({ storeError: { code: "storage_quota" } });
});

test("a package of 64 MiB is kept in records of 4 MiB at most", async () => {
  const recipe = { tables: Array.from({ length: 16 }, (_, index) => 31 + index), name: "huge" };
  const manifest = await site.publish("/huge/", recipe);
  expect(await loadFresh(page, "/huge/")).toEqual({ source: "network", release: 1, sum: sumOf(recipe.tables) });
  const sizes = (await storedChunks(page)) ?? [];
  expect(Math.max(...sizes)).toBe(CHUNK);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(sizeOf(manifest));
  await visit(page, site.server.url);
  expect(await loadFresh(page, "/huge/")).toMatchObject({ source: "cache", sum: sumOf(recipe.tables) });
});
