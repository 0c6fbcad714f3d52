// The unit of download, check and storage: a file's bytes in pieces, each with its own hash.
import { InsituError } from "../../../shared/errors.js";
import type { ChunkSpec, FileSpec } from "../../../shared/types/manifest.js";

/**
 * A chunk is allocated before its bytes arrive, so a manifest must not be able to ask for any size. `insitu pack` cuts at
 * 4 MiB; other packers get 16 times that.
 */
const MAX_CHUNK_BYTES = 64 * 1024 * 1024;

/** A file that has only a whole hash is one chunk. Throws `model_too_large`. */
export function chunksOf(file: FileSpec): ChunkSpec[] {
  const chunks = file.chunks ?? [{ size: file.size, sha256: file.sha256 ?? "" }];
  for (const { size } of chunks) {
    if (size > MAX_CHUNK_BYTES) {
      throw new InsituError(
        "model_too_large",
        `${file.path} has a chunk of ${size} bytes; the maximum is ${MAX_CHUNK_BYTES}. Pack the model with "insitu pack", which cuts files into chunks.`,
        { path: file.path, size, max: MAX_CHUNK_BYTES },
      );
    }
  }
  return chunks;
}
