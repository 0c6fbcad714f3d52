// The IndexedDB schema of the store of packages, and its upgrades.
import type { ReleaseFloor } from "../trust.js";
import type { StoredBytes } from "./blob-or-bytes.js";
import type { ChannelRow } from "./channel-rows.js";
import type { SealedNote } from "./note-format.js";
import type { PackageRow } from "./store.js";

/** A download that has begun: its chunks are kept although no package has them yet. */
export interface PendingRow {
  url: string;
  chunks: string[];
  /** Milliseconds since 1970. */
  at: number;
}

/** What a device found out about a package. Rows of earlier versions of the library have no bytes. */
export interface NoteRow extends Partial<SealedNote> {
  digest: string;
  kind: string;
  /** Milliseconds since 1970. */
  at: number;
}

/** Bytes with their XXH64. */
export interface SummedBytes {
  bytes: StoredBytes;
  xxh64: string;
}

/** Bytes that are in a file beside the database (`chunk-files`). */
export interface FileRow {
  file: string;
  xxh64?: string;
}

export type ChunkRow = StoredBytes | SummedBytes | FileRow;

export type PackageSchema = {
  packages: { key: [url: string, digest: string]; value: PackageRow };
  pending: { key: string; value: PendingRow };
  releases: { key: string; value: ReleaseFloor };
  // In older databases bytes without a checksum. Blobs: two to three times faster here than ArrayBuffers (66/79 ms against 224/167 ms for 32 MB).
  // Files: five times as fast as Blobs.
  chunks: { key: string; value: ChunkRow };
  binaries: { key: string; value: StoredBytes | SummedBytes };
  notes: { key: [digest: string, kind: string]; value: NoteRow };
  channels: { key: string; value: ChannelRow };
};

export type StoreName = keyof PackageSchema;
export const STORES: StoreName[] = ["packages", "pending", "releases", "chunks", "binaries", "notes", "channels"];

// 1 kept one version per URL, and no release floors: what it kept is fetched again. 2 had no notes, 3 no channels. Older code that opens a newer
// schema gets a VersionError, and keeps packages in memory.
export const SCHEMA_VERSION = 4;

/** `before` is the version on the disk, 0 for a new database. */
export function upgradeSchema(db: IDBDatabase, before: number): void {
  if (before < 2) {
    for (const store of db.objectStoreNames) db.deleteObjectStore(store);
    db.createObjectStore("packages", { keyPath: ["url", "digest"] });
    db.createObjectStore("pending", { keyPath: "url" });
    db.createObjectStore("releases", { keyPath: "url" });
    db.createObjectStore("chunks");
    db.createObjectStore("binaries");
  }
  if (before < 3) db.createObjectStore("notes", { keyPath: ["digest", "kind"] });
  db.createObjectStore("channels", { keyPath: "url" });
}
