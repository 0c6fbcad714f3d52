// How many threads wasm may use: one without isolation, which is said, and few on iOS.
import { expect, test } from "vitest";
import type { ServerOptions } from "../../../../support/server.js";
import { openSharedLibrary } from "../../../../support/shared-browser.js";

/** A worker that finds the navigator of another device, with 8 cores. */
function deviceRoute(device: object): NonNullable<ServerOptions["routes"]>[number] {
  const navigator = { hardwareConcurrency: 8, ...device };
  const scripts: Record<string, string> = {
    "/device.js": `for (const [name, value] of Object.entries(${JSON.stringify(navigator)}))
      Object.defineProperty(navigator, name, { value, configurable: true });`,
    // Imports run in their order: the library reads the navigator when it is evaluated.
    "/device-worker.js": 'import "/device.js"; import "/dist/worker.js";',
  };
  return (req, res) => {
    const script = scripts[req.url ?? ""];
    if (script === undefined) return false;
    res.writeHead(200, {
      "Content-Type": "text/javascript",
      "Cross-Origin-Embedder-Policy": "require-corp",
      "Cross-Origin-Resource-Policy": "same-origin",
    });
    res.end(script);
    return true;
  };
}

/** Loads and predicts on wasm; returns what the library said of its threads. */
async function wasmThreads(serve: ServerOptions, worker = "/dist/worker.js") {
  const library = await openSharedLibrary(serve);
  try {
    return await library.page.evaluate(async (worker) => {
      const client = window.insitu.createClient({ backends: ["wasm"], worker });
      const { backends, crossOriginIsolated } = await client.capabilities();
      const model = await client.load("/models/digits/", { task: "classification" });
      const { value } = await model.predict(new Float32Array(784));
      const { threads, reason } = backends.find(({ backend }) => backend === "wasm") ?? {};
      await client.dispose();
      return { threads, reason, crossOriginIsolated, values: value.length };
    }, worker);
  } finally {
    await library.close();
  }
}

test("without isolation wasm runs on one thread, and capabilities() names the headers", async () => {
  const { threads, reason, crossOriginIsolated, values } = await wasmThreads({});
  expect({ threads, crossOriginIsolated, values }).toEqual({ threads: 1, crossOriginIsolated: false, values: 10 });
  expect(reason).toMatch(/not cross-origin isolated .*COOP and COEP/);
});

test.each([
  ["an isolated page may use all 8 cores", {}, 8],
  ["on an iPhone that reports 8 cores two threads are the most", { userAgent: "iPhone" }, 2],
  ["and so on an iPad, which calls itself a Mac", { userAgent: "Macintosh", maxTouchPoints: 5 }, 2],
])("%s", async (_name, device, threads) => {
  const found = await wasmThreads({ isolated: true, routes: [deviceRoute(device)] }, "/device-worker.js");
  expect(found).toMatchObject({ threads, crossOriginIsolated: true, values: 10 });
});
