// Stores and removes chunks. Part of the file for first visits: who finds a package stored writes nothing.
import type { Database } from "../../../shared/indexed-db.js";
import type { ChunkSpec } from "../../../shared/types/manifest.js";
import type { createBytesWriter } from "./blob-or-bytes.js";
import type { ChunkFiles } from "./chunk-files.js";
import type { ChunkRow, FileRow, PackageSchema } from "./schema.js";

export interface ChunkWriterDeps {
  database: Database<PackageSchema>;
  files: ChunkFiles;
  putBytes: ReturnType<typeof createBytesWriter>;
}

export interface ChunkWriter {
  /** Whether large chunks become files. */
  writesFiles(): Promise<boolean>;
  put(chunk: ChunkSpec, bytes: Blob | ArrayBuffer, sum?: string): Promise<void>;
  /** Removes the files that no row has, and returns how many. Never rejects: what is left is removed by the next call. */
  sweep(): Promise<number>;
}

// A file costs some milliseconds whatever its size; a row holds as much as that without one.
const MAX_ROW_BYTES = 65_536;

export function createChunkWriter({ database, files, putBytes }: ChunkWriterDeps): ChunkWriter {
  /** Set once a file could not be written. */
  let isBroken = false;
  const directory = async () => (isBroken ? undefined : files.directory());
  const putRow = (hash: string, row: ChunkRow) =>
    database.transaction("store a chunk", ["chunks"], "relaxed", async (tx) => {
      await tx.put("chunks", row, hash);
    });
  const withSum = (bytes: Blob | ArrayBuffer, xxh64: string | undefined) =>
    xxh64 === undefined ? bytes : { bytes, xxh64 };

  /** False where it cannot be a file. */
  async function putFile({ sha256: hash }: ChunkSpec, bytes: Blob | ArrayBuffer, xxh64?: string): Promise<boolean> {
    const found = await directory();
    if (!found) return false;
    const names = [newName(hash), newName(hash)];
    let written: Written;
    try {
      const writing = writeNew(found, names, await bufferOf(bytes));
      written = await files.answered(writing).catch((error: unknown) => {
        // It was not answered: the file may be there, and the answer may come still.
        for (const name of names) void found.removeEntry(name).catch(() => undefined);
        void writing.then(({ discard }) => discard()).catch(() => undefined);
        throw error;
      });
    } catch (error) {
      // Rows have no room either.
      if (error instanceof Error && error.name === "QuotaExceededError") throw error;
      isBroken = true;
      return false;
    }
    try {
      await putRow(hash, { file: written.name, xxh64 });
    } catch (error) {
      await written.discard();
      throw error;
    }
    written.close();
    return true;
  }

  return {
    writesFiles: async () => (await directory()) !== undefined,
    async put(chunk, bytes, sum) {
      const { size, sha256: hash } = chunk;
      const isLarge = size > MAX_ROW_BYTES;
      if (isLarge && (await database.step("store a chunk", () => putFile(chunk, bytes, sum)))) return;
      if (isLarge) await putBytes(new Blob([bytes]), (stored) => putRow(hash, withSum(stored, sum)));
      else await putRow(hash, withSum(await bufferOf(bytes), sum));
    },
    sweep: () => sweep(database, files),
  };
}

/** A file that is locked may belong to a worker that is being ended just now. */
const AGAIN_AFTER_MS = 5_000;

async function sweep(database: Database<PackageSchema>, files: ChunkFiles, isLast = false): Promise<number> {
  const found = await files.directory();
  if (!found) return 0;
  const remove = () => removeUnused(found, (names) => unusedOf(database, names));
  const { removed, locked } = await database.step("remove files", remove).catch(() => ({ removed: 0, locked: 0 }));
  if (locked > 0 && !isLast) setTimeout(() => sweep(database, files, true), AGAIN_AFTER_MS);
  return removed;
}

/** Which of the names no row has now. */
async function unusedOf(database: Database<PackageSchema>, names: string[]): Promise<string[]> {
  const rows = await database.transaction("look up chunks", ["chunks"], "read", (tx) =>
    Promise.all(names.map((name) => tx.get("chunks", name.split("-")[0] as string))),
  );
  return names.filter((name, index) => (rows[index] as Partial<FileRow> | undefined)?.file !== name);
}

