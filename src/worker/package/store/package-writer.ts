// Announces downloads and commits versions, and makes room for them. Part of the file for first visits.
import { InsituError } from "../../../shared/errors.js";
import type { Database } from "../../../shared/indexed-db.js";
import { soundFloor } from "../trust.js";
import type { ChunkFiles } from "./chunk-files.js";
import { type ChunkWriter, createChunkWriter } from "./chunk-writer.js";
import { bytesOf, evictable, victims } from "./eviction.js";
import { createEvictionRetry } from "./retry-after-eviction.js";
import { packageRows, removeRows, type Tx } from "./rows.js";
import { type PackageSchema, STORES } from "./schema.js";
import type { NewRow, PackageRow, Store } from "./store.js";

export interface PackageWriterDeps {
  database: Database<PackageSchema>;
  files: ChunkFiles;
  putBytes: Parameters<typeof createChunkWriter>[0]["putBytes"];
  /** Budget of all packages together. */
  maxBytes: number;
  onEvicted(rows: PackageRow[]): void;
}

export type PackageWriter = Pick<Store, "begin" | "put" | "commit"> & Pick<ChunkWriter, "writesFiles" | "sweep">;

export function createPackageWriter(deps: PackageWriterDeps): PackageWriter {
  const { database, maxBytes, onEvicted } = deps;
  const { put, sweep, writesFiles } = createChunkWriter(deps);

  async function makeRoom(url: string, bytes: number): Promise<boolean> {
    // What a tab left behind that died goes first.
    if ((await sweep()) > 0) return true;
    const gone = await database.transaction("make room", STORES, "strict", async (tx) => {
      const rows: PackageRow[] = [];
      for (const row of evictable(await packageRows(tx), url, await knownGood(tx))) {
        if (bytesOf(rows) >= bytes) break;
        rows.push(row);
      }
      await removeRows(tx, rows);
      return rows;
    });
    await sweep();
    onEvicted(gone);
    return gone.length > 0;
  }
  const retryAfterEviction = createEvictionRetry(makeRoom);

  return {
    writesFiles,
    sweep,
    begin: (row) =>
      database.transaction("begin a download", STORES, "relaxed", async (tx) => {
        // Checked now: what cannot be committed need not be written.
        await victimsOf(tx, row, maxBytes);
        await tx.put("pending", { url: row.url, chunks: row.chunks.map((chunk) => chunk.sha256), at: Date.now() });
      }),
    put: (url, chunk, bytes, sum) => retryAfterEviction(url, chunk.size, () => put(chunk, bytes, sum)),
    async commit(row) {
      await retryAfterEviction(row.url, row.bytes, async () => {
        const gone = await database.transaction("store a package", STORES, "strict", async (tx) => {
          const gone = await victimsOf(tx, row, maxBytes);
          await commitRow(tx, row);
          await removeRows(tx, gone);
          return gone;
        });
        onEvicted(gone);
      });
      await sweep();
    },
  };
}

/** Addresses of the packages that a rollback goes to. */
async function knownGood(tx: Tx): Promise<Set<string>> {
  const channels = await tx.getAll("channels");
  return new Set(channels.flatMap(({ lastGood }) => (lastGood ? [lastGood.package] : [])));
}

/** What must go so that `incoming` fits into the budget. Throws `storage_quota` when nothing can make it fit. */
async function victimsOf(tx: Tx, incoming: NewRow, maxBytes: number): Promise<PackageRow[]> {
  return victims(await packageRows(tx), incoming, maxBytes, await knownGood(tx));
}

/** Throws `storage_corrupt` when a chunk is missing, so that a row never names what is not there. */
async function commitRow(tx: Tx, row: NewRow): Promise<void> {
  for (const { sha256: hash } of row.chunks) {
    if ((await tx.getKey("chunks", hash)) !== undefined) continue;
    const message = `The store was cleared while ${row.url} was loading. The model runs, and is fetched again at the next load.`;
    throw new InsituError("storage_corrupt", message, { url: row.url, sha256: hash });
  }
  const { url, name, release } = row;
  const floor = soundFloor(await tx.get("releases", url));
  await tx.put("releases", { url, name, release: Math.max(release, floor?.release ?? 0) });
  const mine = (await packageRows(tx)).filter((other) => other.url === url);
  const pinned = mine.some((other) => other.pinned);
  // A version that never ran is nothing to go back to.
  for (const { digest, proved } of mine) if (!proved) await tx.delete("packages", [url, digest]);
  await tx.put("packages", { ...row, usedAt: Date.now(), pinned, proved: false });
  await tx.delete("pending", url);
}
