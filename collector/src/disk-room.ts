// Tells whether the disk has room for what the database may write, before the database tries.
//
// DuckDB 1.5 aborts the process when the write-ahead log cannot be written in a transaction that replaced a row with a primary key
// ("Failed to append to PRIMARY_totals_0"): a full disk must not come that far.
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";

/** Room for the write-ahead log (16 MB), for the checkpoint that moves it into the file, and for a transaction. */
export const MIN_FREE_BYTES = 48 * 1024 * 1024;

// At most a megabyte is written meanwhile.
const FRESH_MS = 250;

/** Rejects when less than `minFree` bytes are free where the file is. */
export function createRoomCheck(path: string, minFree: number): () => Promise<void> {
  if (path === ":memory:" || minFree === 0) return async () => undefined;
  const folder = dirname(path);
  let last: Promise<number> | undefined;
  let readAt = Number.NEGATIVE_INFINITY;
  return async () => {
    if (!last || performance.now() - readAt > FRESH_MS) {
      readAt = performance.now();
      last = statfs(folder).then(({ bavail, bsize }) => bavail * bsize);
    }
    const free = await last;
    if (free < minFree)
      throw new Error(`the disk of ${folder} is full: ${free} bytes are free, and ${minFree} are needed`);
  };
}
