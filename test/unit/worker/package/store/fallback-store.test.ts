// The store that always works: it tries a lost database again, goes over to memory for good, and says so once.
import { describe, expect, it } from "vitest";
import { type ErrorCode, InsituError } from "../../../../../src/shared/errors.js";
import type { ChunkSpec } from "../../../../../src/shared/types/manifest.js";
import type { StoreEvent } from "../../../../../src/shared/types/store.js";
import { createFallbackStore } from "../../../../../src/worker/package/store/fallback-store.js";
import { createMemoryStore } from "../../../../../src/worker/package/store/memory-store.js";
import type { NewRow, Store } from "../../../../../src/worker/package/store/store.js";
import { brokenStore, type Outage } from "../../../../support/broken-store.js";
import { type Cut, evenly } from "../../../../support/chunked.js";

const URL = "https://host.example/m/";
const file = evenly(3, 100);

function rowOf({ chunks, size }: Cut, changes: Partial<NewRow> = {}): NewRow {
  return {
    url: URL,
    name: "m",
    version: "1.0.0",
    release: 1,
    digest: "d1",
    text: "{}",
    chunks,
    bytes: size,
    ...changes,
  };
}

async function putAll(store: Store, file: Cut, url = URL): Promise<void> {
  const { chunks, part } = file;
  await store.begin(rowOf(file, { url }));
  for (const [index, chunk] of chunks.entries()) await store.put(url, chunk, new Blob([part(index)]));
}

const present = async (store: Store, { chunks }: Cut) => (await store.has(chunks.map(({ sha256 }) => sha256))).size;

/** A database that fails as told, behind a safe store, and what that one tells. */
function failing(outages: Partial<Record<keyof Store, Outage>>) {
  const { store: database, calls } = brokenStore(createMemoryStore(), outages);
  const events: StoreEvent[] = [];
  return { database, calls, events, store: createFallbackStore(database, (event) => events.push(event)) };
}

const unavailable = (final = false) => new InsituError("storage_unavailable", "the connection was lost", { final });

describe("a database that works", () => {
  it("gets every call, and memory none", async () => {
    const { store, database, events } = failing({});
    await putAll(store, file);
    await store.commit(rowOf(file));
    expect(await database.versions(URL)).toHaveLength(1);
    expect(await store.bytes()).toBe(300);
    expect(await store.floor(URL)).toEqual({ url: URL, name: "m", release: 1 });
    expect(store.problem()).toBeUndefined();
    expect(events).toEqual([]);
  });
});

describe("a database that fails", () => {
  it.each([1, 2])("%i times in a row heals, and nobody hears of it", async (times) => {
    const { store, calls, events } = failing({
      put: { error: unavailable(), times },
      read: { error: unavailable(), times },
    });
    await putAll(store, file);
    const bytes = await store.read(file.chunks[0] as ChunkSpec);
    expect(new Uint8Array(bytes as ArrayBuffer)).toEqual(file.part(0));
    expect(calls.get("put")).toBe(3 + times);
    expect(calls.get("close")).toBeUndefined();
    expect(store.problem()).toBeUndefined();
    expect(events).toEqual([]);
  });

  it("three times in a row is left for memory: one event, one reason, and the call is answered", async () => {
    const { store, calls, events } = failing({ put: { error: unavailable() } });
    await putAll(store, file);
    expect(calls.get("put")).toBe(3);
    expect(calls.get("close")).toBe(1);
    expect(await present(store, file)).toBe(3);
    expect(store.problem()).toMatchObject({ code: "storage_unavailable" });
    expect(events).toEqual([{ type: "unavailable", code: "storage_unavailable", reason: "the connection was lost" }]);
  });

  it("is not asked again once memory took over", async () => {
    const { store, calls } = failing({ versions: { error: unavailable() } });
    expect(await store.versions(URL)).toEqual([]);
    await putAll(store, file);
    await store.commit(rowOf(file));
    expect(await store.versions(URL)).toMatchObject([{ digest: "d1" }]);
    expect(calls.get("versions")).toBe(3);
    expect(calls.get("put")).toBeUndefined();
  });

  it("for many calls at the same time is told of once, and each is answered", async () => {
    const { store, events, calls } = failing({ has: { error: unavailable() }, read: { error: unavailable() } });
    const answers = await Promise.all([
      ...file.chunks.map((chunk) => store.read(chunk)),
      ...file.chunks.map(({ sha256 }) => store.has([sha256])),
    ]);
    expect(answers).toEqual(["missing", "missing", "missing", new Set(), new Set(), new Set()]);
    expect(events).toHaveLength(1);
    expect(calls.get("close")).toBe(1);
  });

  it("for good (no IndexedDB at all, say) is left at the first try", async () => {
    const { store, calls, events } = failing({ begin: { error: unavailable(true) } });
    await putAll(store, file);
    expect(calls.get("begin")).toBe(1);
    expect(calls.get("put")).toBeUndefined();
    expect(events).toHaveLength(1);
  });

  it("never rejects with storage_unavailable, whichever call it is", async () => {
    const broken: Outage = { error: unavailable() };
    const all = Object.fromEntries(Object.keys(createMemoryStore()).map((name) => [name, broken]));
    const [chunk] = file.chunks as [ChunkSpec];
    const calls: ((store: Store) => Promise<unknown>)[] = [
      (store) => store.versions(URL),
      (store) => store.floor(URL),
      (store) => store.has(["x"]),
      (store) => store.read(chunk),
      (store) => store.begin(rowOf(file)),
      (store) => store.put(URL, chunk, new Blob([file.part(0)])),
      (store) => store.proved(URL, "d1"),
      (store) => store.abandon(URL),
      (store) => store.list(),
      (store) => store.bytes(),
      (store) => store.delete(URL),
      (store) => store.clear(),
      (store) => store.pin(URL, true),
      (store) => store.readBinary(chunk),
      (store) => store.putBinary(chunk, file.part(0).buffer),
    ];
    for (const call of calls) {
      const { store, events } = failing({ ...all, close: undefined });
      await call(store);
      expect(events).toHaveLength(1);
    }
  });

  it("in the middle of a download cannot commit what it holds: storage_corrupt, nothing is listed", async () => {
    const { store } = failing({ commit: { error: unavailable() } });
    await putAll(store, file);
    await expect(store.commit(rowOf(file))).rejects.toMatchObject({ code: "storage_corrupt" });
    expect(await store.list()).toEqual([]);
  });

  it.each<ErrorCode>(["storage_quota", "storage_corrupt"])("with %s says so, at once and each time", async (code) => {
    const { store, calls, events } = failing({ put: { error: new InsituError(code, "no") } });
    const [chunk] = file.chunks as [ChunkSpec];
    const put = () => store.put(URL, chunk, new Blob([file.part(0)]));
    await expect(put()).rejects.toMatchObject({ code });
    await expect(put()).rejects.toMatchObject({ code });
    expect(calls.get("put")).toBe(2);
    expect(store.problem()).toBeUndefined();
    expect(events).toEqual([]);
  });

  it("with an error that is none of ours hides nothing", async () => {
    const { store } = failing({ list: { error: new TypeError("bug") } });
    await expect(store.list()).rejects.toBeInstanceOf(TypeError);
  });
});

