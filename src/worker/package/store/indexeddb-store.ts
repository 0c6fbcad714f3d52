// Keeps packages in IndexedDB: chunks by their hash, and a row a version that is written last and with all of it or not at all.
import type { IDBPDatabase, IDBPTransaction } from "idb";
import { asInsituError, InsituError } from "../../../shared/errors.js";
import { sha256 } from "../../../shared/sha256.js";
import type { ChunkSpec } from "../../../shared/types/manifest.js";
import { withDeadline } from "../../lib/with-deadline.js";
import { bytesOf, evictable, victims } from "./eviction.js";
import { createEvictionRetry } from "./retry-after-eviction.js";
import { abort, openDatabase, type Schema, STORES, type StoreName } from "./schema.js";
import type { NewRow, OnStoreEvent, PackageRow, Store } from "./store.js";

type Writing = IDBPTransaction<Schema, StoreName[], "readwrite">;

export interface StoreOptions {
  /** Name of the database. */
  name: string;
  /** Budget of all packages together. */
  maxBytes: number;
  /** True when something was kept here before: an empty database means that the browser lost it. */
  expected: boolean;
}

// A chunk of 64 MiB takes seconds on a slow phone; what takes this long will not come.
const STEP_MS = 30_000;
// A download that nobody came back to in a week is no longer worth its space.
const PENDING_MS = 7 * 24 * 3600 * 1000;

