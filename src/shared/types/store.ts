// The store of model packages in this browser, and its events.
import type { ErrorCode } from "../errors.js";

/** One version of a package in the store of this browser. */
export interface StoredPackage {
  /** Absolute URL of the package's folder. */
  url: string;
  name: string;
  version: string;
  release: number;
  digest: string;
  /** Bytes of all its files; chunks that packages share are counted in each. */
  bytes: number;
  /** Milliseconds since 1970; the package that was not used for the longest time is evicted first. */
  usedAt: number;
  /** Never evicted for space. */
  pinned: boolean;
}

export interface StoreUsage {
  /** Bytes of all packages, chunks that several share counted once. */
  bytes: number;
  /** The budget, `storage.maxBytes`. */
  maxBytes: number;
  packages: number;
  /** False when the store cannot be used, and models run from memory. */
  available: boolean;
  /** What the browser says of the whole origin. `quota` is a hint only: Chrome reports more than it grants. */
  origin?: { usage: number; quota: number; persisted: boolean };
}

/**
 * What happened in the store. `hit`: a package was loaded without the network; `miss`: it was not there, or could not be
 * used; `corrupt`: a chunk was lost or altered, and is fetched again; `evicted`: a package went to make room; `unavailable`:
 * packages are not kept; `reset`: the browser lost all that was kept.
 */
export type StoreEvent =
  | { type: "hit"; url: string; digest: string }
  | { type: "miss"; url: string; reason: string }
  | { type: "corrupt"; url: string; path: string; sha256: string }
  | { type: "evicted"; url: string; digest: string; bytes: number }
  | { type: "unavailable"; code: ErrorCode; reason: string }
  | { type: "reset" };
