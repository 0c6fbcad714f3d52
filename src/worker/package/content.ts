// The bytes of one package's files, chunk by chunk: as they arrive, else from the store, else fetched again.
import { InsituError } from "../../shared/errors.js";
import type { ChunkSpec, FileSpec, Manifest } from "../../shared/types/manifest.js";
import { type Deferred, deferred } from "../lib/deferred.js";
import { chunkDownload } from "./download/chunk-download.js";
import { chunksOf } from "./download/chunks.js";
import type { WantedFile } from "./download/download.js";
import { resolveFile } from "./manifest.js";
import type { Platform } from "./platform.js";
import { createSpareBuffers } from "./spare-buffers.js";
import { xxh64 } from "./store/checksum.js";
import type { OnStoreEvent, Store } from "./store/store.js";
import type { WriteBehind } from "./store/write-behind.js";

export interface ContentContext {
  store: Store;
  ports: Platform;
  signal: AbortSignal;
  emit: OnStoreEvent;
  /** Called with a number of bytes that came over the network. */
  onReceived?: (bytes: number) => void;
}

/** Called with a number of bytes that just came; negative for some that turned out useless. */
export type OnBytes = (bytes: number) => void;

export interface Content {
  /** Every chunk of every file, each once. */
  readonly chunks: ChunkSpec[];
  /**
   * Begins the download of what is not in the store, in the order of `files`. It goes on by itself, and stores each chunk;
   * `onStored` is called for those that are there. Resolves once it has begun.
   */
  download(files: FileSpec[], onBytes: OnBytes, onStored: OnBytes): Promise<void>;
  /**
   * The chunks of the files in order, each verified, as soon as they are here, and valid until the next is requested. Every call
   * reads from the start; `onEnd` is called after the last chunk.
   */
  read(files: FileSpec[], onBytes?: OnBytes, onEnd?: () => void): AsyncGenerator<ArrayBuffer, void>;
  /** Stores now what waits to be stored. */
  flush(): void;
  /** Stores nothing from now on, and removes what was stored. */
  giveUp(problem: unknown): Promise<void>;
  /** Resolves once the download is over and all of it is stored; rejects with why it is not. */
  stored(): Promise<void>;
}

// While one chunk is decoded, the next are read and hashed.
const READ_AHEAD = 3;

export function createContent(url: string, manifest: Manifest, context: ContentContext): Content {
  return new PackageContent(url, manifest, context);
}

class PackageContent implements Content {
  readonly chunks: ChunkSpec[];
  readonly #url: string;
  readonly #context: ContentContext;
  readonly #spare = createSpareBuffers();
  /** Undefined while nothing was downloaded. */
  #writes: WriteBehind | undefined;
  /** Why nothing is stored. */
  #gaveUp: { problem: unknown } | undefined;
  /** Chunks on their way, or arrived: what is compiled at once need not be read back from the store. */
  readonly #coming = new Map<string, Deferred<ArrayBuffer>>();
  /** Hashes of the arrived chunks that a reader got. */
  readonly #handedOut = new Set<string>();
  #downloading: Promise<void> = Promise.resolve();

  constructor(url: string, manifest: Manifest, context: ContentContext) {
    this.#url = url;
    this.#context = context;
    this.chunks = [...new Map(manifest.files.flatMap(chunksOf).map((spec) => [spec.sha256, spec])).values()];
  }

