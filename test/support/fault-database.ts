// Runs in a page: reads and writes whole databases, with the files beside them, without the library.

/** What is in the database. */
export interface Kept {
  packages: { release: number; missing: number }[];
  pending: number;
  /** Chunks that neither a package nor a download has, and files that no chunk has. */
  orphans: number;
}

export interface Snapshot {
  version: number;
  stores: { name: string; keyPath: string | string[] | null; keys: IDBValidKey[]; rows: unknown[] }[];
  files: { name: string; bytes: ArrayBuffer }[];
}

export const done = <T>(request: IDBRequest<T>) =>
  new Promise<T>((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

const root = () => navigator.storage.getDirectory();
const folderOf = (name: string) => `insitu-${encodeURIComponent(name)}`;

async function readFiles(name: string): Promise<Snapshot["files"]> {
  const files: Snapshot["files"] = [];
  const folder = await (await root()).getDirectoryHandle(folderOf(name)).catch(() => undefined);
  for await (const file of folder?.values() ?? [])
    if (file instanceof FileSystemFileHandle)
      files.push({ name: file.name, bytes: await (await file.getFile()).arrayBuffer() });
  return files;
}

async function writeFiles(name: string, files: Snapshot["files"]): Promise<void> {
  const folder = await (await root()).getDirectoryHandle(folderOf(name), { create: true });
  for (const file of files) {
    const written = await (await folder.getFileHandle(file.name, { create: true })).createWritable();
    await written.write(file.bytes);
    await written.close();
  }
}

/** Deletes the database and its files. */
export async function remove(name: string): Promise<void> {
  await done(indexedDB.deleteDatabase(name));
  for (let isThere = true; isThere; ) {
    try {
      await (await root()).removeEntry(folderOf(name), { recursive: true });
      isThere = false;
    } catch (error) {
      isThere = (error as Error).name !== "NotFoundError";
      // A worker that was ended a moment ago may still lock a file.
      if (isThere) await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** Undefined when there is no such database; opening it would create one. */
export async function read(name: string): Promise<Snapshot | undefined> {
  if (!(await indexedDB.databases()).some((database) => database.name === name)) return undefined;
  const database = await done(indexedDB.open(name));
  const { version } = database;
  const names = [...database.objectStoreNames];
  const stores: Snapshot["stores"] = [];
  if (names.length > 0) {
    const transaction = database.transaction(names);
    const reading = names.map(async (each) => {
      const store = transaction.objectStore(each);
      const [keys, rows] = await Promise.all([done(store.getAllKeys()), done<unknown[]>(store.getAll())]);
      return { name: each, keyPath: store.keyPath, keys, rows };
    });
    stores.push(...(await Promise.all(reading)));
  }
  database.close();
  return { version, stores, files: await readFiles(name) };
}

/** Makes a database with that content: a load that was interrupted by nothing. False where there is one already. */
export async function write(name: string, { version, stores, files }: Snapshot): Promise<boolean> {
  await writeFiles(name, files);
  const opening = indexedDB.open(name, version);
  let isNew = false;
  opening.onupgradeneeded = () => {
    isNew = true;
    for (const { name: each, keyPath, keys, rows } of stores) {
      const store = opening.result.createObjectStore(each, keyPath === null ? {} : { keyPath });
      for (const [index, row] of rows.entries()) store.put(row, keyPath === null ? keys[index] : undefined);
    }
  };
  (await done(opening)).close();
  return isNew;
}

export async function kept(name: string): Promise<Kept> {
  const found = await read(name);
  const store = (wanted: string) => found?.stores.find((each) => each.name === wanted);
  const packages = (store("packages")?.rows ?? []) as { release: number; chunks: { sha256: string }[] }[];
  const pending = (store("pending")?.rows ?? []) as { chunks: string[] }[];
  const rows = (store("chunks")?.rows ?? []) as { file?: string }[];
  const files = new Set(found?.files.map((file) => file.name));
  const named = new Set(rows.flatMap(({ file }) => file ?? []));
  const keys = (store("chunks")?.keys ?? []) as string[];
  // Without its file a chunk is lost.
  const chunks = new Set(keys.filter((_, index) => !rows[index]?.file || files.has(rows[index].file)));
  const wanted = new Set([
    ...packages.flatMap((row) => row.chunks.map(({ sha256 }) => sha256)),
    ...pending.flatMap((row) => row.chunks),
  ]);
  return {
    packages: packages.map((row) => ({
      release: row.release,
      missing: row.chunks.filter(({ sha256 }) => !chunks.has(sha256)).length,
    })),
    pending: pending.length,
    orphans: keys.filter((hash) => !wanted.has(hash)).length + [...files].filter((name) => !named.has(name)).length,
  };
}
