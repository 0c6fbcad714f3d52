// What the worker does as it starts, before the page asks for anything.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type LibraryPage, openLibrary } from "../../support/page.js";

/** A worker whose error must be seen by the test below. */
const THROWS = "try { (void 0).missing(); } catch { postMessage('caught'); }";

let library: LibraryPage;
const folder = mkdtempSync(join(tmpdir(), "insitu-trace-"));
beforeAll(async () => {
  // A browser of its own: only one trace can be taken at a time.
  library = await openLibrary(
    {},
    {
      routes: [
        (req, res) => {
          if (req.url === "/throws.js") res.writeHead(200, { "Content-Type": "text/javascript" }).end(THROWS);
          return req.url === "/throws.js";
        },
      ],
    },
  );
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await library?.close();
});

interface TraceEvent {
  name: string;
  pid: number;
  tid: number;
  args: { name?: string };
}

/** How often V8 parsed a whole script in a worker while `run` ran. */
async function parsesDuring(run: () => Promise<unknown>): Promise<number> {
  const path = join(folder, "trace.json");
  const browser = library.chromium.context.browser() as Browser;
  await library.visit();
  await browser.startTracing(library.page, { path, categories: ["disabled-by-default-v8.compile"] });
  await run();
  await browser.stopTracing();
  const { traceEvents } = JSON.parse(readFileSync(path, "utf8")) as { traceEvents: TraceEvent[] };
  const threads = traceEvents.filter(
    ({ name, args }) => name === "thread_name" && args.name?.includes("Worker thread"),
  );
  const isWorker = (event: TraceEvent) => threads.some(({ pid, tid }) => pid === event.pid && tid === event.tid);
  return traceEvents.filter((event) => event.name === "V8.ParseProgram" && isWorker(event)).length;
}

test("the script is parsed once: no error is thrown at its top, which V8 would parse it again to describe", async () => {
  const start = () =>
    library.page.evaluate(async () => {
      const client = window.insitu.createClient({ backends: ["wasm"] });
      await client.capabilities();
    });
  expect(await parsesDuring(start)).toBe(1);
  const throwing = () =>
    library.page.evaluate(async () => {
      const worker = new Worker("/throws.js", { type: "module" });
      await new Promise((done) => worker.addEventListener("message", done));
    });
  expect(await parsesDuring(throwing)).toBeGreaterThan(1);
});
