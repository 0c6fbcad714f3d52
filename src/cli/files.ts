// Reads a package's files from disk: text, JSON, and hashes that are computed without holding a whole file in memory.
import { createHash } from "node:crypto";
import { open, readFile, stat } from "node:fs/promises";
import { InsituError } from "../shared/errors.js";
import type { ChunkSpec, FileSpec } from "../shared/types/manifest.js";

/** 4 MiB: small enough to download again after an interruption, large enough that the manifest of 1 GB stays under 32 kB. */
export const CHUNK_BYTES = 4 * 1024 * 1024;

/** The bytes of `path` in pieces of `sizes`; the last may be shorter. Each buffer is valid until the next one is read. */
async function* readPieces(path: string, sizes: Iterable<number>): AsyncGenerator<Buffer> {
  const file = await open(path, "r");
  try {
    for (const size of sizes) {
      const buffer = Buffer.allocUnsafe(size);
      let filled = 0;
      while (filled < size) {
        const { bytesRead } = await file.read(buffer, filled, size - filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      yield buffer.subarray(0, filled);
    }
  } finally {
    await file.close();
  }
}

/** The bytes of all files in order, as buffers that the caller may keep. */
export async function* weightChunks(paths: string[]): AsyncGenerator<ArrayBuffer> {
  for (const path of paths) {
    for await (const bytes of readPieces(path, chunkSizes(await fileSize(path)))) yield new Uint8Array(bytes).buffer;
  }
}

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

function chunkSizes(size: number): number[] {
  return Array.from({ length: Math.ceil(size / CHUNK_BYTES) }, (_, index) =>
    Math.min(CHUNK_BYTES, size - index * CHUNK_BYTES),
  );
}

/** The manifest's entry for a text that is not written yet. */
export function describeText(text: string, name: string): FileSpec {
  const bytes = Buffer.from(text);
  return { path: name, size: bytes.length, sha256: sha256(bytes) };
}

/** The manifest's entry for a file: one hash up to 4 MiB, above that a hash for each 4 MiB. */
export async function describeFile(path: string, name: string): Promise<FileSpec> {
  const size = await fileSize(path);
  if (size <= CHUNK_BYTES) {
    const bytes = await readFile(path);
    checkContent(bytes, path);
    return { path: name, size, sha256: sha256(bytes) };
  }
  const chunks: ChunkSpec[] = [];
  for await (const bytes of readPieces(path, chunkSizes(size)))
    chunks.push({ size: bytes.length, sha256: sha256(bytes) });
  return { path: name, size, chunks };
}

/** Compares a file with its manifest entry. Returns what is wrong, or undefined. */
export async function fileProblem(path: string, spec: FileSpec): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) return `${spec.path} is missing`;
  if (found.size !== spec.size) return `${spec.path} has ${found.size} bytes, the manifest lists ${spec.size}`;
  if (!spec.chunks)
    return sha256(await readFile(path)) === spec.sha256
      ? undefined
      : `the SHA-256 of ${spec.path} differs from the manifest`;
  let index = 0;
  const sizes = spec.chunks.map(({ size }) => size);
  for await (const bytes of readPieces(path, sizes)) {
    if (sha256(bytes) !== spec.chunks[index]?.sha256)
      return `the SHA-256 of ${spec.path} differs from the manifest in chunk ${index}`;
    index += 1;
  }
  return undefined;
}

export async function fileSize(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  if (!found) throw unreadable(path);
  if (!found.isFile()) throw unreadable(path, { code: "not a regular file" });
  return found.size;
}

export async function readText(path: string): Promise<string> {
  // A pipe would be waited for.
  await fileSize(path);
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw unreadable(path, cause);
  }
  return decodeText(bytes, path);
}

/** Throws `input_invalid` for a file that only stands for another one, or that is not UTF-8. */
export function decodeText(bytes: Buffer, path: string): string {
  checkContent(bytes, path);
  if (isUtf16(bytes)) {
    const message = `${path} is text in UTF-16, as Windows PowerShell writes it with ">". Save it as UTF-8 (PowerShell: Out-File -Encoding utf8).`;
    throw new InsituError("input_invalid", message, { path, encoding: "utf-16" });
  }
  return bytes.toString("utf8").replace(/^\uFEFF/, "");
}

// What git stores, and a clone without Git LFS holds, in place of a large file.
const LFS_POINTER = "version https://git-lfs.github.com/spec/";

/** Throws `input_invalid` for a pointer of Git LFS in place of the file itself. */
function checkContent(head: Buffer, path: string): void {
  if (head.toString("latin1", 0, LFS_POINTER.length) !== LFS_POINTER) return;
  const message = `${path} is a Git LFS pointer, not the file itself. Run "git lfs install && git lfs pull" in its repository; on a website, download the file instead of its pointer.`;
  throw new InsituError("input_invalid", message, { path, format: "git-lfs-pointer" });
}

/** A mark at the start; without one, every second byte of JSON and of most labels is zero. */
function isUtf16(bytes: Buffer): boolean {
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) return true;
  const head = [...bytes.subarray(0, 64)];
  const isZeroAt = (parity: number) => head.every((byte, index) => index % 2 !== parity || byte === 0);
  return head.length > 3 && isZeroAt(0) !== isZeroAt(1);
}

export async function readJsonFile(path: string): Promise<unknown> {
  const text = await readText(path);
  try {
    return JSON.parse(text);
  } catch (cause) {
    const message = `${path} is not valid JSON: ${(cause as Error).message}. Correct the file.`;
    throw new InsituError("input_invalid", message, { path }, { cause });
  }
}

function unreadable(path: string, cause?: unknown): InsituError {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? "ENOENT";
  const message =
    code === "ENOENT"
      ? `${path} cannot be read: there is no such file. Check the path.`
      : `${path} cannot be read (${code}). Check that it is a file and that you may read it.`;
  return new InsituError("input_invalid", message, { path }, { cause });
}
