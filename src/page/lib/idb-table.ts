// A small table in IndexedDB for the page's half; in memory once that fails, so that no call of it rejects or hangs.

export interface Rows<T> {
  put(row: T): Promise<unknown>;
  get(id: string): Promise<T | undefined>;
  all(): Promise<T[]>;
  remove(id: string): Promise<void>;
}

export interface Table<T> {
  /** Runs in one transaction, and resolves once it is committed; in memory, and perhaps a second time, when the browser fails. */
  change<R>(run: (rows: Rows<T>) => Promise<R>): Promise<R>;
}

// Safari 14 leaves an open request pending for good (WebKit 226547); a page that ends waits for nobody.
const STEP_MS = 5_000;
const STORE = "rows";

/** The database `name` is made when it is first used. */
export function createTable<T extends { id: string }>(name: string): Table<T> {
  let database: Promise<IDBDatabase> | undefined;
  /** Once IndexedDB has failed, for good: a row must not be looked for in two places. */
  let memory: Map<string, T> | undefined;
  const forget = () => {
    database = undefined;
  };

  return {
    async change(run) {
      if (!memory) {
        try {
          database ??= open(name, forget);
          return await inTime(database.then((db) => inTransaction(db, run)));
        } catch {
          memory ??= new Map();
        }
      }
      return run(memoryRows(memory));
    },
  };
}

function memoryRows<T extends { id: string }>(map: Map<string, T>): Rows<T> {
  return {
    put: async (row) => map.set(row.id, row),
    get: async (id) => map.get(id),
    all: async () => [...map.values()],
    remove: async (id) => void map.delete(id),
  };
}

function open(name: string, onLost: () => void): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "id" });
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
      const db = request.result;
      db.onclose = onLost;
      db.onversionchange = () => {
        db.close();
        onLost();
      };
      resolve(db);
    };
  });
}

async function inTransaction<T, R>(db: IDBDatabase, run: (rows: Rows<T>) => Promise<R>): Promise<R> {
  const tx = db.transaction(STORE, "readwrite", { durability: "relaxed" });
  const store = tx.objectStore(STORE);
  const ended = new Promise<void>((resolve, reject) => {
    tx.oncomplete = () => resolve();
    tx.onabort = () => reject(tx.error);
  });
  ended.catch(() => undefined);
  const done = <V>(request: IDBRequest<V>) =>
    new Promise<V>((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  const result = await run({
    put: (row) => done(store.put(row)),
    get: (id) => done(store.get(id)) as Promise<T | undefined>,
    all: () => done(store.getAll()) as Promise<T[]>,
    remove: async (id) => void (await done(store.delete(id))),
  });
  // At once: the page may be ending.
  tx.commit();
  await ended;
  return result;
}

async function inTime<T>(promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("IndexedDB does not answer.")), STEP_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
