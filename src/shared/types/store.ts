// The store of model packages in this browser, and its events.
import type { ErrorCode } from "../errors.js";

/** One version of a package in the store of this browser. */
export interface StoredPackage {
  /** Absolute URL of the package's folder, without query string. */
  url: string;
  /** As the manifest names the model. */
  name: string;
  /** Semantic version. */
  version: string;
  /** Counts up with each release of the package. */
  release: number;
  /** SHA-256 of the manifest, which names all bytes: 64 lower-case hexadecimal digits. */
  digest: string;
  /** Bytes of all its files; chunks that several packages share are counted in each of them. */
  bytes: number;
  /** When it last ran, in epoch milliseconds. The least recently used package is evicted first. */
  usedAt: number;
  /** True where it is never evicted for space. */
  pinned: boolean;
}

/** How much the store holds. */
export interface StoreUsage {
  /** Bytes of all packages, chunks that several share counted once. */
  bytes: number;
  /** The budget in bytes, `storage.maxBytes`. */
  maxBytes: number;
  /** Number of stored versions. */
  packages: number;
  /** False when the store cannot be used, and models run from memory. */
  available: boolean;
  /**
   * The browser's figures for the whole origin, in bytes; absent where it gives none. `quota` is a hint only: Chrome reports more than
   * it grants.
   */
  origin?: { usage: number; quota: number; persisted: boolean };
}

/**
 * What happened in the store.
 *
 * - `hit`: a package was loaded without the network.
 * - `miss`: it was not stored, or could not be used; `reason` says why.
 * - `corrupt`: a chunk of the file `path` was lost or altered, and is fetched again; or what this device found out about the package
 *   (`notes/graph`: its rewritten graph, `notes/choice`: which backend is fastest), and is found out again.
 * - `evicted`: a package was removed to make room for another.
 * - `unavailable`: packages are not stored, only kept in memory.
 * - `reset`: the browser has lost all that was stored.
 */
export type StoreEvent =
  | { type: "hit"; url: string; digest: string }
  | { type: "miss"; url: string; reason: string }
  | { type: "corrupt"; url: string; path: string; sha256: string }
  | { type: "evicted"; url: string; digest: string; bytes: number }
  | { type: "unavailable"; code: ErrorCode; reason: string }
  | { type: "reset" };
