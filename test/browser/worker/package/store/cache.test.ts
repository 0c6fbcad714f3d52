// The store: streamed with exact progress, verified, all or nothing; the second load makes no request.
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import manifest from "../../../../../models/digits/package/insitu.json" with { type: "json" };
import type { LoadProgress } from "../../../../../src/shared/types/model.js";
import type { StoreEvent } from "../../../../../src/shared/types/store.js";
import { flipStored } from "../../../../support/delivery.js";
import type { LibraryPage } from "../../../../support/page.js";
import { openSharedLibrary } from "../../../../support/shared-browser.js";

let library: LibraryPage;

beforeAll(async () => {
  // Scripts may come from the HTTP cache: what is tested is that no package and no binary is asked for.
  library = await openSharedLibrary({ headers: { "Cache-Control": "max-age=600" } });
});
afterAll(() => library?.close());
beforeEach(async () => {
  library.server.faults.clear();
  await library.page.goto(library.server.url);
  const session = await library.chromium.context.newCDPSession(library.page);
  await session.send("Storage.clearDataForOrigin", { origin: library.server.url, storageTypes: "indexeddb" });
  await library.visit();
  library.server.requests.length = 0;
});

const total = manifest.files.reduce((sum, file) => sum + file.size, 0);

function load(options: { backends?: ("wasm" | "cpu")[]; storage?: { name?: string; maxBytes?: number } } = {}) {
  return library.page.evaluate(async (given) => {
    const client = window.insitu.createClient({ backends: ["wasm"], ...given });
    const progress: LoadProgress[] = [];
    const corrupt: StoreEvent[] = [];
    client.store.addEventListener("corrupt", ({ detail }) => corrupt.push(detail));
    const model = await client.load("/models/digits/", {
      task: "classification",
      onProgress: (step) => progress.push(step),
    });
    const { value } = await model.predict(new Float32Array(784));
    await model.stored;
    const { source, storeError } = model.info;
    return {
      source,
      progress,
      corrupt,
      label: value[0]?.label,
      storeError: storeError && { code: storeError.code, name: storeError.name },
    };
  }, options);
}

const asked = () => library.server.requests.map(({ url }) => url).filter((url) => /models|\.wasm/.test(url));

test("the first load streams every file once and tells the bytes exactly", async () => {
  const { source, progress, storeError } = await load();
  expect(source).toBe("network");
  expect(storeError).toBeUndefined();
  expect(asked().sort()).toEqual([
    "/dist/wasm/tfjs-backend-wasm-simd.wasm",
    "/models/digits/insitu.json",
    ...manifest.files.map(({ path }) => `/models/digits/${path}`).sort(),
  ]);
  const download = progress.filter(({ phase }) => phase === "download");
  expect(download.at(0)).toEqual({ phase: "download", loaded: 0, total });
  expect(download.at(-1)).toEqual({ phase: "download", loaded: total, total });
  expect(download.map(({ loaded }) => loaded)).toEqual(download.map(({ loaded }) => loaded).toSorted((a, b) => a - b));
  expect([...new Set(progress.map(({ phase }) => phase))]).toEqual([
    "download",
    "verify",
    "store",
    "compile",
    "warmup",
  ]);
});

test("the second load, in a new page, makes no request", async () => {
  const first = await load();
  await library.visit();
  library.server.requests.length = 0;
  expect(await load()).toMatchObject({ source: "cache", label: first.label });
  expect(asked()).toEqual([]);
});

// What a load reads before a model runs. Plans are read once: what was made of them is a note.
const READ = manifest.files.filter(({ path }) => !/^(self-test|plan)-/.test(path));

const BY_CHECKSUM = READ.map((file) => ({ ...file, found: "its checksum", backend: "wasm" as const, old: false }));
const BY_HASH = [
  { found: "its SHA-256, since an older library stored no checksum", backend: "wasm" as const, old: true },
  { found: "its SHA-256, since WebAssembly is not used", backend: "cpu" as const, old: false },
].flatMap((how) => READ.map((file) => ({ ...file, ...how })));

test.each([...BY_CHECKSUM, ...BY_HASH])(
  "an altered byte in the stored $path is found by $found, and mended from that file alone",
  async (damage) => {
    const { path, sha256, backend, old } = damage;
    const backends = [backend];
    const first = await load({ backends });
    await library.visit();
    const hadChecksum = await library.page.evaluate(flipStored, { store: "insitu", sha256, old });
    expect(hadChecksum).toBe(backend === "wasm");
    library.server.requests.length = 0;
    const mended = await load({ backends });
    expect(mended).toMatchObject({ source: "cache", label: first.label });
    const url = `${library.server.url}models/digits/`;
    expect(mended.corrupt).toEqual([{ type: "corrupt", url, path, sha256 }]);
    expect(asked()).toEqual([`/models/digits/${path}`]);

    library.server.requests.length = 0;
    expect(await load({ backends })).toMatchObject({ source: "cache", label: first.label, corrupt: [] });
    expect(asked()).toEqual([]);
  },
);

test("two clients that load at once fetch the package once", async () => {
  const sources = await library.page.evaluate(async () => {
    const a = window.insitu.createClient({ backends: ["cpu"] });
    const b = window.insitu.createClient({ backends: ["cpu"] });
    const models = await Promise.all([a.load("/models/digits/"), b.load("/models/digits/")]);
    return models.map((model) => model.info.source).sort();
  });
  expect(sources).toEqual(["cache", "network"]);
  expect(asked()).toHaveLength(1 + manifest.files.length);
});

test("a full origin still predicts, reports why nothing was stored, and leaves no partial package", async () => {
  const session = await library.chromium.context.newCDPSession(library.page);
  await session.send("Storage.overrideQuotaForOrigin", { origin: library.server.url, quotaSize: 1000 });
  try {
    const full = await load();
    expect(full).toMatchObject({ source: "network", storeError: { code: "storage_quota", name: "InsituError" } });
    expect(full.label).toBeDefined();
  } finally {
    await session.send("Storage.overrideQuotaForOrigin", { origin: library.server.url });
  }
  expect((await load()).source).toBe("network");
  expect((await load()).source).toBe("cache");
});

test("a budget that the package exceeds is a store error, and the model runs", async () => {
  expect(await load({ storage: { maxBytes: 1000 } })).toMatchObject({
    source: "network",
    storeError: { code: "storage_quota" },
  });
});

test("without IndexedDB the model runs from memory and says so", async () => {
  const result = await library.page.evaluate(async () => {
    const worker = () => {
      const code = `Object.defineProperty(self, "indexedDB", { value: undefined }); await import("${location.origin}/dist/worker.js");`;
      return new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })), { type: "module" });
    };
    const client = window.insitu.createClient({ backends: ["cpu"], worker });
    const model = await client.load("/models/digits/");
    await model.stored;
    return { source: model.info.source, code: model.info.storeError?.code };
  });
  expect(result).toEqual({ source: "network", code: "storage_unavailable" });
});