export function openIndexedDbStore({ name, maxBytes, expected }: StoreOptions, emit: OnStoreEvent): Store {
  let opening: Promise<IDBPDatabase<Schema>> | undefined;
  let keeps = expected;
  const forget = () => {
    opening = undefined;
  };
  const onCreated = () => {
    if (keeps) emit({ type: "reset" });
    keeps = false;
  };
  const database = () => {
    opening ??= openDatabase(name, { onLost: forget, onCreated }).catch((error: unknown) => {
      forget();
      throw error;
    });
    return opening;
  };

  const step = async <T>(what: string, run: (db: IDBPDatabase<Schema>) => Promise<T>): Promise<T> => {
    try {
      return await withDeadline(database().then(run), STEP_MS, what);
    } catch (error) {
      // A handle that Safari's storage process lost never works again (WebKit 277615): the next call opens another.
      const problem = storageError(error, what);
      if (problem.code === "storage_unavailable") forget();
      throw problem;
    }
  };

  /** Chrome raises quota trouble at commit only: puts succeed, then the transaction aborts. */
  const write = <T>(what: string, durability: IDBTransactionDurability, run: (tx: Writing) => Promise<T>): Promise<T> =>
    step(what, async (db) => {
      const tx: Writing = db.transaction(STORES, "readwrite", { durability });
      const result = run(tx).catch((error: unknown) => {
        abort(tx);
        throw error;
      });
      const [value] = await Promise.all([result, tx.done]);
      return value;
    });

  const evict = async (tx: Writing, rows: PackageRow[]): Promise<void> => {
    for (const row of rows) await tx.objectStore("packages").delete([row.url, row.digest]);
    await sweep(tx);
  };

  const withRoom = createEvictionRetry(async (url, bytes) => {
    const gone = await write("make room", "strict", async (tx) => {
      const rows: PackageRow[] = [];
      for (const row of evictable(await tx.objectStore("packages").getAll(), url)) {
        if (bytesOf(rows) >= bytes) break;
        rows.push(row);
      }
      await evict(tx, rows);
      return rows;
    });
    tellEvicted(gone, emit);
    return gone.length > 0;
  });

  return {
    versions: (url) =>
      step("look up a package", async (db) => {
        const rows = await db.getAll("packages", IDBKeyRange.bound([url], [url, []]));
        // A release that was published twice: the one that came last.
        return rows.sort((a, b) => b.release - a.release || b.usedAt - a.usedAt);
      }),
    floor: (url) => step("look up a release", (db) => db.get("releases", url)),
    has: (hashes) =>
      step("look up chunks", async (db) => {
        const { store } = db.transaction("chunks");
        const found = await Promise.all(hashes.map((hash) => store.getKey(hash)));
        return new Set(found.filter((hash) => hash !== undefined));
      }),
    read: (chunk) =>
      step("read a chunk", async (db) => {
        const found = await readBlob(db, "chunks", chunk);
        if (found === "corrupt") await db.delete("chunks", chunk.sha256);
        return found;
      }),
    begin: (row) =>
      write("begin a download", "relaxed", async (tx) => {
        // Told now: what cannot be committed need not be written.
        victims(await tx.objectStore("packages").getAll(), row, maxBytes);
        const chunks = row.chunks.map((chunk) => chunk.sha256);
        await tx.objectStore("pending").put({ url: row.url, chunks, at: Date.now() });
      }),
    put: (url, chunk, bytes) =>
      withRoom(url, bytes.size, () =>
        write("store a chunk", "relaxed", async (tx) => {
          await tx.objectStore("chunks").put(bytes, chunk.sha256);
        }),
      ),
    commit: (row) =>
      withRoom(row.url, row.bytes, async () => {
        const gone = await write("store a package", "strict", async (tx) => {
          const rows = await tx.objectStore("packages").getAll();
          const gone = victims(rows, row, maxBytes);
          await commitRow(tx, row, rows);
          await evict(tx, gone);
          return gone;
        });
        keeps = true;
        tellEvicted(gone, emit);
      }),
    proved: (url, digest) =>
      write("note a use", "relaxed", async (tx) => {
        const rows = await tx.objectStore("packages").getAll();
        const mine = rows.find((row) => row.url === url && row.digest === digest);
        if (!mine) return;
        const before = rows.filter((row) => row.url === url && row !== mine && row.release <= mine.release);
        await tx.objectStore("packages").put({ ...mine, proved: true, usedAt: Date.now() });
        if (before.length > 0) await evict(tx, before);
      }),
    abandon: (url) =>
      write("give up a download", "relaxed", async (tx) => {
        await tx.objectStore("pending").delete(url);
        await sweep(tx);
      }),
    list: () => step("list packages", (db) => db.getAll("packages")),
    bytes: () => step("measure packages", async (db) => bytesOf(await db.getAll("packages"))),
    delete: (url) =>
      write("delete a package", "strict", async (tx) => {
        const rows = (await tx.objectStore("packages").getAll()).filter((row) => row.url === url);
        await tx.objectStore("pending").delete(url);
        await evict(tx, rows);
        return rows.length > 0;
      }),
    async clear() {
      await write("clear the store", "strict", async (tx) => {
        for (const store of ["packages", "pending", "chunks", "binaries", "notes"] as const)
          await tx.objectStore(store).clear();
      });
      keeps = false;
    },
    pin: (url, pinned) =>
      write("pin a package", "strict", async (tx) => {
        const rows = (await tx.objectStore("packages").getAll()).filter((row) => row.url === url);
        for (const row of rows) await tx.objectStore("packages").put({ ...row, pinned });
        return rows.length > 0;
      }),
    readBinary: (binary) =>
      step("read a binary", async (db) => {
        const found = await readBlob(db, "binaries", binary);
        return typeof found === "string" ? undefined : found;
      }),
    putBinary: (binary, bytes) =>
      write("store a binary", "relaxed", async (tx) => {
        await tx.objectStore("binaries").put(new Blob([bytes]), binary.sha256);
      }),
    readNote: (digest, kind) => step("read a note", async (db) => (await db.get("notes", [digest, kind]))?.value),
    writeNote: (digest, kind, value) =>
      step("write a note", async (db) => {
        const tx = db.transaction("notes", "readwrite", { durability: "relaxed" });
        if (value === undefined) await tx.store.delete([digest, kind]);
        else await tx.store.put({ digest, kind, value, at: Date.now() });
        // At once, for the page may crash before the browser would.
        tx.commit();
        await tx.done;
      }),
    close() {
      void opening?.then((db) => db.close()).catch(() => undefined);
      forget();
    },
  };
}

