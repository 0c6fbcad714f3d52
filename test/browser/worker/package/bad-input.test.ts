// Each mistake of a host, a file or a caller has its own error code, leaves nothing behind, and the next call works.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { LibraryPage } from "../../../support/page.js";
import { openSharedLibrary } from "../../../support/shared-browser.js";

let library: LibraryPage;

beforeAll(async () => {
  library = await openSharedLibrary();
});
afterAll(() => library?.close());
beforeEach(async () => {
  library.server.faults.clear();
  // A new document has no open database: the store can be emptied.
  await library.visit();
  await library.page.evaluate(
    () =>
      new Promise<void>((resolve, reject) => {
        const request = indexedDB.deleteDatabase("insitu");
        request.onsuccess = () => resolve();
        request.onerror = () => reject(request.error);
      }),
  );
});

interface Outcome {
  code: string;
  message: string;
  /** Rows in the store after the failed load; chunks that were verified may stay, for the next try. */
  packages: number;
}

/** Loads digits, which must fail, and looks into the store. */
function failToLoad(url = "/models/digits/"): Promise<Outcome> {
  return library.page.evaluate(async (address) => {
    const client = window.insitu.createClient({ backends: ["cpu"] });
    const error = await client.load(address).then(
      () => ({ code: "loaded", message: "" }),
      (reason: { code: string; message: string }) => reason,
    );
    await client.dispose();
    const database = await new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open("insitu");
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    const packages = await new Promise<number>((resolve, reject) => {
      if (!database.objectStoreNames.contains("packages")) return resolve(0);
      const request = database.transaction("packages").objectStore("packages").count();
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    database.close();
    return { code: error.code, message: error.message, packages };
  }, url);
}

/** The next good call: digits loads and predicts. */
function loadWell(): Promise<number> {
  return library.page.evaluate(async () => {
    const client = window.insitu.createClient({ backends: ["cpu"] });
    const model = await client.load("/models/digits/", { task: "classification" });
    const { value } = await model.predict(new Float32Array(28 * 28));
    // What is stored after this test would be there in the next.
    await model.stored;
    await client.dispose();
    return value.length;
  });
}

describe("a package that is broken", () => {
  test.each([
    [
      "a missing manifest",
      "insitu.json",
      { kind: "status", status: 404 },
      "http_4xx",
      /insitu\.json answered HTTP 404/,
    ],
    ["a manifest that is an HTML page", "insitu.json", { kind: "html" }, "model_format", /HTML/],
    ["a manifest that is cut off", "insitu.json", { kind: "truncate", bytes: 40 }, "model_format", /JSON/],
    [
      "a missing model.json",
      "model.json",
      { kind: "status", status: 404 },
      "http_4xx",
      /model\.json answered HTTP 404/,
    ],
    ["a model.json that is an HTML page", "model.json", { kind: "html" }, "model_integrity", /HTML page/],
    [
      "a shard that is missing",
      "weights.bin",
      { kind: "status", status: 404 },
      "http_4xx",
      /weights\.bin answered HTTP 404/,
    ],
    ["a shard that the host fails to read", "weights.bin", { kind: "status", status: 503 }, "http_5xx", /HTTP 503/],
    ["a short shard", "weights.bin", { kind: "truncate", bytes: 1000 }, "model_integrity", /fewer bytes/],
    [
      "a long shard",
      "weights.bin",
      { kind: "replace", body: new Uint8Array(2_000_000) },
      "model_integrity",
      /another SHA-256/,
    ],
    ["an altered shard", "weights.bin", { kind: "alter", offset: 99 }, "model_integrity", /another SHA-256/],
    ["a connection that breaks off", "weights.bin", { kind: "cut", bytes: 1000 }, "network", /Could not fetch/],
  ] as const)("%s", async (_name, file, fault, code, message) => {
    library.server.faults.set(`/models/digits/${file}`, fault);
    const outcome = await failToLoad();
    expect(outcome).toMatchObject({ code, packages: 0 });
    expect(outcome.message).toMatch(message);
    library.server.faults.clear();
    expect(await loadWell()).toBeGreaterThan(0);
  });

  test("an address that is no address", async () => {
    expect(await failToLoad("data:text/plain,x")).toMatchObject({ code: "input_invalid" });
  });
});

describe("wasm binaries", () => {
  const binary = "/dist/wasm/tfjs-backend-wasm-simd.wasm";

  /** Tells which backend ran and why wasm did not. */
  const loadOn = (backends: ("wasm" | "cpu")[]) =>
    library.page.evaluate(async (allowed) => {
      const client = window.insitu.createClient({ backends: allowed });
      return client.load("/models/digits/").then(
        (model) => ({ backend: model.info.backend as string, reason: model.info.refused[0]?.reason ?? "" }),
        (error: { code: string; message: string }) => ({ backend: error.code, reason: error.message }),
      );
    }, backends);

  test("an HTML page in its place names the address, and cpu takes over", async () => {
    library.server.faults.set(binary, { kind: "html" });
    const { backend, reason } = await loadOn(["wasm", "cpu"]);
    expect(backend).toBe("cpu");
    expect(reason).toContain(binary);
    expect(reason).toContain("is not WebAssembly");
  });

  test("a missing binary is an error, and wasm works once it is there", async () => {
    library.server.faults.set(binary, { kind: "status", status: 404 });
    const { backend, reason } = await loadOn(["wasm"]);
    expect(backend).toBe("backend_unavailable");
    expect(reason).toContain("HTTP 404");
    library.server.faults.clear();
    expect(await loadOn(["wasm"])).toEqual({ backend: "wasm", reason: "" });
  });

  test("one of another version is refused", async () => {
    library.server.faults.set(binary, { kind: "alter", offset: 5000 });
    const { reason } = await loadOn(["wasm", "cpu"]);
    expect(reason).toContain("not the binary of this version");
  });
});

describe("an input that does not fit", () => {
  type Case = [name: string, code: string, message: RegExp];
  const cases: Case[] = [
    [
      "too few numbers",
      "input_invalid",
      /Float32Array of length 784 \(shape \[1,28,28,1\], float32\), got Float32Array of length 783/,
    ],
    ["another dtype", "input_invalid", /takes a Float32Array of length 784.*got Int32Array/],
    ["a name that is not an input", "input_invalid", /The inputs do not fit: got pixels/],
    ["a file that is no image", "input_invalid", /as an image/],
    ["an empty file", "input_invalid", /empty/],
    ["an image that is not loaded", "input_invalid", /empty, broken or not loaded/],
    ["an empty canvas", "input_invalid", /empty, broken or not loaded/],
    ["nothing", "input_invalid", /Cannot predict from undefined/],
    ["null", "input_invalid", /Cannot predict from null: pass an image/],
    ["an array", "input_invalid", /Cannot predict from an object of type Array: pass .* a Float32Array/],
    ["an empty string", "input_invalid", /Cannot predict from/],
    ["a URL without a file", "http_4xx", /photo\.jpg failed with HTTP 404/],
    ["after dispose", "disposed", /disposed/],
  ];

  test.each(cases)("%s", async (name, code, message) => {
    const { failed, next } = await library.page.evaluate(async (what) => {
      const client = window.insitu.createClient({ backends: ["cpu"] });
      let model = await client.load("/models/digits/", { task: "classification" });
      const inputs: Record<string, () => unknown> = {
        "too few numbers": () => new Float32Array(783),
        "another dtype": () => new Int32Array(784),
        "a name that is not an input": () => ({ pixels: new Float32Array(784) }),
        "a file that is no image": () => new Blob(["no image"], { type: "image/png" }),
        "an empty file": () => new Blob([], { type: "image/png" }),
        "an image that is not loaded": () => new Image(),
        "an empty canvas": () => Object.assign(document.createElement("canvas"), { width: 0, height: 0 }),
        nothing: () => undefined,
        null: () => null,
        "an array": () => [1, 2, 3],
        "an empty string": () => "",
        "a URL without a file": () => "photo.jpg",
        "after dispose": () => new Float32Array(784),
      };
      if (what === "after dispose") await model.dispose();
      const error = await model.predict(inputs[what]?.() as Float32Array).then(
        () => ({ name: "", code: "predicted", message: "" }),
        (reason: { name: string; code: string; message: string }) => reason,
      );
      if (what === "after dispose") model = await client.load("/models/digits/", { task: "classification" });
      const { value } = await model.predict(new Float32Array(784));
      return { failed: { name: error.name, code: error.code, message: error.message }, next: value.length };
    }, name);
    expect(failed.name).toBe("InsituError");
    expect(failed.code).toBe(code);
    expect(failed.message).toMatch(message);
    expect(next).toBeGreaterThan(0);
  });
});
