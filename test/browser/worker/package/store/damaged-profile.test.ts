// The store after a killed browser or disk damage: repaired where possible, reported, and never a wrong prediction.
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type Chromium, launchChromium } from "../../../../support/chromium.js";
import {
  ask,
  eventsOf,
  load,
  loadFresh,
  openPage,
  startClient,
  storedChunks,
  visit,
} from "../../../../support/loads.js";
import { chunkFiles, killBrowser, levelDbFolder } from "../../../../support/profile.js";
import { CHUNK, type Recipe, sizeOf, sumOf } from "../../../../support/synthetic.js";
import { openSite, type Site } from "../../../../support/synthetic-site.js";

const RECIPE = { tables: [1, 2, 3, 4, 5] } satisfies Recipe;
const LOADED = { release: 1, sum: sumOf(RECIPE.tables) };
const FROM_CACHE = { ...LOADED, source: "cache" };
const FROM_NETWORK = { ...LOADED, source: "network" };

let site: Site;
let total: number;
let root: string;
/** The profile of a visitor who has the package. */
let intact: string;
/** The test's own. */
let profile: string;
let chromium: Chromium | undefined;
let count = 0;

/** Starts the browser on the test's profile. */
async function launch(userDataDir = profile): Promise<Page> {
  await chromium?.close();
  chromium = await launchChromium({ userDataDir });
  const page = await openPage(chromium.context, site.server.url);
  site.server.requests.length = 0;
  return page;
}

beforeAll(async () => {
  site = await openSite();
  total = sizeOf(await site.publish("/p/", RECIPE));
  root = mkdtempSync(join(tmpdir(), "insitu-profile-"));
  intact = join(root, "intact");
  expect(await loadFresh(await launch(intact), "/p/")).toEqual(FROM_NETWORK);
  await chromium?.close();
  chromium = undefined;
});
afterAll(async () => {
  await site?.close();
  rmSync(root, { recursive: true, force: true });
});
beforeEach(async () => {
  site.host.release();
  await site.publish("/p/", RECIPE);
  count += 1;
  profile = join(root, String(count));
});
afterEach(async () => {
  await chromium?.close();
  chromium = undefined;
});

/** The test's profile becomes that of a visitor who has the package, with something done to its files. */
function damage(how: () => void): void {
  cpSync(intact, profile, { recursive: true });
  how();
}

const types = async (page: Page) => (await eventsOf(page)).map(({ type }) => type);

test("a browser that is killed as soon as a load has resolved has kept the package", async () => {
  const page = await launch();
  await loadFresh(page, "/p/");
  expect(await killBrowser(profile, page.context())).toBeGreaterThan(1);
  expect(await loadFresh(await launch(), "/p/")).toEqual(FROM_CACHE);
  expect(site.sent("/p/")).toBe(0);
});

test("a browser that is killed in the middle of a download has kept the chunks that were stored", async () => {
  const page = await launch();
  site.host.hold(3 * CHUNK);
  const loading = loadFresh(page, "/p/").catch(() => "the page is gone");
  await expect.poll(async () => (await storedChunks(page))?.length).toBe(3);
  await killBrowser(profile, page.context());
  expect(await loading).toBe("the page is gone");
  site.host.release();
  expect(await loadFresh(await launch(), "/p/")).toEqual(FROM_NETWORK);
  expect(site.sent("/p/")).toBe(total - 3 * CHUNK);
});

const flip = (path: string, from: number, bytes = 1) => {
  const content = readFileSync(path);
  for (let at = from; at < from + bytes; at += 1) content[at] = (content[at] ?? 0) ^ 0xff;
  writeFileSync(path, content);
};
const DAMAGES: Record<string, (path: string) => void> = {
  "has a flipped bit": (path) => flip(path, 1_000),
  "is cut short": (path) => truncateSync(path, 500),
  "is gone": (path) => rmSync(path),
};

// The description is small, and lies in a row: damaged-rows.test.ts.
test.each(Object.keys(DAMAGES))("a chunk whose file %s is fetched again, alone, and told", async (how) => {
  damage(() => DAMAGES[how]?.(chunkFiles(profile)[0] as string));
  const page = await launch();
  expect(await loadFresh(page, "/p/")).toEqual(FROM_CACHE);
  expect(site.sent("/p/")).toBe(CHUNK);
  const corrupt = (await eventsOf(page)).filter(({ type }) => type === "corrupt");
  expect(corrupt).toEqual([
    {
      type: "corrupt",
      url: new URL("/p/", site.server.url).href,
      path: "tables.bin",
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    },
  ]);
  site.server.requests.length = 0;
  expect(await loadFresh(page, "/p/")).toEqual(FROM_CACHE);
  expect(site.sent("/p/")).toBe(0);
  expect(await types(page)).toEqual(["hit"]);
});

