// Stores the chunks of a download a moment after they came, so that storing does not slow down the load.
import { asInsituError, type InsituError } from "../../../shared/errors.js";
import type { ChunkSpec } from "../../../shared/types/manifest.js";
import { deferred } from "../../lib/deferred.js";
import { xxh64 } from "./checksum.js";
import type { Store } from "./store.js";

export interface WriteBehind {
  /** Queues a verified chunk; waits where the store is too slow. `onStored` is called once it is stored. */
  keep(chunk: ChunkSpec, bytes: ArrayBuffer, onStored: () => void): Promise<void>;
  /** A copy of the bytes of a chunk that is still queued. */
  copyOf(sha256: string): Promise<ArrayBuffer | undefined>;
  /** Frees bytes that nobody reads any more: now, or once they were handed to the store. */
  free(sha256: string, bytes: ArrayBuffer): void;
  /** Resolves once a chunk is no longer being stored. */
  settled(sha256: string): Promise<void>;
  /** Stores what is queued, and from now on each chunk as it comes. */
  flush(): void;
  /** Stores nothing from now on, and removes what was stored. */
  giveUp(problem: unknown): Promise<void>;
  gaveUp(): boolean;
  /** Resolves once all that was queued is stored; rejects with why it is not. */
  done(): Promise<void>;
}

// Storing costs as much as downloading and decoding together, and the first prediction does not need it (256 MB: 3.8 s when stored
// as they came, 1.5 s without). A tab that dies has to fetch again what came in this time.
const STORE_AFTER_MS = 2_000;
// What is more waits as Blobs, which the browser keeps outside this process, on a device with little memory on its disk.
const MAX_HELD_BYTES = 40 * 1024 * 1024;
// A disk slower than the network must not fill the memory.
const MAX_WAITING_BYTES = 512 * 1024 * 1024;
// Each is copied out of this thread first, which decodes meanwhile: few at a time.
const MAX_PUTS = 4;

interface Waiting {
  chunk: ChunkSpec;
  /** Undefined once the bytes are in `blob`. */
  bytes?: ArrayBuffer;
  blob?: SummedBlob;
  onStored: () => void;
  /** Set when it has been read. */
  isRead?: boolean;
}

interface SummedBlob {
  blob: Blob;
  sum: string | undefined;
}

export function createWriteBehind(url: string, store: Store): WriteBehind {
  return new DelayedWrites(url, store);
}

class DelayedWrites implements WriteBehind {
  readonly #url: string;
  readonly #store: Store;
  readonly #puts = new Map<string, Promise<void>>();
  readonly #waiting = new Map<string, Waiting>();
  readonly #flushed = deferred<void>();
  /** Of all that waits, and of what waits in this process. */
  #waitingBytes = 0;
  #heldBytes = 0;
  #isFlushed = false;
  #problem: InsituError | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(url: string, store: Store) {
    this.#url = url;
    this.#store = store;
  }

  async keep(chunk: ChunkSpec, bytes: ArrayBuffer, onStored: () => void): Promise<void> {
    this.#waiting.set(chunk.sha256, { chunk, bytes, onStored });
    this.#waitingBytes += chunk.size;
    this.#heldBytes += chunk.size;
    this.#timer ??= setTimeout(() => this.flush(), STORE_AFTER_MS);
    if (this.#waitingBytes > MAX_WAITING_BYTES) this.flush();
    if (this.#isFlushed) this.#drain();
    this.#moveOut();
    while (this.#waitingBytes > MAX_WAITING_BYTES) await Promise.race(this.#puts.values());
  }

  async copyOf(sha256: string): Promise<ArrayBuffer | undefined> {
    const { bytes, blob } = this.#waiting.get(sha256) ?? {};
    // The browser may have lost a Blob, as it may lose what is stored.
    return bytes?.slice(0) ?? blob?.blob.arrayBuffer().catch(() => undefined);
  }

  free(sha256: string, bytes: ArrayBuffer): void {
    const held = this.#waiting.get(sha256);
    if (held?.bytes === bytes) held.isRead = true;
    else detach(bytes);
  }

  async settled(sha256: string): Promise<void> {
    await this.#puts.get(sha256);
  }

  flush(): void {
    if (this.#isFlushed) return;
    this.#isFlushed = true;
    clearTimeout(this.#timer);
    this.#drain();
    this.#flushed.resolve();
  }

  async giveUp(error: unknown): Promise<void> {
    this.#problem ??= asInsituError(error, "storage_unavailable", "Storing a chunk failed");
    this.flush();
    // Without the rest the chunks before are of no use, and a full origin needs their space.
    await this.#store.abandon(this.#url).catch(() => undefined);
  }

  gaveUp(): boolean {
    return this.#problem !== undefined;
  }

  async done(): Promise<void> {
    if (this.#waiting.size > 0) await this.#flushed.promise;
    // What waits follows what is being stored.
    while (this.#puts.size > 0) await Promise.all(this.#puts.values());
    if (!this.#problem) return;
    // What was put while the store was given up would stay behind without an owner.
    await this.#store.abandon(this.#url).catch(() => undefined);
    throw this.#problem;
  }

  #drain(): void {
    for (const [sha256, next] of this.#waiting) {
      if (this.#puts.size >= MAX_PUTS) return;
      this.#waiting.delete(sha256);
      this.#waitingBytes -= next.chunk.size;
      this.#put(next.chunk, this.#toBlob(next), next.onStored);
    }
  }

  /** Those that have been read first: nobody in this process needs them. */
  #moveOut(): void {
    for (const isRead of [true, undefined])
      for (const one of this.#waiting.values()) {
        if (this.#heldBytes <= MAX_HELD_BYTES) return;
        if (one.isRead === isRead) one.blob = this.#toBlob(one);
      }
  }

  /** A copy: the bytes may be freed as soon as this returns. */
  #toBlob(one: Waiting): SummedBlob {
    const { bytes } = one;
    if (!bytes) return one.blob as SummedBlob;
    const moved = { blob: new Blob([bytes]), sum: xxh64(bytes) };
    this.#heldBytes -= one.chunk.size;
    one.bytes = undefined;
    if (one.isRead) detach(bytes);
    return moved;
  }

  #put(chunk: ChunkSpec, { blob, sum }: SummedBlob, onStored: () => void): void {
    if (this.#problem) return;
    const putting = this.#store.put(this.#url, chunk, blob, sum).then(onStored);
    const settled = putting
      .catch((error: unknown) => this.giveUp(error))
      .finally(() => {
        this.#puts.delete(chunk.sha256);
        this.#drain();
      });
    this.#puts.set(chunk.sha256, settled);
  }
}

/** Frees the memory now: the garbage collector waits for pressure, and lets hundreds of megabytes pile up. */
function detach(bytes: ArrayBuffer): void {
  if (bytes.byteLength > 0) structuredClone(bytes, { transfer: [bytes] });
}
