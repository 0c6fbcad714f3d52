// The one layer over IndexedDB: opens and reopens a database, and gives every step a deadline and a typed error.
import { asInsituError, InsituError } from "./errors.js";
import { withDeadline } from "./with-deadline.js";

/** The object stores of a database, with the types of their keys and rows. */
export type Schema = Record<string, { key: IDBValidKey; value: unknown }>;

type StoreOf<S> = keyof S & string;
type Query<K> = K | IDBKeyRange;

/** What can be done within one transaction. Nothing else may be awaited meanwhile, or the browser commits it. */
export interface Transaction<S extends Schema> {
  get<N extends StoreOf<S>>(store: N, key: S[N]["key"]): Promise<S[N]["value"] | undefined>;
  getKey<N extends StoreOf<S>>(store: N, key: S[N]["key"]): Promise<S[N]["key"] | undefined>;
  getAll<N extends StoreOf<S>>(store: N, range?: IDBKeyRange): Promise<S[N]["value"][]>;
  getAllKeys<N extends StoreOf<S>>(store: N, range?: IDBKeyRange): Promise<S[N]["key"][]>;
  count(store: StoreOf<S>, range?: IDBKeyRange): Promise<number>;
  /** `key` only for a store whose rows do not hold it. */
  put<N extends StoreOf<S>>(store: N, row: S[N]["value"], key?: S[N]["key"]): Promise<unknown>;
  delete<N extends StoreOf<S>>(store: N, key: Query<S[N]["key"]>): Promise<unknown>;
  clear(store: StoreOf<S>): Promise<unknown>;
  /** Commits now. Without it the browser first waits whether more is requested. */
  commit(): void;
}

/** `relaxed` and `strict` write, with that durability. */
export type Mode = "read" | "relaxed" | "strict";

export interface DatabaseOptions {
  name: string;
  version: number;
  /** Creates the object stores. `before` is the version on the disk, 0 for a new database. */
  upgrade(db: IDBDatabase, before: number): void;
  /** Deadline of opening, in milliseconds. Safari 14 leaves an open request pending forever (WebKit 226547). */
  openMs: number;
  /** Deadline of one step on the open database, in milliseconds. */
  stepMs: number;
  /** What a user can do when the storage quota is used up; the last sentence of that error. */
  quotaAdvice?: string;
}

/** An open database. */
export interface Connection<S extends Schema> {
  /** Resolves with what `run` returned once the transaction is complete; any failure aborts all of it. */
  transaction<T>(stores: StoreOf<S>[], mode: Mode, run: (tx: Transaction<S>) => Promise<T>): Promise<T>;
}

export interface Database<S extends Schema> {
  /**
   * Runs a step on the connection, which is opened first if there is none. `what` completes "IndexedDB could not …". Rejects with
   * `storage_quota`, `storage_unavailable`, or the InsituError that `run` throws. `data.final`: another try would end the same.
   */
  step<T>(what: string, run: (connection: Connection<S>) => Promise<T>): Promise<T>;
  /** A step that is one transaction. */
  transaction<T>(what: string, stores: StoreOf<S>[], mode: Mode, run: (tx: Transaction<S>) => Promise<T>): Promise<T>;
  /** True once it could be opened. */
  hasOpened(): boolean;
  /** The next step opens it again. */
  close(): void;
  /** Deletes the database. */
  destroy(): Promise<void>;
}

// A tab with an older version of the page may keep its connection open for hours.
const BLOCKED_MS = 3_000;

/** Opens nothing yet. */
export function createDatabase<S extends Schema>(options: DatabaseOptions): Database<S> {
  let opening: Promise<IDBDatabase> | undefined;
  let opened = false;

  const forget = () => {
    opening = undefined;
  };

  const close = () => {
    const closing = opening?.then((db) => db.close()).catch(() => undefined);
    forget();
    return closing;
  };

  const step: Database<S>["step"] = async (what, run) => {
    try {
      opening ??= open(options, forget);
      const db = await opening;
      opened = true;
      const connection: Connection<S> = { transaction: (...given) => inTransaction(db, ...given) };
      return await withDeadline(run(connection), options.stepMs, () => late(what, options.stepMs));
    } catch (error) {
      const problem = storageError(error, what, options.quotaAdvice);
      // A connection that Safari's storage process lost never works again (WebKit 277615): the next step opens another.
      if (problem.code === "storage_unavailable") forget();
      throw problem;
    }
  };

  return {
    step,
    transaction: (what, stores, mode, run) => step(what, (connection) => connection.transaction(stores, mode, run)),
    hasOpened: () => opened,
    close,
    async destroy() {
      await close();
      const what = `delete the database ${options.name}`;
      const deleting = settled(indexedDB.deleteDatabase(options.name));
      await withDeadline(deleting, options.stepMs, () => late(what, options.stepMs));
    },
  };
}

