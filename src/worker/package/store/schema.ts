// Opens the IndexedDB database of the store, within a deadline on every way that browsers leave it hanging.
import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import { InsituError } from "../../../shared/errors.js";
import { withDeadline } from "../../lib/with-deadline.js";
import type { ReleaseFloor } from "../trust.js";
import type { PackageRow } from "./store.js";

/** A download that has begun: its chunks are kept although no package has them yet. */
export interface PendingRow {
  url: string;
  chunks: string[];
  /** Milliseconds since 1970. */
  at: number;
}

/** What a device found out about a package. */
export interface NoteRow {
  digest: string;
  kind: string;
  value: unknown;
  /** Milliseconds since 1970. */
  at: number;
}

export interface Schema extends DBSchema {
  packages: { key: [url: string, digest: string]; value: PackageRow };
  pending: { key: string; value: PendingRow };
  releases: { key: string; value: ReleaseFloor };
  // Blobs: two to three times faster here than ArrayBuffers (66/79 ms against 224/167 ms for 32 MB).
  chunks: { key: string; value: Blob };
  binaries: { key: string; value: Blob };
  notes: { key: [digest: string, kind: string]; value: NoteRow };
}

export type StoreName = "packages" | "pending" | "releases" | "chunks" | "binaries" | "notes";
export const STORES: StoreName[] = ["packages", "pending", "releases", "chunks", "binaries", "notes"];

// 1 kept one version an address, and no release floors: what it kept is fetched again. 2 had no notes. Older code that meets a
// newer schema gets a VersionError, and runs from memory.
const SCHEMA = 3;
// Safari 14 leaves an open request pending for good (WebKit 226547).
const OPEN_MS = 5_000;
// A tab of an older version that keeps its connection open may do so for hours.
const BLOCKED_MS = 3_000;

export interface DatabaseEvents {
  /** The connection is closed: by the browser, or to let another tab upgrade. */
  onLost: () => void;
  /** There was no database of this name. */
  onCreated: () => void;
}

/** Rejects with `storage_unavailable`; `data.final` says that another try would end the same. */
export async function openDatabase(name: string, { onLost, onCreated }: DatabaseEvents): Promise<IDBPDatabase<Schema>> {
  const unavailable = (message: string, cause?: unknown) =>
    new InsituError("storage_unavailable", message, { name, final: true }, { cause });
  if (typeof indexedDB === "undefined") throw unavailable("This browser has no IndexedDB here.");
  let refuse: (error: InsituError) => void = () => undefined;
  const refused = new Promise<never>((_, reject) => {
    refuse = reject;
  });
  let blocked: ReturnType<typeof setTimeout> | undefined;
  const opened = openDB<Schema>(name, SCHEMA, {
    upgrade(db, before, _after, tx) {
      try {
        createStores(db, before);
      } catch {
        // Thrown here, it would be an uncaught error, which is the worker's end. The open request fails, as it would then.
        abort(tx);
        return;
      }
      if (before === 0) onCreated();
    },
    blocked() {
      const message = "Another tab holds the store open in an older version of the page. Close that tab.";
      blocked = setTimeout(() => refuse(unavailable(message)), BLOCKED_MS);
    },
    // Another tab wants a newer version: let it, and open again when needed.
    blocking(_current, _blocked, event) {
      (event.target as IDBDatabase).close();
      onLost();
    },
    terminated: onLost,
  });
  try {
    return await withDeadline(Promise.race([opened, refused]), OPEN_MS, "open the store");
  } catch (error) {
    // Should it open after all, nobody uses it, and it must not block others.
    void opened.then((db) => db.close()).catch(() => undefined);
    if (error instanceof Error && error.name === "VersionError") {
      throw unavailable("The store was made by a newer version of the page. Reload the page.", error);
    }
    throw error;
  } finally {
    clearTimeout(blocked);
  }
}

function createStores(db: IDBPDatabase<Schema>, before: number): void {
  if (before < 2) {
    for (const store of db.objectStoreNames) db.deleteObjectStore(store);
    db.createObjectStore("packages", { keyPath: ["url", "digest"] });
    db.createObjectStore("pending", { keyPath: "url" });
    db.createObjectStore("releases", { keyPath: "url" });
    db.createObjectStore("chunks");
    db.createObjectStore("binaries");
  }
  db.createObjectStore("notes", { keyPath: ["digest", "kind"] });
}

export function abort(tx: { abort(): void }): void {
  try {
    tx.abort();
  } catch {
    // It has ended already.
  }
}
