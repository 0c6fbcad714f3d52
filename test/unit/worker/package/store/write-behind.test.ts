// What waits to be stored: stored in order once the model runs, its bytes there until then, and few of them in this process.
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { createMemoryStore } from "../../../../../src/worker/package/store/memory-store.js";
import type { Store } from "../../../../../src/worker/package/store/store.js";
import { createWriteBehind } from "../../../../../src/worker/package/store/write-behind.js";
import { brokenStore } from "../../../../support/broken-store.js";
import { randomBytes } from "../../../../support/chunked.js";

const MIB = 1024 * 1024;
const chunkOf = (bytes: Uint8Array) => ({
  sha256: createHash("sha256").update(bytes).digest("hex"),
  size: bytes.length,
});

/** Keeps `count` chunks of `size` bytes; each was read unless `isRead` says otherwise. */
async function keepAll(store: Store, count: number, size: number, isRead: (n: number) => boolean = () => true) {
  const writes = createWriteBehind({
    url: "https://host.example/m/",
    store,
    sumOf: () => undefined,
    release: (bytes) => structuredClone(bytes, { transfer: [bytes] }),
  });
  const kept: { chunk: ReturnType<typeof chunkOf>; bytes: ArrayBuffer; content: Uint8Array }[] = [];
  let stored = 0;
  for (let n = 0; n < count; n += 1) {
    const content = randomBytes(size, n);
    const chunk = chunkOf(content);
    const bytes = content.slice().buffer;
    await writes.keep(chunk, bytes, () => {
      stored += 1;
    });
    if (isRead(n)) writes.free(chunk.sha256, bytes);
    kept.push({ chunk, bytes, content });
  }
  return { writes, kept, stored: () => stored };
}

test("nothing is stored until the model runs, then all of it, in order", async () => {
  const { store, calls } = brokenStore(createMemoryStore(), {});
  const { writes, kept, stored } = await keepAll(store, 9, 100);
  expect(calls.get("put")).toBeUndefined();
  writes.flush();
  await writes.done();
  expect([calls.get("put"), stored()]).toEqual([9, 9]);
  for (const { chunk, content } of kept)
    expect(new Uint8Array((await store.read(chunk)) as ArrayBuffer)).toEqual(content);
});

test("what the model never says is stored all the same, two seconds after the first", async () => {
  const { store, calls } = brokenStore(createMemoryStore(), {});
  const { writes } = await keepAll(store, 3, 100);
  await writes.done();
  expect(calls.get("put")).toBe(3);
});

test("more than 40 MiB leave this process, those first that were read, and can be read still", async () => {
  const { store, calls } = brokenStore(createMemoryStore(), {});
  const { writes, kept } = await keepAll(store, 14, 4 * MIB, (n) => n % 2 === 1);
  // Bytes of this process that nobody reads any more are freed: 14 chunks came, 10 may wait here.
  expect(kept.map(({ bytes }) => bytes.byteLength > 0)).toEqual(kept.map((_, n) => n % 2 === 0 || n > 7));
  expect(calls.get("put")).toBeUndefined();
  for (const { chunk, content } of kept)
    expect(Buffer.compare(new Uint8Array((await writes.copyOf(chunk.sha256)) as ArrayBuffer), content)).toBe(0);
  writes.flush();
  await writes.done();
  expect(calls.get("put")).toBe(14);
  expect(await writes.copyOf(kept[0]?.chunk.sha256 as string)).toBeUndefined();
  for (const { chunk, content } of kept)
    expect(Buffer.compare(new Uint8Array((await store.read(chunk)) as ArrayBuffer), content)).toBe(0);
});

test("a store that fails ends it with the reason, and nothing stays in memory", async () => {
  const { store } = brokenStore(createMemoryStore(), { put: { error: new Error("the disk is broken") } });
  const { writes, kept } = await keepAll(store, 14, 4 * MIB);
  writes.flush();
  await expect(writes.done()).rejects.toMatchObject({ code: "storage_unavailable" });
  expect(kept.every(({ bytes }) => bytes.byteLength === 0)).toBe(true);
});
