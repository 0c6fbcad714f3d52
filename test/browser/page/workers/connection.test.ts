// The worker boundary: the handshake, the worker's death, limits of calls, and errors that arrive complete.
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { PROTOCOL } from "../../../../src/shared/protocol.js";
import type { LibraryPage } from "../../../support/page.js";
import { openSharedLibrary } from "../../../support/shared-browser.js";

let library: LibraryPage;

const scripts: Record<string, string> = {
  "/workers/old.js": 'postMessage({ insitu: "ready", protocol: 0 });',
  "/workers/broken.js": "this is no script",
  // Sends the handshake and then fails with the first call.
  "/workers/dies.js": `postMessage({ insitu: "ready", protocol: ${PROTOCOL} });
    addEventListener("message", ({ data }) => {
      if (data.path?.[0] === "connect") postMessage({ id: data.id, type: "RAW", value: undefined });
      else setTimeout(() => { throw new Error("out of luck"); }, 50);
    });`,
};

beforeAll(async () => {
  library = await openSharedLibrary({
    routes: [
      (req, res) => {
        const script = scripts[req.url ?? ""];
        if (script === undefined) return false;
        res.writeHead(200, { "Content-Type": "text/javascript" }).end(script);
        return true;
      },
    ],
  });
});
afterAll(() => library?.close());
beforeEach(() => library.visit());

/** The error of `capabilities()` with the worker at `url`, and the milliseconds it took. */
function startWith(url: string) {
  return library.page.evaluate(async (worker) => {
    const started = performance.now();
    const client = window.insitu.createClient({ worker });
    const error = await client.capabilities().then(
      () => ({ code: "started", message: "" }),
      (reason: { code: string; message: string }) => reason,
    );
    return { code: error.code, message: error.message, ms: performance.now() - started };
  }, url);
}

test.each([
  ["a worker that answers 404", "/workers/none.js", /HTTP 404/],
  ["a worker with a syntax error", "/workers/broken.js", /is not a script/],
  ["a worker of another version", "/workers/old.js", new RegExp(`has protocol 0, the page ${PROTOCOL}`)],
  ["a worker that dies during a call", "/workers/dies.js", /out of luck/],
  ["a worker of another origin", "http://localhost:1/worker.js", /own origin|could not be fetched/],
])("%s rejects the call and says why", async (_name, url, message) => {
  const { code, message: said, ms } = await startWith(url);
  expect(code).toBe("worker_crashed");
  expect(said).toMatch(message);
  expect(ms).toBeLessThan(10_000);
});

test("after a worker died, the next load starts a new one", async () => {
  const result = await library.page.evaluate(async () => {
    let first = true;
    const worker = () => {
      const url = first ? "/workers/dies.js" : "/dist/worker.js";
      first = false;
      return new Worker(url, { type: "module" });
    };
    const client = window.insitu.createClient({ worker, backends: ["cpu"] });
    const error = await client.load("/models/digits/").catch((reason: { code: string }) => reason);
    const model = await client.load("/models/digits/");
    return { code: (error as { code: string }).code, backend: model.info.backend };
  });
  expect(result).toEqual({ code: "worker_crashed", backend: "cpu" });
});

test("an error of the worker keeps name, code, data and cause", async () => {
  const error = await library.page.evaluate(async () => {
    const client = window.insitu.createClient({ backends: ["cpu"] });
    const reason = await client.load("/nothing/here/").catch((e: unknown) => e);
    const notJson = await client
      .load("/models/digits/", { task: "detection" })
      .catch((e: { code: string; data: Record<string, unknown> }) => ({ code: e.code, data: e.data }));
    const model = await client.load("/models/digits/");
    const picture = (await model.predict(new Blob(["x"], { type: "image/png" })).catch((e: unknown) => e)) as Error;
    const { name, code, data, message } = reason as InstanceType<typeof window.insitu.InsituError>;
    return {
      name,
      code,
      data,
      message,
      ours: window.insitu.isInsituError(reason),
      real: reason instanceof window.insitu.InsituError,
      notJson,
      cause: (picture.cause as Error)?.name,
    };
  });
  expect(error).toMatchObject({
    name: "InsituError",
    code: "http_4xx",
    data: { status: 404, url: expect.stringContaining("/nothing/here/insitu.json") },
    ours: true,
    real: true,
    notJson: { code: "model_format", data: { task: "classification", wanted: "detection" } },
    cause: "InvalidStateError",
  });
});

test("signals and deadlines end a call, and only that one", async () => {
  const result = await library.page.evaluate(async () => {
    const client = window.insitu.createClient({ backends: ["cpu"] });
    const code = (promise: Promise<unknown>) =>
      promise.then(
        () => "done",
        (reason: { code: string }) => reason.code,
      );
    const before = await code(client.load("/models/digits/", { signal: AbortSignal.abort() }));
    const controller = new AbortController();
    const during = code(
      client.load("/models/digits/", { signal: controller.signal, onProgress: () => controller.abort() }),
    );
    const aborted = await during;
    const model = await client.load("/models/digits/");
    const digit = new Float32Array(784);
    const stop = new AbortController();
    const calls = [
      code(model.predict(digit)),
      code(model.predict(digit, { signal: stop.signal })),
      code(model.predict(digit, { timeout: 0.001 })),
      code(model.predict(digit, { timeout: Number.NaN })),
      code(model.predict(digit)),
    ];
    stop.abort();
    return { before, aborted, calls: await Promise.all(calls) };
  });
  expect(result).toEqual({
    before: "aborted",
    aborted: "aborted",
    calls: ["done", "aborted", "timeout", "input_invalid", "done"],
  });
});

test("disposing the client ends open calls, and twice is safe", async () => {
  const result = await library.page.evaluate(async () => {
    const client = window.insitu.createClient({ backends: ["cpu"] });
    const model = await client.load("/models/digits/");
    const open = model.predict(new Float32Array(784)).catch((reason: { code: string }) => reason.code);
    await client.dispose();
    await client.dispose();
    const later = await client.load("/models/digits/").catch((reason: { code: string }) => reason.code);
    await model.dispose();
    return { open: await open, later };
  });
  expect(result).toEqual({ open: "disposed", later: "disposed" });
});

test("handles on one package share its memory, and the last one frees it", async () => {
  const result = await library.page.evaluate(async () => {
    const client = window.insitu.createClient({ backends: ["cpu"] });
    const first = await client.load("/models/digits/");
    const second = await client.load("/models/digits/insitu.json");
    await first.dispose();
    await first.dispose();
    const { value } = await second.predict(new Float32Array(784));
    await second.dispose();
    const third = await client.load("/models/digits/");
    return { sources: [second.info.source, third.info.source], alive: (value as unknown[]).length > 0 };
  });
  expect(result).toEqual({ sources: ["memory", "cache"], alive: true });
});
