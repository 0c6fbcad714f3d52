// Gets tfjs's WebAssembly binary for this browser, and checks it before it is used.
import { asInsituError, InsituError } from "../../shared/errors.js";
import type { ChunkSpec } from "../../shared/types/manifest.js";
import { once } from "../lib/once.js";
import { sha256 } from "../lib/sha256.js";

/**
 * Size and SHA-256 of the binaries of @tensorflow/tfjs-backend-wasm 4.22.0. A binary of another version links, and then crashes or
 * computes wrong values, so it is refused. `test/unit/worker/runtime/wasm-binary.test.ts` compares with the installed package.
 */
export const WASM_BINARIES = {
  "tfjs-backend-wasm.wasm": {
    size: 311_123,
    sha256: "70a5d516060464e5269f01c74bac1772d6b8ab6cb612acf16b5cdaf61f78d892",
  },
  "tfjs-backend-wasm-simd.wasm": {
    size: 424_594,
    sha256: "77ebb28a6d34f371dbbf2086b7f2de8994acd8ea5a3cf1fa24d2c26c840cac7b",
  },
  "tfjs-backend-wasm-threaded-simd.wasm": {
    size: 435_643,
    sha256: "c052228d4bef185c27bbe59a9e029570c78bbb9f08b3cb46b597851650373de2",
  },
} as const satisfies Record<string, ChunkSpec>;

export type WasmBinary = keyof typeof WASM_BINARIES;

/** A module whose one function is `i32x4.all_true` of a vector (opcode FD A3 01). */
const SIMD_MODULE = Uint8Array.of(
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7f, 0x03, 0x02, 0x01, 0x00],
  ...[0x0a, 0x0b, 0x01, 0x09, 0x00, 0x41, 0x00, 0xfd, 0x11, 0xfd, 0xa3, 0x01, 0x0b],
);
let simd: boolean | undefined;

/** The binary for this browser. Without SIMD there is none with threads. */
export function binaryFor(threads: number): WasmBinary {
  simd ??= WebAssembly.validate(SIMD_MODULE);
  if (!simd) return "tfjs-backend-wasm.wasm";
  return threads > 1 ? "tfjs-backend-wasm-threaded-simd.wasm" : "tfjs-backend-wasm-simd.wasm";
}

/** Stores binaries between visits. Neither call throws: without a cache they are fetched again. */
export interface BinaryCache {
  get(binary: ChunkSpec): Promise<ArrayBuffer | undefined>;
  put(binary: ChunkSpec, bytes: ArrayBuffer): Promise<void>;
}

const MAGIC = [0x00, 0x61, 0x73, 0x6d];
// The largest binary has 436 kB; on a slow connection it takes seconds, not a minute.
const FETCH_TIMEOUT_MS = 60_000;

export interface WasmAssets {
  /** Absolute URL of a binary. */
  url(name: WasmBinary): string;
  cache: BinaryCache;
}

/** The binaries of this worker, each fetched once. */
export interface WasmBinaries {
  url(name: WasmBinary): string;
  /** Rejects as `wasmBinary` does; the next call tries again. */
  bytes(name: WasmBinary): Promise<ArrayBuffer>;
}

export function createWasmBinaries({ url, cache }: WasmAssets): WasmBinaries {
  const known = new Map<WasmBinary, () => Promise<ArrayBuffer>>();
  return {
    url,
    bytes(name) {
      const load = known.get(name) ?? once(() => wasmBinary(name, url(name), cache));
      known.set(name, load);
      return load();
    },
  };
}

/** The binary's bytes: from the cache, else from `url`, then stored. Throws `network`, `http_4xx`, `http_5xx`, `timeout` or `model_integrity`. */
async function wasmBinary(name: WasmBinary, url: string, cache: BinaryCache): Promise<ArrayBuffer> {
  const binary = WASM_BINARIES[name];
  const cached = await cache.get(binary);
  if (cached) return cached;
  const bytes = await download(url);
  await check(bytes, binary, url);
  await cache.put(binary, bytes);
  return bytes;
}

async function download(url: string): Promise<ArrayBuffer> {
  let response: Response;
  try {
    response = await fetch(url, { credentials: "same-origin", signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) });
    if (response.ok) return await response.arrayBuffer();
  } catch (error) {
    const code = error instanceof Error && error.name === "TimeoutError" ? "timeout" : "network";
    throw asInsituError(error, code, `Could not fetch the WebAssembly binary ${url}`, { url });
  }
  throw new InsituError(
    response.status >= 500 ? "http_5xx" : "http_4xx",
    `Fetching the WebAssembly binary ${url} failed with HTTP ${response.status}. Copy the package's dist/wasm folder there, or point assets.wasm to it.`,
    { url, status: response.status },
  );
}

async function check(bytes: ArrayBuffer, binary: ChunkSpec, url: string): Promise<void> {
  const head = new Uint8Array(bytes, 0, Math.min(4, bytes.byteLength));
  if (!MAGIC.every((byte, index) => head[index] === byte)) {
    throw new InsituError(
      "model_integrity",
      `${url} is not WebAssembly: it starts with ${JSON.stringify(new TextDecoder().decode(bytes.slice(0, 16)))}. Hosts of single-page apps serve index.html for unknown paths; serve the package's dist/wasm folder, or point assets.wasm to it.`,
      { url },
    );
  }
  const actual = await sha256(bytes);
  if (actual !== binary.sha256) {
    throw new InsituError(
      "model_integrity",
      `${url} is not the binary of this version of insitu. Copy dist/wasm again from the installed package.`,
      { url, expected: binary.sha256, actual },
    );
  }
}
