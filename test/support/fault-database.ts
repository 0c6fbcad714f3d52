// Runs in a page: reads and writes whole databases without the library.

/** What is in the database. */
export interface Kept {
  packages: { release: number; missing: number }[];
  pending: number;
  /** Chunks that neither a package nor a download has. */
  orphans: number;
}

export interface Snapshot {
  version: number;
  stores: { name: string; keyPath: string | string[] | null; keys: IDBValidKey[]; rows: unknown[] }[];
}

export const done = <T>(request: IDBRequest<T>) =>
  new Promise<T>((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

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
  return { version, stores };
}

/** Makes a database with that content: a load that was interrupted by nothing. False where there is one already. */
export async function write(name: string, { version, stores }: Snapshot): Promise<boolean> {
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
  const chunks = new Set(store("chunks")?.keys as string[] | undefined);
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
    orphans: [...chunks].filter((hash) => !wanted.has(hash)).length,
  };
}
