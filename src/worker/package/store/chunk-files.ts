// The files of chunks in the origin private file system: reading them. What writes and removes them lies in a file of its own (package-writer.ts).
import { withDeadline } from "../../../shared/with-deadline.js";
import { detach } from "../spare-buffers.js";

/** The directory of the files that belong to one database. */
export interface ChunkFiles {
  /** Resolves to undefined where this page may have no files, and once a call was not answered. Never rejects. */
  directory(): Promise<FileSystemDirectoryHandle | undefined>;
  /** The beginning of a file, in `spare` where it has that size; undefined where the file is lost or shorter. */
  read(name: string, size: number, spare?: ArrayBuffer): Promise<ArrayBuffer | undefined>;
  /** Runs a call of the file system that must be answered. Rejects as it does. */
  answered<T>(call: Promise<T>): Promise<T>;
}

// A call for a file takes a millisecond.
const CALL_MS = 5_000;

/** Opens the directory at once: private windows and old browsers have none. */
export function openChunkFiles(database: string): ChunkFiles {
  let known: Promise<FileSystemDirectoryHandle | undefined>;
  const answered = <T>(call: Promise<T>) =>
    withDeadline(call, CALL_MS, () => {
      known = Promise.resolve(undefined);
      return new Error("The file system did not answer.");
    });
  known = answered(open(database)).catch(() => undefined);
  return {
    directory: () => known,
    answered,
    async read(name, size, spare) {
      const directory = await known;
      const bytes = spare?.byteLength === size ? spare : new ArrayBuffer(size);
      if (directory && (await answered(fill(directory, name, bytes)).catch(() => false))) return bytes;
      // An answer that comes late must not write into what is used for another chunk by then.
      detach(bytes);
      return undefined;
    },
  };
}

async function open(database: string): Promise<FileSystemDirectoryHandle> {
  const root = await navigator.storage.getDirectory();
  return root.getDirectoryHandle(`insitu-${encodeURIComponent(database)}`, { create: true });
}

/** Fills `bytes` from the file's beginning; false where the file is shorter. */
async function fill(directory: FileSystemDirectoryHandle, name: string, bytes: ArrayBuffer): Promise<boolean> {
  const file = await directory.getFileHandle(name);
  let handle: FileSystemSyncAccessHandle;
  try {
    // Safari and Firefox do not know the mode: there it locks out other readers.
    const open = file.createSyncAccessHandle as (options: object) => Promise<FileSystemSyncAccessHandle>;
    handle = await open.call(file, { mode: "read-only" });
  } catch {
    // Another tab reads it.
    const whole = await (await file.getFile()).arrayBuffer();
    new Uint8Array(bytes).set(new Uint8Array(whole));
    return whole.byteLength === bytes.byteLength;
  }
  try {
    return handle.read(bytes, { at: 0 }) === bytes.byteLength;
  } finally {
    handle.close();
  }
}
