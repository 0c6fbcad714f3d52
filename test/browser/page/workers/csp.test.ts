// Pages with a strict Content-Security-Policy, or isolated ones: what is allowed works, and errors say what to add.
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { LibraryPage } from "../../../support/page.js";
import { policyRoute, visitUnder } from "../../../support/policy.js";
import { openSharedLibrary } from "../../../support/shared-browser.js";

vi.setConfig({ testTimeout: 30_000 });
let library: LibraryPage;

beforeAll(async () => {
  library = await openSharedLibrary({ routes: [policyRoute] });
});
afterAll(() => library?.close());

const visit = (policy: string, more: Record<string, string> = {}) =>
  visitUnder(library.page, library.server, { "Content-Security-Policy": policy, ...more });

/** Loads digits and predicts once. */
const run = (options: { backends?: ("wasm" | "cpu")[]; worker?: string; url?: string } = {}) =>
  library.page.evaluate(async ({ url = "/models/digits/", ...given }) => {
    const client = window.insitu.createClient({ backends: ["wasm", "cpu"], ...given });
    try {
      const model = await client.load(url, { task: "classification" });
      await model.tuned;
      const { value, backend } = await model.predict(new Float32Array(784));
      const { crossOriginIsolated } = await client.capabilities();
      return { code: "", message: "", data: {}, backend, refused: model.info.refused, values: value.length, crossOriginIsolated }; // biome-ignore format: one line
    } catch (error) {
      const { code, message, data } = error as InstanceType<typeof window.insitu.InsituError>;
      return { code, message, data, refused: [] };
    } finally {
      await client.dispose();
    }
  }, options);

// What docs/csp.md says to send.
const STRICT = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'";

test("the policy that is documented runs wasm, with the worker as a file of its own", async () => {
  await visit(STRICT);
  expect(await run({ backends: ["wasm"] })).toMatchObject({ code: "", backend: "wasm", refused: [], values: 10 });
});

test("without 'wasm-unsafe-eval' cpu runs, and wasm is refused once, with what to add", async () => {
  await visit(STRICT.replace(" 'wasm-unsafe-eval'", ""));
  const { refused, ...rest } = await run();
  expect(rest).toMatchObject({ code: "", backend: "cpu", values: 10 });
  expect(refused).toEqual([{ backend: "wasm", reason: expect.stringMatching(/'wasm-unsafe-eval' to script-src/) }]);
  const only = await run({ backends: ["wasm"] });
  expect(only).toMatchObject({ code: "backend_unavailable", message: expect.stringContaining("'wasm-unsafe-eval'") });
});

test.each([
  ["none", "worker-src 'none'", undefined, "worker-src 'self'", "/dist/worker.js"],
  ["another path", "worker-src https://elsewhere.example", "/dist/worker.js", "worker-src 'self'", "/dist/worker.js"],
  ["no blob:", "worker-src 'self'", "blob", "worker-src blob:", "blob"],
])(
  "a worker-src with %s is told as csp_blocked, with the directive to add",
  async (_name, policy, worker, directive, url) => {
    await visit(`${STRICT.replace("worker-src 'self'", policy)}`);
    const started = Date.now();
    const { code, message, data } = await library.page.evaluate(async (given) => {
      const make = () => new Worker(URL.createObjectURL(new Blob(["postMessage(1)"])), { type: "module" });
      const client = window.insitu.createClient({ worker: given === "blob" ? make : given });
      return client.capabilities().then(
        () => ({ code: "started", message: "", data: {} }),
        ({ code, message, data }) => ({ code, message, data }),
      );
    }, worker);
    expect({ code, data }).toEqual({ code: "csp_blocked", data: { directive, url: expect.stringContaining(url) } });
    expect(message).toContain(`Add ${directive}`);
    expect(Date.now() - started).toBeLessThan(5_000);
  },
);

test("under a policy that is only reported, or that allows it, a missing worker is no matter of the policy", async () => {
  await visit(STRICT, { "Content-Security-Policy-Report-Only": "worker-src 'none'" });
  expect(await run()).toMatchObject({ code: "", values: 10 });
  expect(await run({ worker: "/none.js" })).toMatchObject({
    code: "worker_crashed",
    message: expect.stringMatching(/HTTP 404/),
  });
});

test("a host that connect-src does not name cannot be reached, and the error names its address", async () => {
  await visit(STRICT.replace("connect-src 'self'", "connect-src https://elsewhere.example"));
  // Not the package that the tests before have stored.
  const { code, message } = await run({ url: "/models/objects/" });
  expect({ code, message }).toEqual({
    code: "network",
    message: expect.stringContaining("/models/objects/insitu.json"),
  });
});

test("once the policy allows it, the same page address works", async () => {
  await visit(STRICT.replace("worker-src 'self'", "worker-src 'none'"));
  expect(await run()).toMatchObject({ code: "csp_blocked" });
  await visit(STRICT);
  expect(await run()).toMatchObject({ code: "" });
});

const ISOLATED = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

test.each([
  ["without COOP and COEP", {}, false],
  ["with COOP and COEP", ISOLATED, true],
])("%s it runs, and capabilities() tells whether the page is isolated", async (_name, headers, isolated) => {
  await visit(`${STRICT.replace("worker-src 'self'", "worker-src 'self' blob:")}`, headers);
  expect(await run()).toMatchObject({ code: "", backend: "wasm", values: 10, crossOriginIsolated: isolated });
});

test("isolated, but without blob: for tfjs's threads, wasm runs on one thread and does not wait for more", async () => {
  await visit(STRICT, ISOLATED);
  expect(await run({ backends: ["wasm"] })).toMatchObject({ code: "", backend: "wasm", crossOriginIsolated: true });
});