test("when every file is gone all that was in files is fetched again", async () => {
  damage(() => {
    for (const path of chunkFiles(profile)) rmSync(path);
  });
  const page = await launch();
  expect(await loadFresh(page, "/p/")).toEqual(FROM_CACHE);
  expect(site.sent("/p/")).toBe(RECIPE.tables.length * CHUNK);
  expect(await loadFresh(page, "/p/")).toEqual(FROM_CACHE);
});

test("damage that the host cannot mend is an error with a code, and the next load with the host back is whole", async () => {
  damage(() => {
    for (const path of chunkFiles(profile)) DAMAGES["is cut short"]?.(path);
  });
  const page = await launch();
  site.host.folders.delete("/p/");
  await startClient(page);
  expect(await load(page, "/p/")).toMatchObject({ error: { code: "storage_corrupt" } });
  await site.publish("/p/", RECIPE);
  expect(await load(page, "/p/")).toMatchObject(LOADED);
});

test("damage to a version that its host has replaced by the next one loads that", async () => {
  damage(() => {
    for (const path of chunkFiles(profile)) DAMAGES["has a flipped bit"]?.(path);
  });
  const page = await launch();
  const newer = { tables: [11, 12, 13, 14, 15], release: 2 };
  await site.publish("/p/", newer);
  expect(await loadFresh(page, "/p/")).toEqual({ source: "network", release: 2, sum: sumOf(newer.tables) });
  expect((await ask(page, "list")).map(({ release }) => release)).toEqual([2]);
  expect(await storedChunks(page)).toHaveLength(6);
});

const logFile = () => {
  const folder = levelDbFolder(profile);
  const [log = ""] = readdirSync(folder).filter((name) => name.endsWith(".log"));
  const path = join(folder, log);
  return { path, size: statSync(path).size };
};
const overwriteAt = (part: number) => () => {
  const { path, size } = logFile();
  flip(path, Math.floor(size * part), 200);
};
const cutAt = (part: number) => () => {
  const { path, size } = logFile();
  truncateSync(path, Math.floor(size * part));
};

// Chromium makes a database with an altered log anew, and drops from one that ends early what came last.
test.each([
  ["overwritten at its start", overwriteAt(0), ["reset"]],
  ["overwritten in its middle", overwriteAt(0.5), ["reset"]],
  ["cut short after a quarter", cutAt(0.25), []],
  ["cut short after the half", cutAt(0.5), []],
  ["cut short after three quarters", cutAt(0.75), []],
  ["cut short near its end", cutAt(0.95), []],
])("a database whose log is %s costs no more than what it lost", async (_how, how, told) => {
  damage(how);
  const page = await launch();
  await startClient(page);
  const kept = await ask(page, "list");
  const stored = (await storedChunks(page, "insitu", true)) ?? [];
  expect(await load(page, "/p/")).toEqual(kept.length === 1 ? FROM_CACHE : FROM_NETWORK);
  expect(site.sent("/p/")).toBe(total - stored.reduce((sum, size) => sum + size, 0));
  expect(await types(page)).toEqual([...told, kept.length === 1 ? "hit" : "miss"]);
  // Files whose rows were lost are gone.
  expect(await storedChunks(page)).toHaveLength(6);
  expect(await loadFresh(page, "/p/")).toEqual(FROM_CACHE);
});

test("a database that cannot be opened means memory, until the site's storage is cleared", async () => {
  damage(() => {
    const folder = levelDbFolder(profile);
    renameSync(folder, `${folder}-away`);
    writeFileSync(folder, "this is no folder");
  });
  const page = await launch();
  const outcome = await loadFresh(page, "/p/");
  expect(outcome).toMatchObject({ ...FROM_NETWORK, storeError: { code: "storage_unavailable" } });
  expect(await types(page)).toEqual(["unavailable", "miss"]);
  expect(await ask(page, "usage")).toMatchObject({ packages: 0, available: false });
  const session = await page.context().newCDPSession(page);
  await session.send("Storage.clearDataForOrigin", { origin: site.server.url, storageTypes: "all" });
  await visit(page, site.server.url);
  expect(await loadFresh(page, "/p/")).toEqual(FROM_NETWORK);
  expect(await loadFresh(page, "/p/")).toEqual(FROM_CACHE);
});
