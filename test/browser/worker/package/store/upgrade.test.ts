// A database of an earlier version of the library is upgraded, and everything in it is still there.
import { expect, test } from "vitest";
import { useDelivery } from "../../../../support/delivery.js";
import { answerOf, makeGraph } from "../../../../support/graphs.js";

const GRAPH = { tables: [1, 2], rows: 16 } as const;
const delivery = useDelivery({ headers: { "Cache-Control": "max-age=600" } });

/** Turns the database into the one that version 3 of the schema would hold: the same rows, in the stores that it had. */
async function downgrade(name: string): Promise<Record<string, number>> {
  const settled = <T>(request: IDBRequest<T>) =>
    new Promise<T>((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  const keyPaths: Record<string, string | string[] | undefined> = {
    packages: ["url", "digest"],
    pending: "url",
    releases: "url",
    chunks: undefined,
    binaries: undefined,
    notes: ["digest", "kind"],
  };
  const root = await navigator.storage.getDirectory();
  const folder = await root.getDirectoryHandle(`insitu-${name}`);
  // Blobs of a database that is deleted are gone; and that version stored no checksum with them, and no files.
  const copyOf = async (value: unknown) => {
    const { bytes, xxh64, file } = (value ?? {}) as { bytes?: unknown; xxh64?: string; file?: string };
    if (file) return new Blob([await (await (await folder.getFileHandle(file)).getFile()).arrayBuffer()]);
    const kept = xxh64 ? bytes : value;
    return kept instanceof Blob ? new Blob([await kept.arrayBuffer()]) : kept;
  };
  const rows: Record<string, [key: IDBValidKey, value: unknown][]> = {};
  const now = await settled(indexedDB.open(name));
  if (now.version !== 4) throw new Error(`The schema has version ${now.version}; this test makes one of version 3.`);
  for (const store of Object.keys(keyPaths)) {
    const all = now.transaction(store).objectStore(store);
    const [keys, values] = await Promise.all([settled(all.getAllKeys()), settled(all.getAll())]);
    rows[store] = await Promise.all(
      keys.map(async (key, index) => {
        const value = values[index] as unknown;
        return [key, await copyOf(value)] as [IDBValidKey, unknown];
      }),
    );
  }
  now.close();
  // What a device found out about a package, as the version before that one wrote it.
  const [[key] = []] = rows.packages ?? [];
  const [, digest] = key as string[];
  rows.notes?.push([[digest as string, "old"], { digest, kind: "old", at: Date.now() }]);
  await settled(indexedDB.deleteDatabase(name));
  await root.removeEntry(`insitu-${name}`, { recursive: true });
  const opening = indexedDB.open(name, 3);
  opening.onupgradeneeded = () => {
    for (const [store, keyPath] of Object.entries(keyPaths))
      opening.result.createObjectStore(store, keyPath ? { keyPath } : undefined);
  };
  const old = await settled(opening);
  for (const [store, entries] of Object.entries(rows)) {
    const writes = old.transaction(store, "readwrite").objectStore(store);
    for (const [key, value] of entries) await settled(keyPaths[store] ? writes.put(value) : writes.put(value, key));
  }
  old.close();
  return Object.fromEntries(Object.entries(rows).map(([store, entries]) => [store, entries.length]));
}

test("from version 3: packages run without a request, notes and release floors are kept, and channels can be kept", async () => {
  await makeGraph(delivery.folder, { ...GRAPH, release: 5 });
  const answer = answerOf(GRAPH, 3).map((value) => expect.closeTo(value, 5));
  expect(await delivery.load({ backends: ["cpu"] })).toMatchObject({ code: "", source: "network", answer });
  const { page } = delivery.library;
  await page.goto(delivery.server.url);
  const before = await page.evaluate(downgrade, delivery.store);
  expect(before).toMatchObject({ packages: 1, releases: 1, pending: 0 });
  expect(before.chunks).toBeGreaterThan(0);
  expect(before.notes).toBeGreaterThan(0);

  await delivery.library.visit();
  delivery.heal();
  const after = await delivery.load({ backends: ["cpu"] });
  expect(after).toMatchObject({ code: "", source: "cache", answer });
  expect(after.events.map(({ type }) => type)).toEqual(["hit"]);
  expect(delivery.asked()).toEqual([]);
  const kept = await page.evaluate(async (name) => {
    const open = indexedDB.open(name);
    const db = await new Promise<IDBDatabase>((resolve) => {
      open.onsuccess = () => resolve(open.result);
    });
    const { version, objectStoreNames } = db;
    const stores = [...objectStoreNames];
    const counts: Record<string, number> = {};
    for (const store of stores) {
      const count = db.transaction(store).objectStore(store).count();
      counts[store] = await new Promise<number>((resolve) => {
        count.onsuccess = () => resolve(count.result);
      });
    }
    db.close();
    return { version, counts };
  }, delivery.store);
  expect(kept).toMatchObject({ version: 4, counts: { packages: 1, releases: 1, chunks: before.chunks, channels: 0 } });
  expect(kept.counts.notes).toBeGreaterThanOrEqual(before.notes as number);
  // The floor holds: an older release is refused.
  await makeGraph(delivery.folder, { ...GRAPH, release: 4 });
  const { code } = await delivery.load({ backends: ["cpu"], refresh: true });
  expect(code).toBe("model_rollback");
});