/** Crashes leave files behind, and other tabs may write the same chunk: no name is used twice. */
const newName = (hash: string) => `${hash}-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`;

/** Under the first of the names that another tab does not take meanwhile. */
async function writeNew(directory: FileSystemDirectoryHandle, names: string[], bytes: ArrayBuffer): Promise<Written> {
  const [name, other] = names as [string, string];
  return writeFile(directory, name, bytes).catch((error: unknown) => {
    if (!isTaken(error)) throw error;
    return writeFile(directory, other, bytes);
  });
}

/** Another tab took a file for one that nobody needs, just before it was locked. */
const isTaken = (error: unknown): boolean =>
  error instanceof DOMException && ["NoModificationAllowedError", "NotFoundError"].includes(error.name);

const bufferOf = async (bytes: Blob | ArrayBuffer): Promise<ArrayBuffer> =>
  bytes instanceof Blob ? bytes.arrayBuffer() : bytes;

/** A file that is locked until `close` is called: nobody takes it for one that no row refers to. */
interface Written {
  name: string;
  close(): void;
  /** Closes and removes it. */
  discard(): Promise<void>;
}

/** Writes the bytes to a new file. Rejects with what the browser throws; then no file is left, if it can be removed. */
async function writeFile(directory: FileSystemDirectoryHandle, name: string, bytes: ArrayBuffer): Promise<Written> {
  const file = await directory.getFileHandle(name, { create: true });
  let handle: FileSystemSyncAccessHandle | undefined;
  const discard = async () => {
    try {
      handle?.close();
      await directory.removeEntry(name);
    } catch {
      // What cannot be removed now is found by `removeUnused`.
    }
  };
  try {
    handle = await file.createSyncAccessHandle();
    // Reserves the space by one message to the browser instead of several.
    handle.truncate(bytes.byteLength);
    // Without room Chromium throws in `truncate`, but in an incognito window it returns an odd number here.
    if (handle.write(bytes, { at: 0 }) !== bytes.byteLength)
      throw new DOMException("Not all bytes could be written.", "QuotaExceededError");
  } catch (error) {
    await discard();
    throw error;
  }
  const open = handle;
  const close = () => {
    try {
      open.close();
    } catch {
      // The bytes are there, and a lock that stays leaves them to be read without a handle.
    }
  };
  return { name, close, discard };
}

/**
 * Removes the files that nothing refers to. Returns how many, and how many are locked: those that are being written or read.
 * @param findUnused - Which of the names nothing refers to now.
 */
async function removeUnused(
  directory: FileSystemDirectoryHandle,
  findUnused: (names: string[]) => Promise<string[]>,
): Promise<{ removed: number; locked: number }> {
  const names: string[] = [];
  for await (const name of directory.keys()) names.push(name);
  const handles = new Map<string, FileSystemSyncAccessHandle>();
  try {
    const candidates = await findUnused(names);
    for (const name of candidates) {
      const handle = await lock(directory, name);
      if (handle) handles.set(name, handle);
    }
    // Again: who wrote one of them until now refers to it by now.
    const unused = handles.size > 0 ? await findUnused([...handles.keys()]) : [];
    const locked = candidates.length - handles.size;
    let removed = 0;
    for (const name of unused) {
      handles.get(name)?.close();
      handles.delete(name);
      const isRemoved = await directory.removeEntry(name).then(
        () => true,
        () => false,
      );
      // A file that stays makes no room: who waits for some would try for ever.
      if (isRemoved) removed += 1;
    }
    return { removed, locked };
  } finally {
    for (const handle of handles.values()) handle.close();
  }
}

async function lock(
  directory: FileSystemDirectoryHandle,
  name: string,
): Promise<FileSystemSyncAccessHandle | undefined> {
  try {
    return await (await directory.getFileHandle(name)).createSyncAccessHandle();
  } catch {
    return undefined;
  }
}
