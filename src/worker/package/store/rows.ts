// Reads and removes package rows within a transaction, together with the chunks and notes that belong to them.
import type { Transaction } from "../../../shared/indexed-db.js";
import type { PackageSchema } from "./schema.js";
import type { PackageRow } from "./store.js";

export type Tx = Transaction<PackageSchema>;

// A download that nobody continued for a week is no longer worth its space.
const PENDING_MS = 7 * 24 * 3600 * 1000;
// A model runs before its package is stored, and crashes are remembered for a day.
const NOTE_MS = 24 * 3600 * 1000;

const isSound = ({ text, chunks }: PackageRow): boolean =>
  typeof text === "string" && chunks?.every?.((chunk) => chunk?.size >= 0) === true;

/** The rows of packages; one that was damaged on the disk is as if it were absent. */
export async function packageRows(tx: Tx, range?: IDBKeyRange): Promise<PackageRow[]> {
  return (await tx.getAll("packages", range)).filter(isSound);
}

/** Removes rows, then the chunks that neither a package nor a download of the last week has, and the notes on packages that are gone. */
export async function removeRows(tx: Tx, gone: PackageRow[]): Promise<void> {
  for (const { url, digest } of gone) await tx.delete("packages", [url, digest]);
  const rows = await packageRows(tx);
  const kept = new Set(rows.flatMap((row) => row.chunks.map((chunk) => chunk.sha256)));
  const digests = new Set(rows.map((row) => row.digest));
  for (const { digest, kind, at } of await tx.getAll("notes"))
    if (!digests.has(digest) && Date.now() - at > NOTE_MS) await tx.delete("notes", [digest, kind]);
  for (const pending of await tx.getAll("pending")) {
    if (!Array.isArray(pending.chunks) || Date.now() - pending.at > PENDING_MS) await tx.delete("pending", pending.url);
    else for (const hash of pending.chunks) kept.add(hash);
  }
  for (const hash of await tx.getAllKeys("chunks")) if (!kept.has(hash)) await tx.delete("chunks", hash);
}
