// The library from another host, with the hashes of dist/integrity.json: a script that the host altered does not run.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LibraryPage } from "../../support/page.js";
import { type Route, startServer, type TestServer } from "../../support/server.js";
import { openSharedLibrary } from "../../support/shared-browser.js";

const hashes = JSON.parse(readFileSync("dist/integrity.json", "utf8")) as Record<string, string>;
let site: LibraryPage;
let cdn: TestServer;
/** The script that the host alters. */
let altered: string | undefined;

beforeAll(async () => {
  const alter: Route = (req, res) => {
    if (req.url !== `/dist/${altered}`) return false;
    const headers = { "Content-Type": "text/javascript", "Access-Control-Allow-Origin": "*" };
    res.writeHead(200, headers).end(`${readFileSync(`dist/${altered}`, "utf8")}\nglobalThis.stolen = true;`);
    return true;
  };
  const headers = { "Access-Control-Allow-Origin": "*" };
  cdn = await startServer({ mounts: { "/dist/": "dist" }, headers, routes: [alter] });
  const page: Route = (req, res) => {
    if (req.url !== "/checked/") return false;
    const integrity = Object.fromEntries(
      Object.entries(hashes).map(([file, hash]) => [`${cdn.url}dist/${file}`, hash]),
    );
    res
      .writeHead(200, { "Content-Type": "text/html" })
      .end(`<!doctype html><script type="importmap">${JSON.stringify({ integrity })}</script>`);
    return true;
  };
  site = await openSharedLibrary({ routes: [page] });
});
afterAll(async () => {
  await site?.close();
  await cdn?.close();
});

/** What happens when a page imports the library and uses a part that is a file of its own. */
async function use(file?: string) {
  altered = file;
  await site.page.goto(`${site.server.url}checked/`);
  return site.page.evaluate(async (url) => {
    // As text, since Vitest rewrites imports.
    const load = new Function("url", "return import(url)") as (url: string) => Promise<typeof window.insitu>;
    const outcome = await load(url).then(
      async ({ createClient }) => {
        const client = createClient({ backends: ["wasm"], worker: "/dist/worker.js" });
        const model = await client.load("/models/digits/");
        const { items } = await Array.fromAsync(model.predictAll([new Float32Array(784)]))
          .then((found) => ({ items: found.length }))
          .catch((error: { code: string }) => ({ items: error.code }));
        await client.dispose();
        return items;
      },
      (error: Error) => error.name,
    );
    return { outcome, stolen: "stolen" in window };
  }, `${cdn.url}dist/index.js`);
}

test("the scripts as they were built run", async () => {
  expect(await use()).toEqual({ outcome: 1, stolen: false });
});

test.each([
  ["index.js", "TypeError"],
  ["shared.js", "TypeError"],
  ["predict-all.js", "network"],
])("an altered %s does not", async (file, outcome) => {
  expect(await use(file)).toEqual({ outcome, stolen: false });
});
