// Decides which stored packages must go to make room; pure.
import { InsituError } from "../../../shared/errors.js";
import type { NewRow, PackageRow } from "./store.js";

type Chunked = Pick<PackageRow, "chunks">;

/** Bytes of all chunks, each counted once. */
export function bytesOf(rows: Chunked[]): number {
  const sizes = new Map(rows.flatMap(({ chunks }) => chunks.map(({ sha256, size }) => [sha256, size] as const)));
  let sum = 0;
  for (const size of sizes.values()) sum += size;
  return sum;
}

/**
 * Versions that may be removed for space, the one that was not used for the longest time first.
 * @param known - Addresses of the packages that a rollback goes to.
 */
export function evictable(rows: PackageRow[], loading: string, known = new Set<string>()): PackageRow[] {
  return rows
    .filter((row) => !row.pinned && row.url !== loading && !known.has(row.url) && !isLastKnownGood(row, rows))
    .sort((a, b) => a.usedAt - b.usedAt);
}

/** A version that ran, while a newer one of the same address has not yet: what a visitor falls back to. */
function isLastKnownGood(row: PackageRow, rows: PackageRow[]): boolean {
  return row.proved && rows.some((other) => other.url === row.url && other.release > row.release && !other.proved);
}

/** What must go so that `incoming` fits into the budget beside the rest. Throws `storage_quota` when nothing can make it fit. */
export function victims(rows: PackageRow[], incoming: NewRow, maxBytes: number, known?: Set<string>): PackageRow[] {
  const candidates = evictable(rows, incoming.url, known);
  const gone: PackageRow[] = [];
  // Older versions of the same address go as soon as the new one ran.
  let rest = rows.filter((row) => row.url !== incoming.url);
  while (bytesOf([...rest, incoming]) > maxBytes) {
    const next = candidates.shift();
    if (!next) throw overBudget(incoming, bytesOf([...rest, incoming]), maxBytes);
    gone.push(next);
    rest = rest.filter((row) => row !== next);
  }
  return gone;
}

function overBudget({ url, bytes }: NewRow, needed: number, maxBytes: number): InsituError {
  const message = `${url} has ${bytes} bytes; with what may not be evicted the store would hold ${needed}, its budget is ${maxBytes}. Raise storage.maxBytes, or unpin packages.`;
  return new InsituError("storage_quota", message, { url, bytes, needed, maxBytes });
}
