// Stores the chunks of a download: a moment after they came, so that storing does not slow the load that waits for them.
import { asInsituError, type InsituError } from "../../../shared/errors.js";
import type { ChunkSpec } from "../../../shared/types/manifest.js";
import { deferred } from "../../lib/deferred.js";
import type { Store } from "./store.js";

export interface WriteBehind {
  /** Takes a verified chunk; waits where the store cannot follow. `onStored` is called once it is there. */
  keep(chunk: ChunkSpec, bytes: ArrayBuffer, onStored: () => void): Promise<void>;
  /** The bytes of a chunk that still waits for its turn. */
  holds(sha256: string): ArrayBuffer | undefined;
  /** Frees bytes that nobody reads any more: now, or once they are on their way into the store. */
  free(sha256: string, bytes: ArrayBuffer): void;
  /** Resolves once a chunk is no longer on its way into the store. */
  settled(sha256: string): Promise<void>;
  /** Stores what waits, and from now on each chunk as it comes. */
  flush(): void;
  /** Keeps nothing from now on, and nothing of what came. */
  giveUp(problem: unknown): Promise<void>;
  gaveUp(): boolean;
  /** Resolves once all that was taken is stored; rejects with why it is not. */
  done(): Promise<void>;
}

// Storing costs as much as downloading and decoding together (32 MB: 150 ms of two cores), and the first prediction does not
// need it. A tab that dies has to fetch again what came in this time.
const STORE_AFTER_MS = 300;
// A disk slower than the network must not fill the memory.
const MAX_WAITING_BYTES = 40 * 1024 * 1024;
// Each is copied out of this thread first, which decodes meanwhile: few at a time.
const MAX_PUTS = 4;

interface Waiting {
  chunk: ChunkSpec;
  bytes: ArrayBuffer;
  onStored: () => void;
  /** Set when it has been read. */
  isRead?: boolean;
}

export function createWriteBehind(url: string, store: Store): WriteBehind {
  const puts = new Map<string, Promise<void>>();
  const waiting = new Map<string, Waiting>();
  const flushed = deferred<void>();
  let waitingBytes = 0;
  let isFlushed = false;
  let problem: InsituError | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const put = ({ chunk, bytes, onStored }: Waiting) => {
    if (problem) return;
    // A copy: the bytes may be freed as soon as this returns.
    const putting = store.put(url, chunk, new Blob([bytes])).then(onStored);
    const settled = putting.catch(giveUp).finally(() => {
      puts.delete(chunk.sha256);
      drain();
    });
    puts.set(chunk.sha256, settled);
  };

  const drain = () => {
    for (const [sha256, next] of waiting) {
      if (puts.size >= MAX_PUTS) return;
      waiting.delete(sha256);
      waitingBytes -= next.chunk.size;
      put(next);
      if (next.isRead) detach(next.bytes);
    }
  };

  const flush = () => {
    if (isFlushed) return;
    isFlushed = true;
    clearTimeout(timer);
    drain();
    flushed.resolve();
  };

  const giveUp = async (error: unknown): Promise<void> => {
    problem ??= asInsituError(error, "storage_unavailable", "Storing a chunk failed");
    flush();
    // Without the rest the chunks before are of no use, and a full origin needs the room.
    await store.abandon(url).catch(() => undefined);
  };

  return {
    flush,
    giveUp,
    gaveUp: () => problem !== undefined,
    async keep(chunk, bytes, onStored) {
      waiting.set(chunk.sha256, { chunk, bytes, onStored });
      waitingBytes += chunk.size;
      timer ??= setTimeout(flush, STORE_AFTER_MS);
      if (waitingBytes > MAX_WAITING_BYTES) flush();
      if (isFlushed) drain();
      while (waitingBytes > MAX_WAITING_BYTES) await Promise.race(puts.values());
    },
    free(sha256, bytes) {
      const held = waiting.get(sha256);
      if (held?.bytes === bytes) held.isRead = true;
      else detach(bytes);
    },
    holds: (sha256) => waiting.get(sha256)?.bytes,
    settled: async (sha256) => puts.get(sha256),
    async done() {
      if (waiting.size > 0) await flushed.promise;
      // What waits follows what is on its way.
      while (puts.size > 0) await Promise.all(puts.values());
      if (!problem) return;
      // What was put while the store was given up would stay behind without an owner.
      await store.abandon(url).catch(() => undefined);
      throw problem;
    },
  };
}

/** Without it the collector decides, which waits for pressure and lets hundreds of megabytes pile up. */
function detach(bytes: ArrayBuffer): void {
  if (bytes.byteLength > 0) structuredClone(bytes, { transfer: [bytes] });
}
