// Writes and removes package rows within a transaction, together with the chunks and notes that belong to them.
import { InsituError } from "../../../shared/errors.js";
import type { Transaction } from "../../../shared/indexed-db.js";
import { soundFloor } from "../trust.js";
import { victims } from "./eviction.js";
import type { PackageSchema } from "./schema.js";
import type { NewRow, PackageRow } from "./store.js";

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

/** Addresses of the packages that a rollback goes to. */
export async function knownGood(tx: Tx): Promise<Set<string>> {
  const channels = await tx.getAll("channels");
  return new Set(channels.flatMap(({ lastGood }) => (lastGood ? [lastGood.package] : [])));
}

/** What must go so that `incoming` fits into the budget. Throws `storage_quota` when nothing can make it fit. */
export async function victimsOf(tx: Tx, incoming: NewRow, maxBytes: number): Promise<PackageRow[]> {
  return victims(await packageRows(tx), incoming, maxBytes, await knownGood(tx));
}

/** Throws `storage_corrupt` when a chunk is missing, so that a row never names what is not there. */
export async function commitRow(tx: Tx, row: NewRow): Promise<void> {
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
