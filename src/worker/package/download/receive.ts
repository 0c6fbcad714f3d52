// Cuts the body of a response into the wanted chunks, and lets only those through whose hash is right.
import { InsituError } from "../../../shared/errors.js";
import type { ChunkSpec } from "../../../shared/types/manifest.js";
import { sha256 } from "../../lib/sha256.js";
import type { HttpResponse } from "./http.js";

export interface ChunkedFile {
  url: string;
  /** Bytes. */
  size: number;
  chunks: ChunkSpec[];
  /** Where each chunk begins. */
  offsets: number[];
}

/** What is done with the bytes. */
export interface Receiver {
  /** Gets each wanted chunk once its hash is right; reading goes on when it resolves. */
  onChunk(index: number, bytes: ArrayBuffer): Promise<void>;
  /** Called with a number of bytes of wanted chunks that came; negative for those of a chunk that never became complete or right. */
  onBytes?(bytes: number): void;
}

/**
 * Reads the wanted chunks out of the body, in order, and skips what lies between. Stops reading after the last one. Throws
 * `model_integrity` for an altered chunk and for a body that ends early; of one that goes on after the file's end no more is read.
 */
export async function receive(
  answer: HttpResponse,
  file: ChunkedFile,
  indices: readonly number[],
  { onChunk, onBytes }: Receiver,
): Promise<void> {
  const wanted = [...indices];
  const untilEnd = wanted.at(-1) === file.chunks.length - 1;
  let at = answer.from;
  /** Of the size of the wanted chunk once some of it is here. */
  let chunk: Uint8Array<ArrayBuffer> | undefined;
  let filled = 0;
  if (at > (file.offsets[wanted[0] as number] as number)) {
    await answer.body.return();
    throw wrongLength(file.url, file.size, at, "fewer");
  }
  try {
    for (;;) {
      const { value: bytes, done } = await answer.body.next(chunk?.subarray(filled));
      if (done) break;
      // The buffer that was passed has moved.
      const isInPlace = chunk !== undefined && chunk.length === 0;
      if (isInPlace) chunk = new Uint8Array(bytes.buffer);
      let used = 0;
      while (used < bytes.length) {
        const index = wanted[0];
        // The rest of a file of which only a part was wanted, a decompression bomb, an endless body.
        if (index === undefined) return;
        const { size, sha256: expected } = file.chunks[index] as ChunkSpec;
        const skip = Math.min((file.offsets[index] as number) + filled - at, bytes.length - used);
        if (skip > 0) {
          used += skip;
          at += skip;
          continue;
        }
        // Only now: a body that never comes costs no memory.
        chunk ??= new Uint8Array(size);
        const part = bytes.subarray(used, used + size - filled);
        if (!isInPlace) chunk.set(part, filled);
        filled += part.length;
        used += part.length;
        at += part.length;
        onBytes?.(part.length);
        if (filled < size) continue;
        const actual = await sha256(chunk);
        if (actual !== expected) throw altered(file.url, index, expected, actual);
        const { buffer } = chunk;
        filled = 0;
        chunk = undefined;
        wanted.shift();
        await onChunk(index, buffer);
      }
      // Read to its end, a connection can be used again.
      if (wanted.length === 0 && !untilEnd) return;
    }
    if (wanted.length > 0) throw wrongLength(file.url, file.size, at, "fewer", answer.type);
  } finally {
    if (filled > 0) onBytes?.(-filled);
    // Where the body was not read to its end: frees the connection.
    await answer.body.return();
  }
}

export function wrongLength(
  url: string,
  expected: number,
  received: number,
  what: "more" | "fewer",
  type = "",
): InsituError {
  const html = type.includes("text/html")
    ? " The answer is an HTML page: the host answers unknown paths with its index.html."
    : "";
  return new InsituError(
    "model_integrity",
    `${url} has ${what} bytes than its manifest says (${expected}, got ${what === "more" ? "over that" : received}).${html} Publish the package again as "insitu pack" wrote it.`,
    { url, expected, received },
  );
}

export function altered(url: string, chunk: number, expected: string, actual: string): InsituError {
  return new InsituError(
    "model_integrity",
    `${url} is not the file that its manifest lists: chunk ${chunk} has another SHA-256. Publish the package again as "insitu pack" wrote it.`,
    { url, chunk, expected, actual },
  );
}
