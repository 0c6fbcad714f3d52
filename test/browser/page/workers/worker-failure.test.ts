// A worker that never starts: the error names its address, and what to do by what the address answers.
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { importLibrary, type LibraryPage } from "../../../support/page.js";
import type { Route } from "../../../support/server.js";
import { openSharedLibrary } from "../../../support/shared-browser.js";

vi.setConfig({ testTimeout: 60_000 });

/** What stands at an address: status, content type, text. */
const FILES: Record<string, [status: number, type: string, text: string]> = {
  "/hosts/app.html": [200, "text/html", "<!doctype html><title>An app</title>"],
  "/hosts/text.js": [200, "text/plain", "postMessage(1)"],
  "/hosts/untyped.js": [200, "", "postMessage(1)"],
  "/hosts/secret.js": [403, "text/plain", "no"],
  "/hosts/down.js": [503, "text/html", "down"],
  "/hosts/broken.js": [200, "text/javascript", "this is no script"],
  "/hosts/other.js": [200, "text/javascript", "postMessage('hello')"],
};
// Vite's folder of dependencies has the library's modules, and not what they name by URL.
const DEPS = "/node_modules/.vite/deps/";

let library: LibraryPage;
/** What Vite's server answers for a file that it does not have. */
let fallback: [status: number, type: string];

beforeAll(async () => {
  const route: Route = (req, res) => {
    const path = (req.url ?? "").split("?")[0] ?? "";
    if (path === "/hosts/moved.js") {
      res.writeHead(302, { Location: `http://localhost:${req.socket.localPort}/dist/worker.js` }).end();
      return true;
    }
    const file = path === `${DEPS}worker.js` ? ([...fallback, "<!doctype html>"] as const) : FILES[path];
    if (!file) return false;
    res.writeHead(file[0], file[1] ? { "Content-Type": file[1] } : {}).end(file[2]);
    return true;
  };
  const allow = { "Access-Control-Allow-Origin": "*" };
  library = await openSharedLibrary({ mounts: { [DEPS]: "dist" }, routes: [route], headers: allow });
});
afterAll(() => library?.close());

interface Failure {
  code: string;
  message: string;
  data: Record<string, unknown>;
}

/** The error of a load with the worker at `worker`, by the library at `script`. */
async function failure(worker: string | undefined, script = "/dist/index.js"): Promise<Failure> {
  await library.page.goto(library.server.url);
  return library.page.evaluate(
    async ([worker, script]) => {
      // As text, since Vitest rewrites imports.
      const load = new Function("url", "return import(url)") as (url: string) => Promise<typeof window.insitu>;
      const { createClient } = await load(script);
      const client = createClient({ worker });
      try {
        await client.load("/models/digits/");
        return { code: "started", message: "", data: {} };
      } catch (error) {
        const { code, message, data } = error as Failure;
        return { code, message, data };
      } finally {
        await client.dispose();
      }
    },
    [worker, script] as const,
  );
}

test.each([
  ["nothing", "/hosts/none.js", ["HTTP 404", "Copy node_modules/insitu/dist/worker.js", "createClient({ worker:"], 404],
  ["the app's page", "/hosts/app.html", ["HTML page", "Copy node_modules/insitu/dist/worker.js"], 200],
  ["another content type", "/hosts/text.js", ["text/plain", "Content-Type: text/javascript"], 200],
  ["no content type", "/hosts/untyped.js", ["no content type", "Content-Type: text/javascript"], 200],
  ["what not everybody may fetch", "/hosts/secret.js", ["HTTP 403", "who may fetch it"], 403],
  ["a server that is down", "/hosts/down.js", ["HTTP 503"], 503],
  ["a redirect to another origin", "/hosts/moved.js", ["redirects to", "own origin"], 200],
  ["what is no script", "/hosts/broken.js", ["whole worker.js"], 200],
])("a worker's address with %s is named, and so is the remedy", async (_what, path, texts, status) => {
  const { code, message, data } = await failure(path);
  const url = new URL(path, library.server.url).href;
  expect(code).toBe("worker_crashed");
  for (const text of [url, ...texts]) expect(message).toContain(text);
  expect(data).toMatchObject({ url, status });
  expect(message.length).toBeLessThan(400);
});

test.each([
  ["404", [404, "text/plain"]],
  ["the app's page", [200, "text/html"]],
] as [string, [number, string]][])(
  "in Vite's folder of dependencies, whose server answers %s, the remedy is Vite's option",
  async (_what, answer) => {
    fallback = answer;
    const { code, message, data } = await failure(undefined, `${DEPS}index.js`);
    expect(code).toBe("worker_crashed");
    expect(message).toContain(`${DEPS}worker.js`);
    expect(message).toContain('optimizeDeps: { exclude: ["insitu"] }');
    expect(message).not.toContain("Copy node_modules");
    expect(data.url).toContain(`${DEPS}worker.js`);
  },
);

test("a worker whose host cannot be reached is named", async () => {
  const { code, message } = await failure("http://127.0.0.1:9/worker.js");
  expect(code).toBe("worker_crashed");
  expect(message).toContain("http://127.0.0.1:9/worker.js");
});

test("a script that is another worker's is named once the time is over", async () => {
  const { code, message, data } = await failure("/hosts/other.js");
  expect(code).toBe("timeout");
  expect(message).toContain("/hosts/other.js");
  expect(data.timeout).toBe(30_000);
});

test("a function's worker that does not start is told as the function's", async () => {
  await library.page.goto(library.server.url);
  await importLibrary(library.page);
  const { code, message } = await library.page.evaluate(async () => {
    const client = window.insitu.createClient({ worker: () => new Worker("/hosts/none.js", { type: "module" }) });
    return client.capabilities().then(
      () => ({ code: "started", message: "" }),
      ({ code, message }) => ({ code, message }),
    );
  });
  expect(code).toBe("worker_crashed");
  expect(message).toContain("the function");
});

test("an isolated page whose worker lacks the header is told which one", async () => {
  const isolated = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };
  const site = await openSharedLibrary({
    routes: [
      (req, res) => {
        if (req.url === "/") res.writeHead(200, { ...isolated, "Content-Type": "text/html" }).end("<!doctype html>");
        return req.url === "/";
      },
    ],
  });
  const { code, message, isIsolated } = await site.page.evaluate(async () => {
    const told = await window.insitu
      .createClient()
      .capabilities()
      .then(
        () => ({ code: "started", message: "" }),
        ({ code, message }) => ({ code, message }),
      );
    return { ...told, isIsolated: crossOriginIsolated };
  });
  await site.close();
  expect({ code, isIsolated }).toEqual({ code: "worker_crashed", isIsolated: true });
  expect(message).toContain("Cross-Origin-Embedder-Policy");
});

test("where the explanation cannot be fetched either, the address is still named", async () => {
  library.server.faults.set("/dist/worker-failure.js", { kind: "status", status: 404 });
  const { code, message } = await failure("/hosts/none.js");
  library.server.faults.clear();
  expect(code).toBe("worker_crashed");
  expect(message).toContain("/hosts/none.js");
});
