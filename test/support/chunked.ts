// Bytes cut into chunks with their hashes, as `insitu pack` lists them.
import { createHash } from "node:crypto";
import type { ChunkSpec } from "../../src/shared/types/manifest.js";
import { seeded } from "./ports.js";

export const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

export interface Cut {
  bytes: Uint8Array<ArrayBuffer>;
  size: number;
  chunks: ChunkSpec[];
  /** Where each chunk begins. */
  offsets: number[];
  /** The bytes of one chunk. */
  part(index: number): Uint8Array<ArrayBuffer>;
}

export function randomBytes(size: number, seed = 1): Uint8Array<ArrayBuffer> {
  const random = seeded(seed);
  return Uint8Array.from({ length: size }, () => random() * 256);
}

/** Chunks of the given sizes, which add up to the bytes. */
export function cut(bytes: Uint8Array<ArrayBuffer>, sizes: number[]): Cut {
  let end = 0;
  const offsets = sizes.map((size) => {
    end += size;
    return end - size;
  });
  const part = (index: number) => bytes.slice(offsets[index], (offsets[index] ?? 0) + (sizes[index] ?? 0));
  const chunks = sizes.map((size, index) => ({ size, sha256: hashOf(part(index)) }));
  return { bytes, size: bytes.length, chunks, offsets, part };
}

/** `count` chunks of random bytes, `size` each. */
export function evenly(count: number, size: number, seed = 1): Cut {
  return cut(randomBytes(count * size, seed), new Array<number>(count).fill(size));
}

/** The code, message and data with which `promise` failed; fails itself when it did not. */
export async function failure(
  promise: Promise<unknown>,
): Promise<{ code?: string; message: string; data: Record<string, unknown> }> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (outcome === undefined) throw new Error("It did not fail.");
  return outcome as Awaited<ReturnType<typeof failure>>;
}
