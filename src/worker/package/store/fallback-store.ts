// A store that always works: IndexedDB, opened again when it was lost, and memory once it cannot be had.
import { type InsituError, isInsituError } from "../../../shared/errors.js";
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
  let problem: InsituError | undefined;

  const giveUp = (error: InsituError) => {
    if (problem) return;
    problem = error;
    database.close();
    emit({ type: "unavailable", code: error.code, reason: error.message });
  };

  const attempt = async <T>(run: (store: Store) => Promise<T>): Promise<T> => {
    for (let tries = 1; !problem; tries += 1) {
      try {
        return await run(database);
      } catch (error) {
        if (!isInsituError(error) || error.code !== "storage_unavailable") throw error;
        if (tries === TRIES || error.data.final) giveUp(error);
      }
    }
    return run(memory);
  };

  return {
    problem: () => problem,
    versions: (url) => attempt((store) => store.versions(url)),
    floor: (url) => attempt((store) => store.floor(url)),
    has: (hashes) => attempt((store) => store.has(hashes)),
    read: (chunk) => attempt((store) => store.read(chunk)),
    begin: (row) => attempt((store) => store.begin(row)),
    put: (url, chunk, bytes) => attempt((store) => store.put(url, chunk, bytes)),
    commit: (row) => attempt((store) => store.commit(row)),
    proved: (url, digest) => attempt((store) => store.proved(url, digest)),
    abandon: (url) => attempt((store) => store.abandon(url)),
    list: () => attempt((store) => store.list()),
    bytes: () => attempt((store) => store.bytes()),
    delete: (url) => attempt((store) => store.delete(url)),
    clear: () => attempt((store) => store.clear()),
    pin: (url, pinned) => attempt((store) => store.pin(url, pinned)),
    readBinary: (binary) => attempt((store) => store.readBinary(binary)),
    putBinary: (binary, bytes) => attempt((store) => store.putBinary(binary, bytes)),
    // What is noted is found out again: a note that fails says nothing against the packages, and is worth no second try.
    readNote: (digest, kind) => (problem ? memory : database).readNote(digest, kind),
    writeNote: (digest, kind, value) => (problem ? memory : database).writeNote(digest, kind, value),
    close() {
      database.close();
    },
  };
}
