// A store that always works: IndexedDB, opened again when it was lost, and memory once it cannot be used.
import type { InsituError } from "../../../shared/errors.js";
import { createFallback } from "../../../shared/storage-fallback.js";
import { createMemoryStore } from "./memory-store.js";
import type { OnStoreEvent, Store } from "./store.js";

export interface FallbackStore extends Store {
  /** Why packages are kept in memory only; undefined while IndexedDB works. */
  problem(): InsituError | undefined;
}

// "Internal error opening backing store" and a connection that Safari dropped often heal on the next open; what does not heal
// in three tries stays broken for the page (Expensify/App#90636).
const TRIES = 3;

/** Of its methods only those for notes reject with `storage_unavailable`. */
export function createFallbackStore(database: Store, emit: OnStoreEvent): FallbackStore {
  const memory = createMemoryStore();
  const { use: attempt, problem } = createFallback<Store>(database, memory, {
    tries: TRIES,
    onFallback(error) {
      database.close();
      emit({ type: "unavailable", code: error.code, reason: error.message });
    },
  });

  return {
    problem,
    versions: (url) => attempt((store) => store.versions(url)),
    floor: (url) => attempt((store) => store.floor(url)),
    has: (hashes) => attempt((store) => store.has(hashes)),
    keepsFiles: () => attempt((store) => store.keepsFiles()),
    read: (...chunk) => attempt((store) => store.read(...chunk)),
    begin: (row) => attempt((store) => store.begin(row)),
    put: (...chunk) => attempt((store) => store.put(...chunk)),
    commit: (row) => attempt((store) => store.commit(row)),
    proved: (url, digest) => attempt((store) => store.proved(url, digest)),
    abandon: (url) => attempt((store) => store.abandon(url)),
    list: () => attempt((store) => store.list()),
    bytes: () => attempt((store) => store.bytes()),
    delete: (url) => attempt((store) => store.delete(url)),
    clear: () => attempt((store) => store.clear()),
    pin: (url, pinned) => attempt((store) => store.pin(url, pinned)),
    // A disk that is full must not keep a channel from being read.
    changeChannel: (...args) =>
      attempt((store) => store.changeChannel(...args)).catch((error: InsituError) => {
        if (error.code !== "storage_quota") throw error;
        return memory.changeChannel(...args);
      }),
    readBinary: (binary) => attempt((store) => store.readBinary(binary)),
    putBinary: (binary, bytes) => attempt((store) => store.putBinary(binary, bytes)),
    // A lost note is measured again: its failure says nothing about the packages, and is not worth a second try.
    readNote: (digest, kind) => (problem() ? memory : database).readNote(digest, kind),
    writeNote: (digest, kind, value) => (problem() ? memory : database).writeNote(digest, kind, value),
    close() {
      database.close();
    },
  };
}
