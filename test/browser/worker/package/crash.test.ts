// A page that dies at any point of a load leaves the old version or the new one, and no byte is fetched twice.
import type { BrowserContext, Page } from "playwright";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Chromium } from "../../../support/chromium.js";
import { crash } from "../../../support/crash.js";
import { ask, load, loadFresh, newVisitor, openPage, startClient, storedChunks } from "../../../support/loads.js";
import { connectChromium } from "../../../support/shared-browser.js";
import { CHUNK, type Recipe, sizeOf, sumOf } from "../../../support/synthetic.js";
import { openSite, type Site } from "../../../support/synthetic-site.js";

const FIRST = { tables: [1, 2, 3, 4, 5], release: 1 } satisfies Recipe;
// Shares two chunks with the first.
const SECOND = { tables: [1, 2, 13, 14, 15], release: 2 } satisfies Recipe;
const SHARED = 2;

let site: Site;
let chromium: Chromium;
let visitor: BrowserContext;
/** Looks into the database while another page loads. */
let watcher: Page;
/** Bytes of the whole first package, and of what of the second is not in the first. */
let firstBytes: number;
let newBytes: number;

beforeAll(async () => {
  // "/stopped" is never answered.
  site = await openSite([({ url }) => url === "/stopped"]);
  chromium = await connectChromium();
  // Stops for good in the n-th time that a package's row is written, before the transaction can end.
  for (const nth of [1, 2]) {
    site.workers.set(
      `stops-${nth}`,
      `let count = 0;
      const { put } = IDBObjectStore.prototype;
      IDBObjectStore.prototype.put = function (...args) {
        const request = put.apply(this, args);
        if (this.name === "packages" && ++count === ${nth}) {
          const stop = new XMLHttpRequest();
          stop.open("GET", "/stopped", false);
          stop.send();
        }
        return request;
      };`,
    );
  }
  firstBytes = sizeOf(await site.publish("/p/", FIRST));
  newBytes = sizeOf(await site.publish("/p/", SECOND)) - SHARED * CHUNK;
});
afterAll(async () => {
  await chromium?.close();
  await site?.close();
});

beforeEach(async () => {
  site.host.release();
  await site.publish("/p/", FIRST);
  await visitor?.close();
  visitor = await newVisitor(chromium);
  watcher = await openPage(visitor, site.server.url);
});

/** A page that has stored the first release, and sees the second one published. */
async function haveFirst(): Promise<void> {
  const page = await openPage(visitor, site.server.url);
  expect(await loadFresh(page, "/p/")).toEqual({ source: "network", release: 1, sum: sumOf(FIRST.tables) });
  await page.close();
  await site.publish("/p/", SECOND);
}

const asked = (path: string) => expect.poll(() => site.server.requests.some(({ url }) => url === path));

/** Loads until `bytes` of the tables have come and `stored` chunks are in the database, and ends the page there. */
async function loadUntil(bytes: number, stored: number, end = crash): Promise<void> {
  const page = await openPage(visitor, site.server.url);
  site.server.requests.length = 0;
  site.host.hold(bytes);
  await startClient(page);
  const loading = load(page, "/p/", { refresh: true }).catch(() => "the page is gone");
  await asked("/p/tables.bin").toBe(true);
  await expect.poll(async () => (await storedChunks(watcher))?.length ?? 0, { timeout: 10_000 }).toBe(stored);
  await end(page);
  expect(await loading).toBe("the page is gone");
  site.host.release();
  site.server.requests.length = 0;
}

/** Loads until the page stops in the `nth` writing of a package's row, and crashes it there. */
async function loadUntilRow(nth: number): Promise<void> {
  const page = await openPage(visitor, site.server.url);
  site.server.requests.length = 0;
  await startClient(page, { worker: `/workers/stops-${nth}.js` });
  const loading = load(page, "/p/", { refresh: true }).catch(() => "the page is gone");
  await asked("/stopped").toBe(true);
  await crash(page);
  expect(await loading).toBe("the page is gone");
  site.server.requests.length = 0;
}

