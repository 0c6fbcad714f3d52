// The stored form of chunks and binaries: bytes, or the name of a file, with a fast checksum by which what is read back is checked.
import type { ChunkSpec } from "../../../shared/types/manifest.js";
import { sha256 } from "../../lib/sha256.js";
import type { StoredBytes } from "./blob-or-bytes.js";
import { checksumSettled, xxh64 } from "./checksum.js";
import type { ChunkRow, FileRow, SummedBytes } from "./schema.js";

// Chromium's errors for a stored Blob whose file is truncated or gone; the row itself is fine.
const LOST_FILE = new Set(["UnknownError", "NotReadableError", "NotFoundError", "DataError"]);

/** `result` where the error says that a stored file is lost; throws any other. */
export function lostFile<T>(error: unknown, result: T): T {
  if (error instanceof Error && LOST_FILE.has(error.name)) return result;
  throw error;
}

export const withSum = (bytes: StoredBytes, sum: string | undefined): StoredBytes | SummedBytes =>
  sum === undefined ? bytes : { bytes, xxh64: sum };

/** Where the bytes of a row are, and their checksum. Of a damaged row anything may be left. */
function contentOf(row: ChunkRow): Partial<SummedBytes & FileRow> {
  const { file, xxh64: sum, bytes } = row as Partial<SummedBytes & FileRow>;
  return { file, xxh64: sum, bytes: sum === undefined && file === undefined ? (row as StoredBytes) : bytes };
}

/**
 * The bytes of a row, checked by its checksum where it has one and it can be computed, else by the SHA-256.
 * @param readFile - The bytes of a file; undefined where it is lost.
 */
export async function readBytes(
  row: ChunkRow,
  { size, sha256: expected }: ChunkSpec,
  readFile?: (name: string) => Promise<ArrayBuffer | undefined>,
): Promise<ArrayBuffer | "corrupt"> {
  const { file, bytes: stored, xxh64: sum } = contentOf(row);
  let bytes: ArrayBuffer | undefined;
  try {
    if (file !== undefined) bytes = await readFile?.(file);
    else if (stored instanceof Blob) bytes = stored.size === size ? await stored.arrayBuffer() : undefined;
    else bytes = stored;
  } catch (error) {
    return lostFile(error, "corrupt");
  }
  if (bytes?.byteLength !== size) return "corrupt";
  if (sum !== undefined) {
    await checksumSettled();
    const found = xxh64(bytes);
    if (found !== undefined) return found === sum ? bytes : "corrupt";
  }
  return (await sha256(bytes)) === expected ? bytes : "corrupt";
}
