// Loads from a host that wants a query string, headers or cookies, and hosts that redirect.
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { LoadOptions } from "../../../../src/index.js";
import type { LibraryPage } from "../../../support/page.js";
import { openSharedLibrary } from "../../../support/shared-browser.js";

/** What the host saw of each request for a file of a package. */
interface Seen {
  url: string;
  authorization?: string;
  cookie?: string;
}

const FILES = ["insitu.json", "model.json", "weights.bin"];
const SECRET = "Bearer very-secret";

let library: LibraryPage;
let seen: Seen[];

beforeAll(async () => {
  library = await openSharedLibrary({
    mounts: { "/private/": "models/digits/package" },
    routes: [
      (req, res) => {
        const { url = "", headers } = req;
        if (!/^\/(private|models|moved)\//.test(url)) return false;
        seen.push({ url, authorization: headers.authorization, cookie: headers.cookie });
        if (url.startsWith("/moved/")) {
          res.writeHead(307, { Location: url.replace("/moved/", "/models/") }).end();
          return true;
        }
        if (!url.startsWith("/private/") || headers.authorization === SECRET) return false;
        res.writeHead(401).end();
        return true;
      },
    ],
  });
});
afterAll(() => library?.close());
beforeEach(async () => {
  seen = [];
  await library.visit();
  await library.page.evaluate(() => indexedDB.deleteDatabase("insitu"));
});

type Result = { code: string; source?: string; stored: string[]; told: string };

/** Loads, and answers also with all that an error and the databases hold, as text. */
function load(url: string, request?: LoadOptions["request"]): Promise<Result> {
  return library.page.evaluate(
    async ([address, options]) => {
      const client = window.insitu.createClient({ backends: ["cpu"] });
      let found = { code: "", told: "" } as { code: string; source?: string; told: string };
      try {
        const model = await client.load(address, { request: options });
        await model.stored;
        found.source = model.info.source;
      } catch (error) {
        const { code, message, data, stack } = error as { code: string; message: string; data: object; stack: string };
        found = { code, told: JSON.stringify([message, data, stack]) };
      }
      const database = await new Promise<IDBDatabase>((resolve) => {
        const opening = indexedDB.open("insitu");
        opening.onsuccess = () => resolve(opening.result);
      });
      for (const name of database.objectStoreNames) {
        const rows = await new Promise((resolve) => {
          const asking = database.transaction(name).objectStore(name).getAll();
          asking.onsuccess = () => resolve(asking.result);
        });
        found.told += JSON.stringify(rows);
      }
      database.close();
      const stored = (await client.store.list()).map((row) => row.url);
      await client.dispose();
      return { ...found, stored };
    },
    [url, request] as const,
  );
}

test("the query string goes along to every file, and is no part of the store's key", async () => {
  const folder = `${library.server.url}models/digits/`;
  const cold = await load("/models/digits/insitu.json?token=very-secret");
  expect(cold).toMatchObject({ code: "", source: "network", stored: [folder] });
  expect(cold.told).not.toContain("very-secret");
  const asked = seen.map(({ url }) => url);
  for (const file of FILES) expect(asked).toContain(`/models/digits/${file}?token=very-secret`);
  expect(asked.filter((url) => !url.endsWith("?token=very-secret"))).toEqual([]);
  seen = [];
  expect(await load("/models/digits/")).toMatchObject({ source: "cache", stored: [folder] });
  expect(seen).toEqual([]);
});

test("headers reach every file, and are neither stored nor told", async () => {
  const refused = await load("/private/");
  expect(refused).toMatchObject({ code: "http_4xx", stored: [] });
  const wrong = await load("/private/", { headers: { Authorization: "Bearer wrong-secret" } });
  expect(wrong).toMatchObject({ code: "http_4xx", stored: [] });
  expect(wrong.told).not.toContain("wrong-secret");
  const right = await load("/private/", { headers: { Authorization: SECRET } });
  expect(right).toMatchObject({ code: "", source: "network", stored: [`${library.server.url}private/`] });
  expect(right.told).not.toContain("very-secret");
});

test("cookies are sent when they are asked for, and only then", async () => {
  await library.page.evaluate(() => {
    // biome-ignore lint/suspicious/noDocumentCookie: the test needs a cookie, and an insecure page has no CookieStore.
    document.cookie = "session=1";
  });
  expect(await load("/models/digits/")).toMatchObject({ source: "network" });
  expect(seen.map(({ cookie }) => cookie).filter(Boolean)).toEqual([]);
  await library.page.evaluate(() => indexedDB.deleteDatabase("insitu"));
  seen = [];
  expect(await load("/models/digits/", { credentials: "same-origin" })).toMatchObject({ source: "network" });
  expect(new Set(seen.map(({ cookie }) => cookie))).toEqual(new Set(["session=1"]));
});

test("a redirect is followed, except with headers, which would go along to the other host", async () => {
  expect(await load("/moved/digits/?v=1")).toMatchObject({
    code: "",
    source: "network",
    stored: [`${library.server.url}moved/digits/`],
  });
  await library.page.evaluate(() => indexedDB.deleteDatabase("insitu"));
  seen = [];
  const refused = await load("/moved/digits/", { headers: { Authorization: SECRET } });
  expect(refused).toMatchObject({ code: "input_invalid", stored: [] });
  expect(refused.told).not.toContain("very-secret");
  expect(seen.map(({ url }) => url)).toEqual(["/moved/digits/insitu.json"]);
});