function tellEvicted(rows: PackageRow[], emit: OnStoreEvent): void {
  for (const { url, digest, bytes } of rows) emit({ type: "evicted", url, digest, bytes });
}

async function commitRow(tx: Writing, row: NewRow, rows: PackageRow[]): Promise<void> {
  for (const { sha256: hash } of row.chunks) {
    if ((await tx.objectStore("chunks").getKey(hash)) !== undefined) continue;
    const message = `The store was cleared while ${row.url} was loading; it runs, and is fetched again next time.`;
    throw new InsituError("storage_corrupt", message, { url: row.url, sha256: hash });
  }
  const { url, name, release } = row;
  const floor = await tx.objectStore("releases").get(url);
  await tx.objectStore("releases").put({ url, name, release: Math.max(release, floor?.release ?? 0) });
  const mine = rows.filter((other) => other.url === url);
  const pinned = mine.some((other) => other.pinned);
  // What never ran is nothing to go back to.
  for (const { digest, proved } of mine) if (!proved) await tx.objectStore("packages").delete([url, digest]);
  await tx.objectStore("packages").put({ ...row, usedAt: Date.now(), pinned, proved: false });
  await tx.objectStore("pending").delete(url);
}

// A model runs before its package is stored, and crashes are remembered for a day.
const NOTE_MS = 24 * 3600 * 1000;

/** Deletes the chunks that neither a package nor a download of the last week has, and the notes on packages that are gone. */
async function sweep(tx: Writing): Promise<void> {
  const rows = await tx.objectStore("packages").getAll();
  const kept = new Set(rows.flatMap((row) => row.chunks.map((c) => c.sha256)));
  const digests = new Set(rows.map((row) => row.digest));
  for (const note of await tx.objectStore("notes").getAll())
    if (!digests.has(note.digest) && Date.now() - note.at > NOTE_MS)
      await tx.objectStore("notes").delete([note.digest, note.kind]);
  for (const pending of await tx.objectStore("pending").getAll()) {
    if (Date.now() - pending.at > PENDING_MS) await tx.objectStore("pending").delete(pending.url);
    else for (const hash of pending.chunks) kept.add(hash);
  }
  for (const hash of await tx.objectStore("chunks").getAllKeys())
    if (!kept.has(hash)) await tx.objectStore("chunks").delete(hash);
}

// How Chromium tells that the file of a stored Blob is truncated or gone; the row itself is fine.
const LOST_FILE = new Set(["UnknownError", "NotReadableError", "NotFoundError", "DataError"]);

async function readBlob(
  db: IDBPDatabase<Schema>,
  store: "chunks" | "binaries",
  { size, sha256: expected }: ChunkSpec,
): Promise<ArrayBuffer | "missing" | "corrupt"> {
  let bytes: ArrayBuffer;
  try {
    const blob = await db.get(store, expected);
    if (!blob) return "missing";
    if (blob.size !== size) return "corrupt";
    bytes = await blob.arrayBuffer();
  } catch (error) {
    if (error instanceof Error && LOST_FILE.has(error.name)) return "corrupt";
    throw error;
  }
  return (await sha256(bytes)) === expected ? bytes : "corrupt";
}

function storageError(error: unknown, what: string): InsituError {
  if (error instanceof Error && error.name === "QuotaExceededError") {
    const message = `The browser's storage quota for this site is used up: it could not ${what}. Delete or unpin packages, or free space on the device.`;
    return new InsituError("storage_quota", message, { what }, { cause: error });
  }
  return asInsituError(error, "storage_unavailable", `IndexedDB could not ${what}`, { what });
}
