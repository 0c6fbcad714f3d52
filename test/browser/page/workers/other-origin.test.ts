// The library on another origin, as from a CDN: its worker starts through a blob module, and errors name both ways out.
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LibraryPage } from "../../../support/page.js";
import { type Route, startServer, type TestServer } from "../../../support/server.js";
import { openSharedLibrary } from "../../../support/shared-browser.js";

let site: LibraryPage;
let cdn: TestServer;

beforeAll(async () => {
  cdn = await startServer({ mounts: { "/dist/": "dist" }, headers: { "Access-Control-Allow-Origin": "*" } });
  const files: Record<string, [type: string, text: string]> = {
    "/cdn/": ["text/html", '<!doctype html><script type="module" src="/cdn/page.js"></script>'],
    "/cdn/page.js": ["text/javascript", `import * as insitu from "${cdn.url}dist/index.js"; window.insitu = insitu;`],
  };
  const route: Route = (req, res) => {
    const file = files[req.url ?? ""];
    if (file) res.writeHead(200, { "Content-Type": file[0], ...site.server.manners.headers }).end(file[1]);
    return file !== undefined;
  };
  site = await openSharedLibrary({ routes: [route] });
});
afterAll(async () => {
  await site.close();
  await cdn.close();
});

/** Predicts with the library of the CDN in a page of the site under a policy; returns the label, or the error. */
async function predictFromCdn(policy?: string, worker?: string) {
  const { page, server } = site;
  server.manners.headers = { "Cache-Control": "no-store", ...(policy && { "Content-Security-Policy": policy }) };
  await page.goto(`${server.url}cdn/`);
  await page.waitForFunction(() => "insitu" in window, undefined, { timeout: 10_000 });
  return page.evaluate(
    async ([worker]) => {
      const client = window.insitu.createClient({ backends: ["wasm"], worker });
      try {
        const model = await client.load(new URL("/models/digits/", location.href), { task: "classification" });
        const { value, backend } = await model.predict(new Float32Array(784));
        return { classes: value.length, backend, code: "", message: "" };
      } catch (error) {
        const { code, message } = error as { code: string; message: string };
        return { classes: 0, backend: "", code, message };
      } finally {
        await client.dispose();
      }
    },
    [worker] as const,
  );
}

test("the worker beside the library starts, and fetches its wasm from there", async () => {
  cdn.requests.length = 0;
  expect(await predictFromCdn()).toMatchObject({ classes: 10, backend: "wasm", code: "" });
  const paths = cdn.requests.map(({ url }) => url);
  expect(paths).toContain("/dist/worker.js");
  expect(paths.some((path) => path.endsWith(".wasm"))).toBe(true);
});

test("an address of another origin as the worker option starts too", async () => {
  expect(await predictFromCdn(undefined, `${cdn.url}dist/worker.js`)).toMatchObject({ classes: 10, code: "" });
});

test("a policy that allows blob: and the other origin as workers is enough", async () => {
  const policy = `script-src 'self' ${cdn.url} 'wasm-unsafe-eval'; worker-src blob: ${cdn.url}; connect-src 'self' ${cdn.url}`;
  expect(await predictFromCdn(policy)).toMatchObject({ classes: 10, backend: "wasm", code: "" });
});

test("a policy without blob: is a typed error that names the directive and the other way out", async () => {
  const { code, message } = await predictFromCdn(`script-src 'self' ${cdn.url} 'wasm-unsafe-eval'; worker-src 'self'`);
  expect(code).toBe("csp_blocked");
  expect(message).toContain(`worker-src blob: ${new URL(cdn.url).origin}`);
  expect(message).toContain("createClient({ worker:");
});

test("another origin that does not allow the import is a typed error that names the header", async () => {
  const closed = await startServer({ mounts: { "/dist/": "dist" } });
  const { code, message } = await predictFromCdn(undefined, `${closed.url}dist/worker.js`);
  await closed.close();
  expect(code).toBe("worker_crashed");
  expect(message).toContain("Access-Control-Allow-Origin");
  expect(message).toContain("createClient({ worker:");
});
