// The stored form of chunks and binaries: bytes with a fast checksum, read back and checked.
import type { Connection } from "../../../shared/indexed-db.js";
import type { ChunkSpec } from "../../../shared/types/manifest.js";
import { sha256 } from "../../lib/sha256.js";
import type { StoredBytes } from "./blob-or-bytes.js";
import { checksumSettled, xxh64 } from "./checksum.js";
import type { PackageSchema, SummedBytes } from "./schema.js";

// Chromium's errors for a stored Blob whose file is truncated or gone; the row itself is fine.
const LOST_FILE = new Set(["UnknownError", "NotReadableError", "NotFoundError", "DataError"]);

/** `result` where the error says that a stored file is lost; throws any other. */
export function lostFile<T>(error: unknown, result: T): T {
  if (error instanceof Error && LOST_FILE.has(error.name)) return result;
  throw error;
}

export const withSum = (bytes: StoredBytes, sum: string | undefined): StoredBytes | SummedBytes =>
  sum === undefined ? bytes : { bytes, xxh64: sum };

/** By the checksum where the row has one and it can be computed, else by the SHA-256. */
export async function readBytes(
  connection: Connection<PackageSchema>,
  store: "chunks" | "binaries",
  { size, sha256: expected }: ChunkSpec,
): Promise<ArrayBuffer | "missing" | "corrupt"> {
  let bytes: ArrayBuffer;
  let sum: string | undefined;
  try {
    const row = await connection.transaction([store], "read", (tx) => tx.get(store, expected));
    if (!row) return "missing";
    // Of a damaged row anything may be left.
    sum = (row as Partial<SummedBytes>).xxh64;
    const stored = sum === undefined ? (row as StoredBytes) : (row as SummedBytes).bytes;
    if ((stored instanceof Blob ? stored.size : stored?.byteLength) !== size) return "corrupt";
    bytes = stored instanceof Blob ? await stored.arrayBuffer() : stored;
  } catch (error) {
    return lostFile(error, "corrupt");
  }
  if (sum !== undefined) {
    await checksumSettled();
    const found = xxh64(bytes);
    if (found !== undefined) return found === sum ? bytes : "corrupt";
  }
  return (await sha256(bytes)) === expected ? bytes : "corrupt";
}