// ---- opening -----------------------------------------------------------------------------------------------------

async function open(options: DatabaseOptions, onLost: () => void): Promise<IDBDatabase> {
  const { name, version, openMs } = options;
  if (typeof indexedDB === "undefined") throw unavailable("This browser has no IndexedDB here.", name);
  const request = indexedDB.open(name, version);
  const opened = settled(request);
  let blocked: ReturnType<typeof setTimeout> | undefined;
  const refused = new Promise<never>((_, reject) => {
    const message = `Another tab keeps the database ${name} open in an older version of the page. Close that tab.`;
    request.addEventListener("blocked", () => {
      blocked = setTimeout(() => reject(unavailable(message, name)), BLOCKED_MS);
    });
  });
  request.addEventListener("upgradeneeded", ({ oldVersion }) => {
    try {
      options.upgrade(request.result, oldVersion);
    } catch {
      // Thrown here it would be an uncaught error, which ends a worker. After an abort the open request fails.
      abort(request.transaction);
    }
  });
  try {
    const limited = Promise.race([opened, refused]);
    const db = await withDeadline(limited, openMs, () => late(`open the database ${name}`, openMs));
    db.addEventListener("close", onLost);
    // Another tab upgrades or deletes the database: let it, and open again when needed.
    db.addEventListener("versionchange", () => {
      db.close();
      onLost();
    });
    return db;
  } catch (error) {
    // A connection that opens later is not used, and must not block other tabs.
    void opened.then((db) => db.close()).catch(() => undefined);
    if (!isNamed(error, "VersionError")) throw error;
    throw unavailable(`The database ${name} was made by a newer version of the page. Reload the page.`, name, error);
  } finally {
    clearTimeout(blocked);
  }
}

// ---- transactions ------------------------------------------------------------------------------------------------

async function inTransaction<S extends Schema, T>(
  db: IDBDatabase,
  stores: string[],
  mode: Mode,
  run: (tx: Transaction<S>) => Promise<T>,
): Promise<T> {
  const durability = mode === "strict" ? "strict" : "relaxed";
  const tx = db.transaction(stores, mode === "read" ? "readonly" : "readwrite", { durability });
  const complete = new Promise<void>((resolve, reject) => {
    tx.addEventListener("complete", () => resolve());
    tx.addEventListener("abort", () =>
      reject(tx.error ?? new DOMException("The transaction was aborted.", "AbortError")),
    );
  });
  complete.catch(() => undefined);
  try {
    const result = await run(operations(tx));
    // Chrome reports a used-up quota at the commit only: the puts before it succeed.
    await complete;
    return result;
  } catch (error) {
    abort(tx);
    throw tx.error ?? error;
  }
}

function operations<S extends Schema>(tx: IDBTransaction): Transaction<S> {
  return {
    get: (store, key) => settled(tx.objectStore(store).get(key)),
    getKey: (store, key) => settled(tx.objectStore(store).getKey(key)),
    getAll: (store, range) => settled(tx.objectStore(store).getAll(range)),
    getAllKeys: (store, range) => settled(tx.objectStore(store).getAllKeys(range)),
    count: (store, range) => settled(tx.objectStore(store).count(range)),
    put: (store, row, key) => settled(tx.objectStore(store).put(row, key)),
    delete: (store, key) => settled(tx.objectStore(store).delete(key)),
    clear: (store) => settled(tx.objectStore(store).clear()),
    commit: () => tx.commit(),
  };
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error));
  });
}

function abort(tx: IDBTransaction | null): void {
  try {
    tx?.abort();
  } catch {
    // It has ended already.
  }
}

// ---- errors ------------------------------------------------------------------------------------------------------

const isNamed = (error: unknown, name: string) => error instanceof Error && error.name === name;

const unavailable = (message: string, name: string, cause?: unknown) =>
  new InsituError("storage_unavailable", message, { name, final: true }, { cause });

const late = (what: string, ms: number) =>
  new InsituError("storage_unavailable", `IndexedDB did not ${what} within ${ms / 1000} s.`, { what, ms, final: true });

function storageError(error: unknown, what: string, advice = "Free space on the device."): InsituError {
  if (!isNamed(error, "QuotaExceededError"))
    return asInsituError(error, "storage_unavailable", `IndexedDB could not ${what}`, { what });
  const message = `The browser's storage quota for this site is used up: IndexedDB could not ${what}. ${advice}`;
  return new InsituError("storage_quota", message, { what }, { cause: error });
}
