// Runs one download and keeps the chunks and the bytes that it reported.
import { type DownloadOptions, downloadChunks } from "../../src/worker/package/download/download.js";
import { type Cut, hashOf } from "./chunked.js";
import { eagerPorts } from "./ports.js";

export interface Transfer {
  /** Hashes in the order in which the chunks came. */
  got: string[];
  /** Sum of the bytes passed to `onBytes`. */
  counted: number;
  error?: { code?: string; message: string; data: Record<string, unknown> };
}

export interface TransferFile {
  url: string;
  file: Cut;
  /** Default: all. */
  missing?: number[];
}

/** Never rejects; the bytes of each chunk are checked again here. */
export async function transfer(files: TransferFile[], options: Partial<DownloadOptions> = {}): Promise<Transfer> {
  const result: Transfer = { got: [], counted: 0, error: undefined };
  const wanted = files.map(({ url, file, missing }) => ({
    url,
    chunks: file.chunks,
    missing: missing ?? file.chunks.map((_, index) => index),
  }));
  await downloadChunks(wanted, {
    signal: new AbortController().signal,
    ports: eagerPorts,
    onBytes: (bytes) => {
      result.counted += bytes;
    },
    ...options,
    onChunk: async (chunk, bytes) => {
      await options.onChunk?.(chunk, bytes);
      if (hashOf(new Uint8Array(bytes)) !== chunk.sha256) throw new Error("A wrong chunk got through.");
      result.got.push(chunk.sha256);
    },
  }).catch((error: Transfer["error"]) => {
    result.error = error;
  });
  return result;
}

export const hashesOf = (file: Cut, indices?: number[]): string[] =>
  (indices ? indices.map((index) => file.chunks[index]) : file.chunks).map((chunk) => chunk?.sha256 ?? "");
