// The bytes of one package's files, chunk by chunk: as they arrive, else from the store, else mended from the host.
import { InsituError } from "../../shared/errors.js";
import type { ChunkSpec, FileSpec, Manifest } from "../../shared/types/manifest.js";
import { type Deferred, deferred } from "../lib/deferred.js";
import { chunksOf } from "./download/chunks.js";
import { downloadChunks, type WantedFile } from "./download/download.js";
import { resolveFile } from "./manifest.js";
import type { Platform } from "./platform.js";
import type { OnStoreEvent, Store } from "./store/store.js";
import { createWriteBehind } from "./store/write-behind.js";

export interface ContentContext {
  store: Store;
  ports: Platform;
  signal: AbortSignal;
  emit: OnStoreEvent;
  /** Hears of bytes that came over the network. */
  onReceived?: (bytes: number) => void;
}

/** Called with bytes that just came; negative for some that turned out useless. */
export type OnBytes = (bytes: number) => void;

export interface Content {
  /** Every chunk of every file, each once. */
  readonly chunks: ChunkSpec[];
  /**
   * Begins the download of what is not in the store, in the order of `files`. It goes on by itself, and keeps each chunk in the
   * store; `onStored` hears of those that are there. Resolves once it has begun.
   */
  download(files: FileSpec[], onBytes: OnBytes, onStored: OnBytes): Promise<void>;
  /**
   * The chunks of the files in order, each verified, as soon as they are here, and good until the next is asked for. Every call
   * reads from the start.
   */
  read(files: FileSpec[], onBytes: OnBytes): AsyncGenerator<ArrayBuffer, void>;
  /** Stores at once what waited for its turn. */
  flush(): void;
  /** Keeps nothing from now on, and nothing of what came. */
  giveUp(problem: unknown): Promise<void>;
  /** Resolves once the download is over and all of it in the store; rejects with why it is not. */
  stored(): Promise<void>;
}

// While one chunk is decoded, the next are read and hashed.
const READ_AHEAD = 3;

export function createContent(url: string, manifest: Manifest, context: ContentContext): Content {
  const { store, ports, signal, emit, onReceived } = context;
  /** On their way, or arrived: what is compiled at once need not be read back. */
  const coming = new Map<string, Deferred<ArrayBuffer>>();
  const handedOut = new Set<string>();
  const keeper = createWriteBehind(url, store);
  let downloading: Promise<void> = Promise.resolve();

  const arrived = async (chunk: ChunkSpec, bytes: ArrayBuffer, onStored: OnBytes): Promise<void> => {
    const kept = keeper.keep(chunk, bytes, () => onStored(chunk.size));
    coming.get(chunk.sha256)?.resolve(bytes);
    await kept;
  };

  const fail = (error: unknown) => {
    for (const { reject } of coming.values()) reject(error);
  };

  const expect = ({ sha256 }: ChunkSpec) => {
    const chunk = deferred<ArrayBuffer>();
    // Awaited when it is read, if it is.
    chunk.promise.catch(() => undefined);
    coming.set(sha256, chunk);
  };

  const mend = async (file: FileSpec, index: number): Promise<ArrayBuffer> => {
    const wanted: WantedFile = { url: resolveFile(url, file.path), chunks: chunksOf(file), missing: [index] };
    let mended: ArrayBuffer | undefined;
    const onChunk = async (chunk: ChunkSpec, bytes: ArrayBuffer) => {
      if (!keeper.gaveUp()) void store.put(url, chunk, new Blob([bytes])).catch(() => undefined);
      mended = bytes;
    };
    await downloadChunks([wanted], { ports, signal, onBytes: onReceived, onChunk }).catch((cause: unknown) => {
      if (signal.aborted) throw cause;
      const message = `A chunk of ${url} is lost or altered in this browser's store, and could not be fetched again. Connect to the network and load it again.`;
      throw new InsituError("storage_corrupt", message, { url, path: file.path, chunk: index }, { cause });
    });
    return mended as ArrayBuffer;
  };

  const chunk = async (file: FileSpec, index: number): Promise<ArrayBuffer> => {
    const spec = chunksOf(file)[index] as ChunkSpec;
    const { sha256 } = spec;
    const expected = coming.get(sha256)?.promise;
    if (expected && !handedOut.has(sha256)) {
      // Once only: it is freed after that.
      handedOut.add(sha256);
      return expected;
    }
    await expected;
    // A copy: whoever was handed it first still has it.
    const held = keeper.holds(sha256)?.slice(0);
    if (held) return held;
    await keeper.settled(sha256);
    const kept = await store.read(spec);
    if (typeof kept !== "string") return kept;
    if (kept === "corrupt") emit({ type: "corrupt", url, path: file.path, sha256 });
    return mend(file, index);
  };

  return {
    chunks: [...new Map(manifest.files.flatMap(chunksOf).map((spec) => [spec.sha256, spec])).values()],

    async download(files, onBytes, onStored) {
      const known = await store.has(files.flatMap((file) => chunksOf(file).map(({ sha256 }) => sha256)));
      const { wanted, there } = missing(url, files, known);
      if (wanted.length > 0) onBytes(there);
      onStored(there);
      for (const { chunks, missing } of wanted) for (const index of missing) expect(chunks[index] as ChunkSpec);
      const onChunk = (chunk: ChunkSpec, bytes: ArrayBuffer) => arrived(chunk, bytes, onStored);
      const onCame = (bytes: number) => {
        onReceived?.(bytes);
        onBytes(bytes);
      };
      downloading = downloadChunks(wanted, { ports, signal, onBytes: onCame, onChunk });
      downloading.catch(fail);
    },

    async *read(files, onBytes) {
      const order = files.flatMap((file) => chunksOf(file).map(({ sha256 }, index) => ({ file, index, sha256 })));
      const ahead: { bytes: Promise<ArrayBuffer>; sha256: string }[] = [];
      for (let next = 0; next < order.length || ahead.length > 0; ) {
        for (; next < order.length && ahead.length < READ_AHEAD; next += 1) {
          const { file, index, sha256 } = order[next] as (typeof order)[number];
          const bytes = chunk(file, index);
          // Awaited in its turn; until then a failure is not unhandled.
          bytes.catch(() => undefined);
          ahead.push({ bytes, sha256 });
        }
        if (signal.aborted) throw new InsituError("aborted", `Loading ${url} was aborted.`, { url });
        const first = ahead.shift() as (typeof ahead)[number];
        const bytes = await first.bytes;
        onBytes(bytes.byteLength);
        yield bytes;
        keeper.free(first.sha256, bytes);
      }
    },

    flush: keeper.flush,
    giveUp: keeper.giveUp,

    async stored() {
      await downloading.catch(async (error: unknown) => {
        // What came before is what the next load goes on from.
        keeper.flush();
        await keeper.done().catch(() => undefined);
        throw error;
      });
      await keeper.done();
      // Nobody asks for these any more: files that the model does not name.
      coming.clear();
    },
  };
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
