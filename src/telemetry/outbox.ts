// Requests that could not be sent, kept in this browser for another try, also by the site's next page.
import type { Parcel } from "./parcels.js";

/** None of its methods rejects or hangs: where the browser keeps nothing, memory does as long as the page lives. */
export interface Outbox {
  /** Answers what had to go for it: the oldest. */
  put(parcel: Parcel): Promise<Parcel[]>;
  /** The oldest; those that are too old are removed, and handed to `onExpired`. */
  oldest(onExpired: (parcel: Parcel) => void): Promise<Parcel | undefined>;
  remove(id: string): Promise<void>;
  /** Removes all, and answers what that was. */
  clear(): Promise<Parcel[]>;
}

const MAX_PARCELS = 500;
const MAX_BYTES = 1024 * 1024;
const MAX_AGE_MS = 7 * 24 * 3600 * 1000;
// Safari 14 leaves an open request pending for good (WebKit 226547); a page that ends waits for nobody.
const STEP_MS = 5_000;
const STORE = "parcels";

export function createOutbox(name: string): Outbox {
  let database: Promise<IDBDatabase> | undefined;
  /** Once IndexedDB has failed, for good: a parcel must not be looked for in two places. */
  let memory: Map<string, Parcel> | undefined;

  const connect = (): Promise<IDBDatabase> => {
    database ??= open(name, () => {
      database = undefined;
    });
    return database;
  };

  const step = async <T>(run: (rows: Rows) => Promise<T>): Promise<T> => {
    if (!memory) {
      try {
        return await inTime(connect().then((db) => inTransaction(db, run)));
      } catch {
        database = undefined;
        memory ??= new Map();
      }
    }
    return run(memoryRows(memory));
  };

  return {
    put: (parcel) =>
      step(async (rows) => {
        await rows.put(parcel);
        const all = (await rows.all()).sort(byAge);
        let bytes = all.reduce((sum, { body }) => sum + body.length, 0);
        const gone: Parcel[] = [];
        while (all.length - gone.length > MAX_PARCELS || bytes > MAX_BYTES) {
          const oldest = all[gone.length] as Parcel;
          bytes -= oldest.body.length;
          gone.push(oldest);
          await rows.remove(oldest.id);
        }
        return gone;
      }),
    oldest: (onExpired) =>
      step(async (rows) => {
        const all = (await rows.all()).sort(byAge);
        // A clock that was set back must not make them live for ever, nor one that was set forward end them all at once.
        const isOld = ({ at }: Parcel) => Math.abs(Date.now() - at) > MAX_AGE_MS;
        for (const parcel of all.filter(isOld)) {
          await rows.remove(parcel.id);
          onExpired(parcel);
        }
        return all.find((parcel) => !isOld(parcel));
      }),
    remove: (id) => step((rows) => rows.remove(id)),
    clear: () =>
      step(async (rows) => {
        const all = await rows.all();
        for (const { id } of all) await rows.remove(id);
        return all;
      }),
  };
}

const byAge = (a: Parcel, b: Parcel) => a.at - b.at;

interface Rows {
  put(parcel: Parcel): Promise<unknown>;
  all(): Promise<Parcel[]>;
  remove(id: string): Promise<void>;
}

function memoryRows(map: Map<string, Parcel>): Rows {
  return {
    put: async (parcel) => map.set(parcel.id, parcel),
    all: async () => [...map.values()],
    remove: async (id) => void map.delete(id),
  };
}

function open(name: string, onLost: () => void): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(`${name}-telemetry`, 1);
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

/** Resolves once it is committed. */
async function inTransaction<T>(db: IDBDatabase, run: (rows: Rows) => Promise<T>): Promise<T> {
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
    put: (parcel) => done(store.put(parcel)),
    all: () => done(store.getAll()) as Promise<Parcel[]>,
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