describe("memory", () => {
  const other = evenly(3, 100, 2);

  it("checks what it hands out", async () => {
    const store = createMemoryStore();
    const [chunk] = file.chunks as [ChunkSpec];
    expect(await store.read(chunk)).toBe("missing");
    await store.put(URL, chunk, new Blob([other.part(0)]));
    expect(await store.read(chunk)).toBe("corrupt");
  });

  it("keeps a package until a backend has its weights", async () => {
    const store = createMemoryStore();
    await putAll(store, file);
    await store.commit(rowOf(file));
    expect(await store.list()).toHaveLength(1);
    await store.proved(URL, "d1");
    expect(await store.list()).toEqual([]);
    expect(await present(store, file)).toBe(0);
    // An older release must not follow, even so.
    expect(await store.floor(URL)).toMatchObject({ release: 1 });
  });

  it("keeps the chunks of a download that broke off, and frees those of one that was given up", async () => {
    const store = createMemoryStore();
    const [first, second] = file.chunks as [ChunkSpec, ChunkSpec];
    await store.put(URL, first, new Blob([file.part(0)]));
    await store.begin(rowOf(file));
    await store.put(URL, second, new Blob([file.part(1)]));
    expect(await present(store, file)).toBe(2);
    await store.abandon(URL);
    expect(await present(store, file)).toBe(0);
  });

  it("frees the chunks of a version that another one replaced, and not those that both have", async () => {
    const store = createMemoryStore();
    await putAll(store, file);
    await store.commit(rowOf(file));
    const next = [file.chunks[0], ...other.chunks] as ChunkSpec[];
    await putAll(store, other);
    await store.commit(rowOf(other, { release: 2, digest: "d2", chunks: next }));
    expect(await present(store, file)).toBe(1);
    expect(await store.versions(URL)).toMatchObject([{ digest: "d2" }]);
  });

  it("does not take chunks from a download of another address that has them too", async () => {
    const store = createMemoryStore();
    const there = "https://host.example/other/";
    await putAll(store, file);
    await store.commit(rowOf(file));
    await putAll(store, file, there);
    await store.proved(URL, "d1");
    await store.commit(rowOf(file, { url: there }));
    expect(await present(store, file)).toBe(3);
  });

  it("forgets all but the release floors", async () => {
    const store = createMemoryStore();
    await putAll(store, file);
    await store.commit(rowOf(file));
    expect(await store.delete(URL)).toBe(true);
    expect(await store.delete(URL)).toBe(false);
    await putAll(store, file);
    await store.clear();
    expect(await store.bytes()).toBe(0);
    expect(await present(store, file)).toBe(0);
    expect(await store.floor(URL)).toMatchObject({ release: 1 });
  });
});