  async download(files: FileSpec[], onBytes: OnBytes, onStored: OnBytes): Promise<void> {
    const { store, ports, signal, onReceived } = this.#context;
    const known = await store.has(files.flatMap((file) => chunksOf(file).map(({ sha256 }) => sha256)));
    const { wanted, there } = missing(this.#url, files, known);
    if (wanted.length > 0) onBytes(there);
    onStored(there);
    if (wanted.length === 0) return;
    const { createWriteBehind, downloadChunks } = await chunkDownload();
    const release = this.#spare.add;
    this.#writes = createWriteBehind({ url: this.#url, store, sumOf: xxh64, release });
    if (this.#gaveUp) void this.#writes.giveUp(this.#gaveUp.problem);
    for (const { chunks, missing } of wanted) for (const index of missing) this.#expect(chunks[index] as ChunkSpec);
    this.#downloading = downloadChunks(wanted, {
      ports,
      signal,
      onBytes(bytes) {
        onReceived?.(bytes);
        onBytes(bytes);
      },
      onChunk: (chunk, bytes) => this.#arrived(chunk, bytes, onStored),
    });
    this.#downloading.catch((error: unknown) => {
      for (const { reject } of this.#coming.values()) reject(error);
    });
  }

  async *read(files: FileSpec[], onBytes?: OnBytes, onEnd?: () => void): AsyncGenerator<ArrayBuffer, void> {
    const order = files.flatMap((file) => chunksOf(file).map(({ sha256 }, index) => ({ file, index, sha256 })));
    const ahead: { bytes: Promise<ArrayBuffer>; sha256: string }[] = [];
    for (let next = 0; next < order.length || ahead.length > 0; ) {
      for (; next < order.length && ahead.length < READ_AHEAD; next += 1) {
        const { file, index, sha256 } = order[next] as (typeof order)[number];
        const bytes = this.#chunk(file, index);
        // Awaited in its turn; until then a failure is not unhandled.
        bytes.catch(() => undefined);
        ahead.push({ bytes, sha256 });
      }
      if (this.#context.signal.aborted)
        throw new InsituError("aborted", `Loading ${this.#url} was aborted.`, { url: this.#url });
      const first = ahead.shift() as (typeof ahead)[number];
      const bytes = await first.bytes;
      onBytes?.(bytes.byteLength);
      yield bytes;
      if (this.#writes) this.#writes.free(first.sha256, bytes);
      else this.#spare.add(bytes);
    }
    this.#spare.clear();
    onEnd?.();
  }

  flush(): void {
    this.#writes?.flush();
  }

  async giveUp(problem: unknown): Promise<void> {
    this.#gaveUp ??= { problem };
    if (this.#writes) await this.#writes.giveUp(problem);
    else await this.#context.store.abandon(this.#url).catch(() => undefined);
  }

  async stored(): Promise<void> {
    await this.#downloading.catch(async (error: unknown) => {
      // What came before is what the next load continues from.
      this.#writes?.flush();
      await this.#writes?.done().catch(() => undefined);
      throw error;
    });
    if (this.#gaveUp && !this.#writes) throw this.#gaveUp.problem;
    await this.#writes?.done();
    this.#spare.clear();
    // Nobody asks for these any more: files that the model does not name.
    this.#coming.clear();
  }

  #expect({ sha256 }: ChunkSpec): void {
    const chunk = deferred<ArrayBuffer>();
    // Awaited when it is read, if it is.
    chunk.promise.catch(() => undefined);
    this.#coming.set(sha256, chunk);
  }

  async #arrived(chunk: ChunkSpec, bytes: ArrayBuffer, onStored: OnBytes): Promise<void> {
    const kept = this.#writes?.keep(chunk, bytes, () => onStored(chunk.size));
    this.#coming.get(chunk.sha256)?.resolve(bytes);
    await kept;
  }

  async #chunk(file: FileSpec, index: number): Promise<ArrayBuffer> {
    const { store, emit } = this.#context;
    const spec = chunksOf(file)[index] as ChunkSpec;
    const { sha256 } = spec;
    const expected = this.#coming.get(sha256)?.promise;
    if (expected && !this.#handedOut.has(sha256)) {
      // Once only: it is freed after that.
      this.#handedOut.add(sha256);
      return expected;
    }
    await expected;
    // A copy: the first reader may still have it.
    const held = await this.#writes?.copyOf(sha256);
    if (held) return held;
    await this.#writes?.settled(sha256);
    const spare = this.#spare.take(spec.size);
    const kept = await store.read(spec, spare);
    if (spare && kept !== spare) this.#spare.add(spare);
    if (typeof kept !== "string") return kept;
    if (kept === "corrupt") emit({ type: "corrupt", url: this.#url, path: file.path, sha256 });
    return this.#repair(file, index);
  }

  /** Fetches one chunk again that the store has lost. */
  async #repair(file: FileSpec, index: number): Promise<ArrayBuffer> {
    const { store, ports, signal, onReceived } = this.#context;
    const url = this.#url;
    const wanted: WantedFile = { url: resolveFile(url, file.path), chunks: chunksOf(file), missing: [index] };
    let repaired: ArrayBuffer | undefined;
    const onChunk = async (chunk: ChunkSpec, bytes: ArrayBuffer) => {
      // A copy: the reader frees the bytes. Awaited, so that the next load finds it.
      if (!this.#writes?.gaveUp()) await store.put(url, chunk, new Blob([bytes]), xxh64(bytes)).catch(() => undefined);
      repaired = bytes;
    };
    const options = { ports, signal, onBytes: onReceived, onChunk };
    const fetching = chunkDownload().then(({ downloadChunks }) => downloadChunks([wanted], options));
    await fetching.catch((cause: unknown) => {
      if (signal.aborted) throw cause;
      const message = `A chunk of ${url} is lost or altered in this browser's store, and could not be fetched again. Connect to the network and load it again.`;
      throw new InsituError("storage_corrupt", message, { url, path: file.path, chunk: index }, { cause });
    });
    return repaired as ArrayBuffer;
  }
}

/** Which chunks must come, and how many bytes are there. A chunk that the package has twice comes once. */
function missing(url: string, files: FileSpec[], stored: Set<string>): { wanted: WantedFile[]; there: number } {
  const known = new Set(stored);
  let there = 0;
  const wanted = files.map((file): WantedFile => {
    const chunks = chunksOf(file);
    const missing: number[] = [];
    for (const [index, { sha256, size }] of chunks.entries()) {
      if (known.has(sha256)) there += size;
      else missing.push(index);
      known.add(sha256);
    }
    return { url: resolveFile(url, file.path), chunks, missing };
  });
  return { wanted: wanted.filter(({ missing }) => missing.length > 0), there };
}
