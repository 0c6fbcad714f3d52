// Stores the chunks of a download: a moment after they came, so that storing does not slow the load that waits for them.
import { asInsituError, type InsituError } from "../errors.js";
import type { ChunkSpec } from "../types.js";
import { deferred } from "./deferred.js";
import type { Store } from "./store-contract.js";

export interface Keeper {
  /** Takes a verified chunk; waits where the store cannot follow. `onStored` is called once it is there. */
  keep(chunk: ChunkSpec, bytes: ArrayBuffer, onStored: () => void): Promise<void>;
  /** The bytes of a chunk that still waits for its turn: they must not be freed. */
  holds(sha256: string): ArrayBuffer | undefined;
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
// A disk slower than the network must not fill the memory: 32 MiB, as `insitu pack` cuts chunks.
const MAX_WAITING_BYTES = 32 * 1024 * 1024;
const MAX_PUTS = 8;

interface Waiting {
  chunk: ChunkSpec;
  bytes: ArrayBuffer;
  onStored: () => void;
}

export function createKeeper(url: string, store: Store): Keeper {
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
    const settled = putting.catch(giveUp).finally(() => puts.delete(chunk.sha256));
    puts.set(chunk.sha256, settled);
  };

  const flush = () => {
    if (isFlushed) return;
    isFlushed = true;
    clearTimeout(timer);
    for (const each of waiting.values()) put(each);
    waiting.clear();
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
      if (isFlushed) put({ chunk, bytes, onStored });
      else {
        timer ??= setTimeout(flush, STORE_AFTER_MS);
        waiting.set(chunk.sha256, { chunk, bytes, onStored });
        waitingBytes += chunk.size;
        if (waitingBytes > MAX_WAITING_BYTES) flush();
      }
      while (puts.size >= MAX_PUTS) await Promise.race(puts.values());
    },
    holds: (sha256) => waiting.get(sha256)?.bytes,
    settled: async (sha256) => puts.get(sha256),
    async done() {
      if (waiting.size > 0) await flushed.promise;
      while (puts.size > 0) await Promise.all(puts.values());
      if (!problem) return;
      // What was put while the store was given up would stay behind without an owner.
      await store.abandon(url).catch(() => undefined);
      throw problem;
    },
  };
}