async function comeBack(): Promise<Page> {
  const page = await openPage(visitor, site.server.url);
  await startClient(page);
  return page;
}

async function expectFirstLoadToGoOn(stored: number): Promise<void> {
  const page = await comeBack();
  expect(await ask(page, "list")).toEqual([]);
  expect(await load(page, "/p/")).toEqual({ source: "network", release: 1, sum: sumOf(FIRST.tables) });
  expect(site.sent("/p/")).toBe(stored);
  expect(await ask(page, "usage")).toMatchObject({ bytes: firstBytes, packages: 1 });
}

async function expectUpdateToGoOn(missing: number): Promise<void> {
  const page = await comeBack();
  expect((await ask(page, "list")).map(({ release }) => release)).toEqual([1]);
  expect(await load(page, "/p/")).toEqual({ source: "cache", release: 1, sum: sumOf(FIRST.tables) });
  expect(site.sent("/p/")).toBe(0);
  expect(await load(page, "/p/", { refresh: true })).toEqual({
    source: "network",
    release: 2,
    sum: sumOf(SECOND.tables),
  });
  expect(site.sent("/p/")).toBe(missing);
  // What only the first release had is gone with it.
  expect(await ask(page, "usage")).toMatchObject({ bytes: newBytes + SHARED * CHUNK, packages: 1 });
  expect(await storedChunks(watcher)).toHaveLength(6);
}

test.each([0, 1, 2, 3, 4, 5])(
  "after a crash of a first load with %i of 5 chunks stored, the next load fetches the rest only",
  async (stored) => {
    await loadUntil(stored * CHUNK, stored);
    await expectFirstLoadToGoOn(firstBytes - stored * CHUNK);
  },
);

test.each([0, 1, 2, 3])(
  "after a crash of an update with %i of 3 new chunks stored, the old version runs and the update goes on",
  async (stored) => {
    await haveFirst();
    await loadUntil((SHARED + stored) * CHUNK, 6 + stored);
    await expectUpdateToGoOn(newBytes - stored * CHUNK);
  },
);

test("a page that is closed in the middle of a first load loses nothing that was stored", async () => {
  await loadUntil(2 * CHUNK, 2, (page) => page.close());
  await expectFirstLoadToGoOn(firstBytes - 2 * CHUNK);
});

test("a page that is closed in the middle of an update still has the old version", async () => {
  await haveFirst();
  await loadUntil((SHARED + 1) * CHUNK, 6 + 1, (page) => page.close());
  await expectUpdateToGoOn(newBytes - CHUNK);
});

test("a crash inside the transaction that commits a first load leaves its chunks and no package", async () => {
  await loadUntilRow(1);
  await expectFirstLoadToGoOn(0);
});

test("a crash inside the transaction that commits an update leaves the old version", async () => {
  await haveFirst();
  await loadUntilRow(1);
  await expectUpdateToGoOn(0);
});

test("a crash after the commit of an update, before the new version ran, leaves the new one to load", async () => {
  await haveFirst();
  await loadUntilRow(2);
  const page = await comeBack();
  expect((await ask(page, "list")).map(({ release }) => release).sort()).toEqual([1, 2]);
  expect(await load(page, "/p/")).toEqual({ source: "cache", release: 2, sum: sumOf(SECOND.tables) });
  expect(site.sent("/p/")).toBe(0);
  expect((await ask(page, "list")).map(({ release }) => release)).toEqual([2]);
  expect(await storedChunks(watcher)).toHaveLength(6);
});

test("a crash right after a load resolved loses nothing", async () => {
  const page = await openPage(visitor, site.server.url);
  await loadFresh(page, "/p/");
  await crash(page);
  site.server.requests.length = 0;
  expect(await load(await comeBack(), "/p/")).toEqual({ source: "cache", release: 1, sum: sumOf(FIRST.tables) });
  expect(site.sent("/p/")).toBe(0);
});
