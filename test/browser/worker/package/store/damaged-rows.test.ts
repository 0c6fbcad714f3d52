// Rows of the store that were damaged on the disk: each is as if it were absent, and the package loads.
import { describe, expect, test } from "vitest";
import { useDelivery } from "../../../../support/delivery.js";
import { answerOf, makeGraph } from "../../../../support/graphs.js";

const GRAPH = { tables: [1, 2], rows: 16, release: 3 } as const;
const delivery = useDelivery({ headers: { "Cache-Control": "max-age=600" } });
const answer = answerOf(GRAPH, 3).map((value) => expect.closeTo(value, 5));
const FROM_NETWORK = { code: "", source: "network", answer };

/** Merges `changes` into every row of `table`, puts such a row, or puts `changes` in place of every chunk; runs in a page. */
async function damage({ store, table, changes }: { store: string; table: string; changes: unknown }): Promise<number> {
  const done = <T>(request: IDBRequest<T>) =>
    new Promise<T>((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  const database = await done(indexedDB.open(store));
  const rows = database.transaction(table, "readwrite").objectStore(table);
  const found = await done<object[]>(rows.getAll());
  if (found.length === 0 && rows.keyPath) found.push({});
  if (rows.keyPath) for (const row of found) await done(rows.put({ ...row, ...(changes as object) }));
  else for (const key of await done(rows.getAllKeys())) await done(rows.put(changes, key));
  database.close();
  return found.length;
}

const ODD: unknown[] = [undefined, 7, "x", [null], [{}]];
const of = (table: string, ...fields: string[]) =>
  fields.flatMap((field) => ODD.map((value): [string, object] => [table, { [field]: value }]));

// In groups, since each load takes a second: the rows of one test are damaged one after the other.
const CASES: Record<string, [table: string, changes: unknown][]> = {
  chunks: [7, "x", [null], { xxh64: "0" }, { xxh64: 7, bytes: null }, { xxh64: "0", bytes: 7 }].map((row) => [
    "chunks",
    row,
  ]),
  "a package's text and chunks": of("packages", "text", "chunks"),
  "a package's other fields": of("packages", "version", "release", "usedAt", "pinned"),
  "a release floor": of("releases", "name", "release"),
  "a download that began": of("pending", "chunks", "at").map(([table, changes]) => [table, { url: "/x/", ...changes }]),
  "a note": of("notes", "bytes", "sha256", "at"),
};

describe("a load succeeds over damage to", () => {
  test.each(Object.entries(CASES))("%s", async (_what, cases) => {
    await makeGraph(delivery.folder, GRAPH);
    expect(await delivery.load({ backends: ["cpu"] })).toMatchObject(FROM_NETWORK);
    const { page } = delivery.library;
    for (const [table, changes] of cases) {
      await page.goto(delivery.server.url);
      await page.evaluate(damage, { store: delivery.store, table, changes });
      await delivery.library.visit();
      const found = await delivery.load({ backends: ["cpu"] });
      expect({ table, changes, ...found }).toMatchObject({ table, changes, code: "", answer });
      expect(found.storeError).toBeUndefined();
      // Chunks are fetched one by one: the package itself is still there.
      if (table === "chunks") expect(found.source).toBe("cache");
      expect(found.events.map(({ type }) => type)).not.toContain("unavailable");
    }
    // What is left can be replaced, counted and cleared.
    await makeGraph(delivery.folder, { ...GRAPH, release: 4 });
    await delivery.library.visit();
    expect(await delivery.load({ backends: ["cpu"] })).toMatchObject({ code: "", answer });
    const usage = await page.evaluate(async (name) => {
      const client = window.insitu.createClient({ storage: { name } });
      const { bytes } = await client.store.usage();
      await client.store.clear();
      return [bytes, (await client.store.usage()).bytes];
    }, delivery.store);
    expect(usage).toEqual([expect.any(Number), 0]);
    expect(usage[0]).toBeGreaterThan(0);
  });
});
