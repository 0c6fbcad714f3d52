// Stores the chunks of a download a moment after they came, so that storing does not slow down the load.
import { asInsituError, type InsituError } from "../../../shared/errors.js";
import type { ChunkSpec } from "../../../shared/types/manifest.js";
import { deferred } from "../../lib/deferred.js";
import type { Store } from "./store.js";

export interface WriteBehind {
  /** Queues a verified chunk; waits where the store is too slow. `onStored` is called once it is stored. */
  keep(chunk: ChunkSpec, bytes: ArrayBuffer, onStored: () => void): Promise<void>;
  /** A copy of the bytes of a chunk that is still queued. */
  copyOf(sha256: string): Promise<ArrayBuffer | undefined>;
  /** Releases bytes that nobody reads any more: now, or once they were handed to the store. */
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

export interface WriteBehindDeps {
  url: string;
  store: Store;
  /** A fast checksum to store with the bytes; undefined where there is none. */
  sumOf(bytes: ArrayBuffer): string | undefined;
  /** Takes bytes that nobody needs any more. */
  release(bytes: ArrayBuffer): void;
}

// Storing costs as much as downloading and decoding together, and the first prediction does not need it (256 MB: 3.8 s when stored
// as they came, 1.5 s without). A tab that dies has to fetch again what came in this time.
const STORE_AFTER_MS = 2_000;
// What is more waits as Blobs, which the browser keeps outside this process, on a device with little memory on its disk.
const MAX_HELD_BYTES = 40 * 1024 * 1024;
// What is more becomes files at once: that is one copy to the memory of the system.
const MAX_HELD_BEFORE_FILES = 16 * 1024 * 1024;
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

export function createWriteBehind(deps: WriteBehindDeps): WriteBehind {
  return new DelayedWrites(deps);
}

class DelayedWrites implements WriteBehind {
  readonly #deps: WriteBehindDeps;
  readonly #puts = new Map<string, Promise<void>>();
  readonly #waiting = new Map<string, Waiting>();
  /** Those of the chunks being stored whose bytes are still needed here. */
  readonly #putting = new Map<string, Waiting>();
  readonly #flushed = deferred<void>();
  /** Of all that waits, and of what waits in this process. */
  #waitingBytes = 0;
  #heldBytes = 0;
  #keepsFiles = false;
  #isFlushed = false;
  #problem: InsituError | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(deps: WriteBehindDeps) {
    this.#deps = deps;
    const known = deps.store.keepsFiles().then((keepsFiles) => {
      this.#keepsFiles = keepsFiles;
    });
    // Then they are not files, and the store says why when it is written to.
    known.catch(() => undefined);
  }

  async keep(chunk: ChunkSpec, bytes: ArrayBuffer, onStored: () => void): Promise<void> {
    this.#waiting.set(chunk.sha256, { chunk, bytes, onStored });
    this.#waitingBytes += chunk.size;
    this.#heldBytes += chunk.size;
    this.#timer ??= setTimeout(() => this.flush(), STORE_AFTER_MS);
    if (this.#waitingBytes > MAX_WAITING_BYTES) this.flush();
    if (this.#isFlushed) this.#drain();
    this.#moveOut();
    while (this.#waitingBytes > MAX_WAITING_BYTES || this.#puts.size > MAX_PUTS)
      await Promise.race(this.#puts.values());
  }

  async copyOf(sha256: string): Promise<ArrayBuffer | undefined> {
    const { bytes, blob } = this.#held(sha256) ?? {};
    // The browser may have lost a Blob, as it may lose what is stored.
    return bytes?.slice(0) ?? blob?.blob.arrayBuffer().catch(() => undefined);
  }

  free(sha256: string, bytes: ArrayBuffer): void {
    const held = this.#held(sha256);
    if (held?.bytes === bytes) held.isRead = true;
    else this.#deps.release(bytes);
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
    await this.#abandon();
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
    await this.#abandon();
    throw this.#problem;
  }

  #held(sha256: string): Waiting | undefined {
    return this.#waiting.get(sha256) ?? this.#putting.get(sha256);
  }

  async #abandon(): Promise<void> {
    const { url, store } = this.#deps;
    await store.abandon(url).catch(() => undefined);
  }

  #drain(): void {
    for (const next of this.#waiting.values()) {
      if (this.#puts.size >= MAX_PUTS) return;
      this.#put(next);
    }
  }

  /** Those that have been read first: nobody in this process needs them. */
  #moveOut(): void {
    const max = this.#keepsFiles ? MAX_HELD_BEFORE_FILES : MAX_HELD_BYTES;
    for (const isRead of [true, undefined])
      for (const one of this.#waiting.values()) {
        if (this.#heldBytes <= max) return;
        if (one.isRead !== isRead) continue;
        if (this.#keepsFiles) this.#put(one);
        else one.blob = this.#toBlob(one);
      }
  }

  /** A copy: the bytes may be freed as soon as this returns. */
  #toBlob(one: Waiting): SummedBlob {
    const { bytes } = one;
    if (!bytes) return one.blob as SummedBlob;
    const moved = { blob: new Blob([bytes]), sum: this.#deps.sumOf(bytes) };
    this.#heldBytes -= one.chunk.size;
    this.#letGo(one);
    return moved;
  }

  #letGo(one: Waiting): void {
    const { bytes } = one;
    one.bytes = undefined;
    if (bytes && one.isRead) this.#deps.release(bytes);
  }

  #put(one: Waiting): void {
    const { chunk, bytes, onStored } = one;
    const { url, store, sumOf } = this.#deps;
    const { sha256, size } = chunk;
    this.#waiting.delete(sha256);
    this.#waitingBytes -= size;
    let stored: { blob: Blob | ArrayBuffer; sum: string | undefined };
    if (bytes && this.#keepsFiles && !this.#problem) {
      this.#heldBytes -= size;
      this.#putting.set(sha256, one);
      stored = { blob: bytes, sum: sumOf(bytes) };
    } else stored = this.#toBlob(one);
    if (this.#problem) return;
    const putting = store.put(url, chunk, stored.blob, stored.sum).then(onStored);
    const settled = putting
      .catch((error: unknown) => this.giveUp(error))
      .finally(() => {
        this.#putting.delete(sha256);
        this.#letGo(one);
        this.#puts.delete(sha256);
        this.#drain();
      });
    this.#puts.set(sha256, settled);
  }
}
