// IndexedDB that fails in the ways browsers are known for: the model runs, and the reason is reported once.
import type { BrowserContext, Page } from "playwright";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { SCHEMA_VERSION } from "../../../../../src/worker/package/store/schema.js";
import type { Chromium } from "../../../../support/chromium.js";
import {
  ask,
  eventsOf,
  load,
  loadFresh,
  newVisitor,
  openPage,
  predict,
  startClient,
} from "../../../../support/loads.js";
import { connectChromium } from "../../../../support/shared-browser.js";
import { type Recipe, sumOf } from "../../../../support/synthetic.js";
import { openSite, type Site } from "../../../../support/synthetic-site.js";

const A = { tables: [1, 2, 3], rows: 64, files: "each", name: "a" } satisfies Recipe;
const B = { tables: [4, 5], rows: 64, files: "each", name: "b" } satisfies Recipe;
const FROM_NETWORK = { source: "network", release: 1, sum: sumOf(A.tables) };
const FROM_CACHE = { ...FROM_NETWORK, source: "cache" };

let site: Site;
let chromium: Chromium;
let visitor: BrowserContext;
let page: Page;

const WORKERS = {
  absent: `Object.defineProperty(self, "indexedDB", { value: undefined });`,
  forbidden: `Object.defineProperty(self, "indexedDB", {
    get() { throw new DOMException("The operation is insecure.", "SecurityError"); },
  });`,
  // As Safari 14 (WebKit 226547): neither success nor error ever comes.
  inert: `IDBFactory.prototype.open = () =>
    Object.assign(Object.create(IDBOpenDBRequest.prototype), { addEventListener() {}, removeEventListener() {} });`,
};

beforeAll(async () => {
  site = await openSite();
  for (const [name, script] of Object.entries(WORKERS)) site.workers.set(name, script);
  chromium = await connectChromium();
  await site.publish("/a/", A);
  await site.publish("/b/", B);
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

const unavailable = async () => (await eventsOf(page)).filter(({ type }) => type === "unavailable");

/** Loads both packages, asks for usage, and expects one event that says why nothing is stored. */
async function expectMemory(message: RegExp, worker?: string): Promise<number> {
  await startClient(page, { worker });
  const started = performance.now();
  const outcome = await load(page, "/a/");
  const ms = performance.now() - started;
  const storeError = { code: "storage_unavailable", message: expect.stringMatching(message) };
  expect(outcome).toEqual({ ...FROM_NETWORK, storeError });
  expect(await load(page, "/b/")).toMatchObject({ source: "network", sum: sumOf(B.tables), storeError });
  expect(await ask(page, "usage")).toMatchObject({ available: false });
  expect(await predict(page, "/a/")).toEqual(sumOf(A.tables));
  expect(await unavailable()).toEqual([
    { type: "unavailable", code: "storage_unavailable", reason: expect.stringMatching(message) },
  ]);
  return ms;
}

test.each([
  ["that is not there", "absent", /no IndexedDB/],
  ["whose very mention throws", "forbidden", /insecure/],
])("an IndexedDB %s means memory, at once", async (_how, name, message) => {
  const worker = `/workers/${name}.js`;
  expect(await expectMemory(message, worker)).toBeLessThan(5_000);
  const { indexedDB } = await page.evaluate(() => window.client.capabilities());
  expect(indexedDB).toBe(false);
});

test("a database that never opens is waited for five seconds, once", async () => {
  const ms = await expectMemory(/within 5 s/, "/workers/inert.js");
  expect(ms).toBeGreaterThan(4_900);
  expect(ms).toBeLessThan(9_000);
});

test("a library whose database an older tab holds open runs from memory, and keeps packages once that tab is closed", async () => {
  const older = await visitor.newPage();
  await older.goto(site.server.url);
  await older.evaluate(
    () =>
      new Promise((resolve) => {
        indexedDB.open("insitu", 1).onsuccess = resolve;
      }),
  );
  const ms = await expectMemory(/Another tab/);
  expect(ms).toBeGreaterThan(2_900);
  expect(ms).toBeLessThan(7_000);
  await older.close();
  expect(await loadFresh(page, "/a/")).toEqual(FROM_NETWORK);
  expect(await loadFresh(page, "/a/")).toEqual(FROM_CACHE);
});

/** Opens the database as another version of the library would; returns the milliseconds that it took. */
async function openAs(version: number, keepOpen: boolean): Promise<number> {
  const other = await visitor.newPage();
  await other.goto(site.server.url);
  const ms = await other.evaluate(async (wanted) => {
    const started = performance.now();
    await new Promise((resolve, reject) => {
      const request = indexedDB.open("insitu", wanted);
      request.onupgradeneeded = () => request.result.createObjectStore(`of-version-${wanted}`);
      request.onsuccess = resolve;
      request.onerror = reject;
    });
    return performance.now() - started;
  }, version);
  if (!keepOpen) await other.close();
  return ms;
}

test("an open database gives way to a newer version in another tab, and its models run on from memory", async () => {
  await startClient(page);
  expect(await load(page, "/a/")).toEqual(FROM_NETWORK);
  expect(await openAs(SCHEMA_VERSION + 1, true)).toBeLessThan(2_000);
  expect(await predict(page, "/a/")).toEqual(sumOf(A.tables));
  expect(await load(page, "/b/")).toMatchObject({
    source: "network",
    sum: sumOf(B.tables),
    storeError: { code: "storage_unavailable", message: expect.stringMatching(/Reload/) },
  });
  expect(await ask(page, "usage")).toMatchObject({ available: false });
  expect(await unavailable()).toHaveLength(1);
});

test("a database of a newer version is left as it is, and the error says to reload", async () => {
  await openAs(SCHEMA_VERSION + 1, false);
  expect(await expectMemory(/newer version.*Reload/)).toBeLessThan(5_000);
  const stores = await page.evaluate(async () => {
    const database = await new Promise<IDBDatabase>((resolve) => {
      const request = indexedDB.open("insitu");
      request.onsuccess = () => resolve(request.result);
    });
    return { version: database.version, stores: [...database.objectStoreNames] };
  });
  expect(stores).toEqual({
    version: SCHEMA_VERSION + 1,
    stores: [`of-version-${SCHEMA_VERSION + 1}`],
  });
});

test("a database of an older version is taken over", async () => {
  await openAs(1, false);
  expect(await loadFresh(page, "/a/")).toEqual(FROM_NETWORK);
  expect(await loadFresh(page, "/a/")).toEqual(FROM_CACHE);
});
