// A database connection that is lost at any point of a load is opened again, or memory is used.
import type { BrowserContext, Page } from "playwright";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Chromium } from "../../../../support/chromium.js";
import {
  ask,
  eventsOf,
  load,
  loadFresh,
  newVisitor,
  type Outcome,
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

const FAILURES = {
  // As Safari whose storage process was killed (WebKit 277615).
  throws: `throw new DOMException("Connection to Indexed Database server lost. Refresh the page to try again", "InvalidStateError");`,
  aborts: "const tx = begin(); queueMicrotask(() => tx.abort()); return tx;",
};
// Of a load of A at most: 3 for versions, 1 for the floor, 2 to begin, 4 chunks, 1 to commit, 1 to note that it ran; of its notes 1 for
// the choice, 5 for crashes, 2 for the graph, 1 for what was measured; and some to spare.
const TRANSACTIONS = 24;
const WAYS = Object.keys(FAILURES) as (keyof typeof FAILURES)[];

let site: Site;
let chromium: Chromium;
let visitor: BrowserContext;
let page: Page;
/** Takes half a minute, so that it runs beside the other tests. */
let hanging: Promise<{ outcome: Outcome; ms: number }>;

beforeAll(async () => {
  site = await openSite();
  chromium = await connectChromium();
  await site.publish("/a/", A);
  await site.publish("/b/", B);
  site.workers.set(
    "hanging",
    `IDBObjectStore.prototype.getAll = () =>
      Object.assign(Object.create(IDBRequest.prototype), { addEventListener() {}, removeEventListener() {} });`,
  );
  const aside = await openPage(await newVisitor(chromium), site.server.url);
  const started = performance.now();
  hanging = loadFresh(aside, "/a/", { worker: "/workers/hanging.js" }).then((outcome) => ({
    outcome,
    ms: performance.now() - started,
  }));
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

/** A worker in which the calls of `IDBDatabase.transaction` from the `first` up to, not including, `last` fail. */
function losing(how: keyof typeof FAILURES, first: number, last: number): string {
  const name = `losing-${how}-${first}-${last}`;
  site.workers.set(
    name,
    `let calls = 0;
    const { transaction } = IDBDatabase.prototype;
    IDBDatabase.prototype.transaction = function (...args) {
      calls += 1;
      const begin = () => transaction.apply(this, args);
      if (calls < ${first} || calls >= ${last}) return begin();
      ${FAILURES[how]}
    };`,
  );
  return `/workers/${name}.js`;
}

test("a database that opens at the third try is used", async () => {
  site.workers.set(
    "opens-late",
    `let fails = 2;
    const { open } = IDBFactory.prototype;
    IDBFactory.prototype.open = function (...args) {
      if (fails-- > 0) throw new DOMException("Internal error opening backing store for indexedDB.open.", "UnknownError");
      return open.apply(this, args);
    };`,
  );
  expect(await loadFresh(page, "/a/", { worker: "/workers/opens-late.js" })).toEqual(FROM_NETWORK);
  expect(await unavailable()).toEqual([]);
  expect(await loadFresh(page, "/a/")).toEqual(FROM_CACHE);
});

test.each(WAYS)(
  "a connection that %s twice in a row at any point of a load heals, and the package is kept",
  async (how) => {
    for (let first = 1; first <= TRANSACTIONS + 1; first += 1) {
      const storage = { name: `losing-${first}` };
      expect(await loadFresh(page, "/a/", { worker: losing(how, first, first + 2), storage })).toEqual(FROM_NETWORK);
      expect(await unavailable()).toEqual([]);
      expect(await loadFresh(page, "/a/", { storage })).toEqual(FROM_CACHE);
    }
  },
);

test.each(WAYS)(
  "a connection that %s for good from any point of a load on means memory, and the next visit heals",
  async (how) => {
    const codes: (string | undefined)[] = [];
    for (let first = 1; first <= TRANSACTIONS + 1; first += 1) {
      const storage = { name: `lost-${first}` };
      const { storeError, ...outcome } = await loadFresh(page, "/a/", { worker: losing(how, first, 1e9), storage });
      expect(outcome).toEqual(FROM_NETWORK);
      codes.push(storeError?.code);
      expect(await predict(page, "/a/")).toEqual(sumOf(A.tables));
      // Told whenever it is the case; and what is kept is never a part.
      expect((await unavailable()).length).toBeLessThanOrEqual(1);
      if (storeError) expect(await unavailable()).toHaveLength(1);
      await startClient(page, { storage });
      const kept = await ask(page, "list");
      expect(kept).toHaveLength(storeError ? 0 : 1);
      expect(await load(page, "/a/")).toEqual(storeError ? FROM_NETWORK : FROM_CACHE);
    }
    expect(codes[0]).toBe("storage_unavailable");
    expect(codes.at(-1)).toBeUndefined();
  },
);

test("a database that the browser clears while it is open is reported as a reset, and created again", async () => {
  await startClient(page);
  await load(page, "/a/");
  const session = await visitor.newCDPSession(page);
  await session.send("Storage.clearDataForOrigin", { origin: site.server.url, storageTypes: "indexeddb" });
  expect(await ask(page, "list")).toEqual([]);
  expect(await load(page, "/b/")).toEqual({ source: "network", release: 1, sum: sumOf(B.tables) });
  expect(await predict(page, "/a/")).toEqual(sumOf(A.tables));
  expect((await eventsOf(page)).map(({ type }) => type)).toEqual(["miss", "reset", "miss"]);
  expect(await loadFresh(page, "/b/")).toMatchObject({ source: "cache" });
});

test("a database that opens and then never answers is given up after half a minute", async () => {
  const { outcome, ms } = await hanging;
  expect(outcome).toEqual({
    ...FROM_NETWORK,
    storeError: { code: "storage_unavailable", message: expect.stringMatching(/within 30 s/) },
  });
  expect(ms).toBeGreaterThan(29_000);
  expect(ms).toBeLessThan(45_000);
});
