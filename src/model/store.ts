// Keeps packages in IndexedDB: chunks by their hash, and a row a package that is written with them or not at all.
import { type DBSchema, type IDBPDatabase, type IDBPTransaction, openDB } from "idb";
import { asInsituError, InsituError } from "../errors.js";
import { sha256 } from "../hash.js";
import type { ChunkSpec, Manifest } from "../types.js";

export interface PackageRow {
  /** The package's absolute URL, with a closing slash. */
  url: string;
  digest: string;
  manifest: Manifest;
  /** SHA-256 of every chunk of every file. */
  chunks: string[];
  /** Bytes of all files. */
  bytes: number;
  /** Milliseconds since 1970; the oldest is evicted first. */
  usedAt: number;
}

interface Schema extends DBSchema {
  packages: { key: string; value: PackageRow };
  // Blobs: two to three times faster here than ArrayBuffers (66/79 ms against 224/167 ms for 32 MB).
  chunks: { key: string; value: Blob };
}

export interface Store {
  find(url: string): Promise<PackageRow | undefined>;
  /** The chunk's bytes if they are there and their hash is right. IndexedDB returns flipped bytes without an error, so each read is checked. */
  read(chunk: ChunkSpec): Promise<ArrayBuffer | undefined>;
  /** All or nothing, in one transaction; resolves once it is complete. Throws `storage_quota` or `storage_unavailable`. */
  commit(row: PackageRow, chunks: Map<string, ArrayBuffer>): Promise<void>;
  /** Keeps one chunk that belongs to no package (a WebAssembly binary). */
  put(sha256: string, bytes: ArrayBuffer): Promise<void>;
  /** Notes that the package was used now. */
  touch(url: string): Promise<void>;
  remove(url: string): Promise<void>;
  close(): void;
}

// Safari 14 and a version change that another tab blocks leave an open request pending for good.
const OPEN_MS = 5_000;
// A commit of 500 MB takes seconds; one that takes this long will not come.
const STEP_MS = 60_000;

export function openStore(name: string, maxBytes: number): Store {
  let opening: Promise<IDBPDatabase<Schema>> | undefined;

  const database = () => {
    opening ??= open(name, () => {
      opening = undefined;
    }).catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return opening;
  };

  const step = async <T>(what: string, run: (db: IDBPDatabase<Schema>) => Promise<T>): Promise<T> => {
    try {
      return await deadline(run(await database()), STEP_MS, what);
    } catch (error) {
      throw storageError(error, what);
    }
  };

  return {
    find: (url) => step("look up a package", (db) => db.get("packages", url)),
    read: (chunk) =>
      step("read a chunk", async (db) => {
        const blob = await db.get("chunks", chunk.sha256);
        if (blob?.size !== chunk.size) return undefined;
        // A truncated or missing blob file fails here with NotReadableError: the chunk is as good as absent.
        const bytes = await blob.arrayBuffer().catch(() => undefined);
        return bytes && (await sha256(bytes)) === chunk.sha256 ? bytes : undefined;
      }),
    commit: (row, chunks) =>
      step("store a package", async (db) => {
        const blobs = new Map(Array.from(chunks, ([hash, bytes]) => [hash, new Blob([bytes])]));
        const tx = db.transaction(["packages", "chunks"], "readwrite", { durability: "strict" });
        // Chrome raises quota trouble at commit only: puts succeed, then the transaction aborts.
        await Promise.all([write(tx, row, blobs, maxBytes), tx.done]);
      }),
    put: (hash, bytes) => step("store a binary", async (db) => void (await db.put("chunks", new Blob([bytes]), hash))),
    touch: (url) =>
      step("note a use", async (db) => {
        const tx = db.transaction("packages", "readwrite", { durability: "relaxed" });
        const row = await tx.store.get(url);
        if (row) await tx.store.put({ ...row, usedAt: Date.now() });
        await tx.done;
      }),
    remove: (url) =>
      step("remove a package", async (db) => {
        const tx = db.transaction(["packages", "chunks"], "readwrite");
        await drop(tx, url);
        await tx.done;
      }),
    close() {
      void opening?.then((db) => db.close()).catch(() => undefined);
      opening = undefined;
    },
  };
}

type WriteTransaction = IDBPTransaction<Schema, ("packages" | "chunks")[], "readwrite">;

async function write(tx: WriteTransaction, row: PackageRow, blobs: Map<string, Blob>, maxBytes: number): Promise<void> {
  if (row.bytes > maxBytes) {
    tx.abort();
    throw new InsituError(
      "storage_quota",
      `The package has ${row.bytes} bytes, the store's budget is ${maxBytes}. Raise storage.maxBytes to keep it.`,
      {
        bytes: row.bytes,
        maxBytes,
      },
    );
  }
  const others = (await tx.objectStore("packages").getAll()).filter((other) => other.url !== row.url);
  let used = others.reduce((sum, other) => sum + other.bytes, row.bytes);
  for (const oldest of others.sort((a, b) => a.usedAt - b.usedAt)) {
    if (used <= maxBytes) break;
    await drop(tx, oldest.url);
    used -= oldest.bytes;
  }
  for (const [hash, blob] of blobs) await tx.objectStore("chunks").put(blob, hash);
  await tx.objectStore("packages").put(row);
}

/** Deletes a row and the chunks that no other package has. */
async function drop(tx: WriteTransaction, url: string): Promise<void> {
  const rows = await tx.objectStore("packages").getAll();
  const gone = rows.find((row) => row.url === url);
  if (!gone) return;
  const shared = new Set(rows.filter((row) => row.url !== url).flatMap((row) => row.chunks));
  await tx.objectStore("packages").delete(url);
  for (const hash of gone.chunks) if (!shared.has(hash)) await tx.objectStore("chunks").delete(hash);
}

async function open(name: string, onLost: () => void): Promise<IDBPDatabase<Schema>> {
  if (typeof indexedDB === "undefined")
    throw new InsituError("storage_unavailable", "This browser has no IndexedDB here.", { name });
  const request = openDB<Schema>(name, 1, {
    upgrade(db) {
      db.createObjectStore("packages", { keyPath: "url" });
      db.createObjectStore("chunks");
    },
    // Another tab wants a newer version: let it, and open again when needed.
    blocking(_current, _blocked, event) {
      (event.target as IDBDatabase).close();
      onLost();
    },
    terminated: onLost,
  });
  return deadline(request, OPEN_MS, "open the store", (db) => db.close());
}

/** Rejects when `promise` takes longer; what arrives too late goes to `late`. */
async function deadline<T>(promise: Promise<T>, ms: number, what: string, late?: (value: T) => void): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let over = false;
  void promise.then(
    (value) => {
      if (over) late?.(value);
    },
    () => undefined,
  );
  const expiry = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      over = true;
      reject(new InsituError("storage_unavailable", `IndexedDB did not ${what} within ${ms / 1000} s.`, { what, ms }));
    }, ms);
  });
  try {
    return await Promise.race([promise, expiry]);
  } finally {
    clearTimeout(timer);
  }
}

function storageError(error: unknown, what: string): InsituError {
  const full = error instanceof Error && error.name === "QuotaExceededError";
  return asInsituError(
    error,
    full ? "storage_quota" : "storage_unavailable",
    full ? "The browser's storage quota for this site is used up" : `IndexedDB could not ${what}`,
    { what },
  );
}
