// Fetches one file of a package as a stream, chunk by chunk, and lets only bytes through whose hash is right.
import { asInsituError, InsituError } from "../errors.js";
import { sha256 } from "../hash.js";
import type { ChunkSpec } from "../types.js";

/** Milliseconds without a byte until a download is given up; apart from any limit on the whole. */
export const IDLE_MS = 15_000;

export interface DownloadOptions {
  signal?: AbortSignal;
  /** Called with the number of bytes that just arrived. */
  onBytes?: (bytes: number) => void;
}

/**
 * The file's chunks, each verified. Throws `network`, `http_4xx`, `http_5xx`, `timeout` (no byte for 15 s), `aborted`, or
 * `model_integrity` when the body is shorter, longer or other than the manifest says; a longer one is cut off at once.
 */
export async function downloadChunks(
  url: string,
  chunks: ChunkSpec[],
  options: DownloadOptions = {},
): Promise<ArrayBuffer[]> {
  const total = chunks.reduce((sum, chunk) => sum + chunk.size, 0);
  const done: ArrayBuffer[] = [];
  let received = 0;
  let current = new Uint8Array(chunks[0]?.size ?? 0);
  let filled = 0;
  const finish = async () => {
    const chunk = chunks[done.length] as ChunkSpec;
    const actual = await sha256(current);
    if (actual !== chunk.sha256) throw altered(url, done.length, chunk.sha256, actual);
    done.push(current.buffer);
    current = new Uint8Array(chunks[done.length]?.size ?? 0);
    filled = 0;
  };
  await readBody(url, options.signal, async (bytes, type) => {
    received += bytes.length;
    if (received > total) throw wrongLength(url, total, received, "more", type);
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + current.length - filled);
      current.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled === current.length) await finish();
    }
    options.onBytes?.(bytes.length);
  }).then((type) => {
    if (received < total) throw wrongLength(url, total, received, "fewer", type);
  });
  // Chunks of no bytes (an empty file) never see data.
  while (done.length < chunks.length) await finish();
  return done;
}

/** A small text file, at most `most` bytes: more is `model_too_large` before it is read to its end. */
export async function downloadText(url: string, most: number, signal?: AbortSignal): Promise<string> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let received = 0;
  await readBody(url, signal, async (bytes) => {
    received += bytes.length;
    if (received > most) {
      throw new InsituError("model_too_large", `${url} is larger than ${most} bytes, the most a manifest may have.`, {
        url,
        most,
      });
    }
    parts.push(bytes);
  });
  return new Blob(parts).text();
}

/** Streams a body to `take`, with the idle watchdog; answers the content type. */
async function readBody(
  url: string,
  signal: AbortSignal | undefined,
  take: (bytes: Uint8Array<ArrayBuffer>, type: string) => Promise<void>,
): Promise<string> {
  const stop = new AbortController();
  const onAbort = () => stop.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  if (signal?.aborted) onAbort();
  let idle = false;
  const giveUp = () => {
    idle = true;
    stop.abort();
  };
  let watchdog = setTimeout(giveUp, IDLE_MS);
  try {
    const response = await fetch(url, {
      signal: stop.signal,
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
    });
    if (!response.ok) throw httpError(url, response.status);
    const type = response.headers.get("content-type") ?? "";
    const reader = response.body?.getReader();
    for (let next = await reader?.read(); next && !next.done; next = await reader?.read()) {
      clearTimeout(watchdog);
      await take(next.value as Uint8Array<ArrayBuffer>, type);
      watchdog = setTimeout(giveUp, IDLE_MS);
    }
    return type;
  } catch (error) {
    if (idle)
      throw new InsituError(
        "timeout",
        `${url} sent no byte for ${IDLE_MS / 1000} s. Check the connection and load again.`,
        { url, idleMs: IDLE_MS },
      );
    if (signal?.aborted) throw new InsituError("aborted", `Loading ${url} was aborted.`, { url }, { cause: error });
    throw asInsituError(
      error,
      "network",
      `Could not fetch ${url}. Check the address, the connection and the host's CORS and redirect rules`,
      { url },
    );
  } finally {
    clearTimeout(watchdog);
    signal?.removeEventListener("abort", onAbort);
    // Whatever was not read is not wanted: free the connection.
    stop.abort();
  }
}

function httpError(url: string, status: number): InsituError {
  const code = status >= 500 ? "http_5xx" : "http_4xx";
  const advice =
    code === "http_4xx"
      ? "Check that the whole package folder is published there"
      : "The host has trouble; load again later";
  return new InsituError(code, `${url} answered HTTP ${status}. ${advice}.`, { url, status });
}

function wrongLength(
  url: string,
  expected: number,
  received: number,
  what: "more" | "fewer",
  type: string,
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

function altered(url: string, chunk: number, expected: string, actual: string): InsituError {
  return new InsituError(
    "model_integrity",
    `${url} is not the file that its manifest names: chunk ${chunk} has another SHA-256. Publish the package again as "insitu pack" wrote it.`,
    { url, chunk, expected, actual },
  );
}
