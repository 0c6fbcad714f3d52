// Stores the rows of personal models in a database of their own: in IndexedDB, or in memory where that cannot be opened.
import { type DBSchema, deleteDB, type IDBPDatabase, type IDBPTransaction, openDB } from "idb";
import { asInsituError, InsituError, isInsituError } from "../../shared/errors.js";
import { withDeadline } from "../lib/with-deadline.js";

/** One personal model; `model` is the base model's name. */
export interface ModelRow {
  model: string;
  name: string;
  /** Of the key that its examples and versions are encrypted with. */
  keyId: string;
  /** Counts changes other than new examples, so that changes by other tabs are noticed. */
  revision: number;
  /** The version in use; 0: none. */
  active: number;
  /** Number of the next version. */
  nextVersion: number;
}

/** Rows of earlier releases have other field names: see legacy-rows.ts. */
export interface ExampleRow {
  model: string;
  name: string;
  id: string;
  /** Epoch milliseconds. */
  addedAt: number;
  /** Counts up: the order of examples that one worker added within a millisecond. */
  order: number;
  /** Undefined until the first training that uses it. */
  heldOut?: boolean;
  /** Identifies what computed the embedding. */
  embedder: string;
  kept: boolean;
  /** Label, embedding and kept input, encrypted. */
  cipherText: ArrayBuffer;
}

export interface VersionRow {
  model: string;
  name: string;
  version: number;
  embedder: string;
  /** Everything else, encrypted. */
  cipherText: ArrayBuffer;
}

export interface Rows {
  models: ModelRow;
  examples: ExampleRow;
  versions: VersionRow;
}

export type TableName = keyof Rows;
export type Key = (string | number)[];

/** The operations of one transaction; nothing else may be awaited while it is open. */
export interface Change {
  get<T extends TableName>(table: T, key: Key): Promise<Rows[T] | undefined>;
  put<T extends TableName>(table: T, row: Rows[T]): Promise<void>;
  delete(table: TableName, key: Key): Promise<void>;
  /** The rows whose keys start with `prefix`. */
  all<T extends TableName>(table: T, prefix: Key): Promise<Rows[T][]>;
  keys(table: TableName, prefix: Key): Promise<Key[]>;
  count(table: TableName, prefix: Key): Promise<number>;
}

export type Mode = "read" | "relaxed" | "strict";

export interface PersonalDatabase {
  /** Runs one transaction. Rejects with `storage_quota`, `storage_unavailable`, or what `run` throws. */
  change<T>(what: string, mode: Mode, run: (change: Change) => Promise<T>): Promise<T>;
  /** Why rows are only in memory; undefined while IndexedDB works. */
  problem(): InsituError | undefined;
  /** Removes the database. */
  destroy(): Promise<void>;
}

interface Schema extends DBSchema {
  models: { key: Key; value: ModelRow };
  examples: { key: Key; value: ExampleRow };
  versions: { key: Key; value: VersionRow };
}

const KEYS: Record<TableName, string[]> = {
  models: ["model", "name"],
  examples: ["model", "name", "id"],
  versions: ["model", "name", "version"],
};
const PLACES = Object.keys(KEYS) as TableName[];
const SCHEMA = 1;
// An import of ten thousand examples takes seconds on a slow phone; what takes this long will not come.
const STEP_MS = 30_000;
// A connection that was lost heals with the next one; what does not in three stays broken.
const TRIES = 3;

export function openPersonalDatabase(database: string): PersonalDatabase {
  let opening: Promise<IDBPDatabase<Schema>> | undefined;
  let opened = false;
  let memory: Map<string, unknown> | undefined;
  let problem: InsituError | undefined;

  const open = () => {
    const connection = openDB<Schema>(database, SCHEMA, {
      upgrade(db) {
        for (const place of PLACES) db.createObjectStore(place, { keyPath: KEYS[place] });
      },
      blocking(_current, _blocked, event) {
        (event.target as IDBDatabase).close();
        opening = undefined;
      },
      terminated() {
        opening = undefined;
      },
    });
    opening = connection;
    return connection;
  };

  const inDatabase = async <T>(what: string, mode: Mode, run: (change: Change) => Promise<T>): Promise<T> => {
    let left = TRIES;
    for (;;) {
      try {
        const db = await withDeadline(opening ?? open(), STEP_MS, what);
        opened = true;
        return await withDeadline(inTransaction(db, mode, run), STEP_MS, what);
      } catch (error) {
        const told = storageError(error, what);
        if (told.code !== "storage_unavailable") throw told;
        opening = undefined;
        left -= 1;
        if (left === 0 || told.data.final) throw told;
      }
    }
  };

  return {
    problem: () => problem,
    async change(what, mode, run) {
      if (!memory) {
        try {
          return await inDatabase(what, mode, run);
        } catch (error) {
          // What is on the disk must not be shadowed by a memory that begins empty.
          if (opened || !isInsituError(error) || error.code !== "storage_unavailable") throw error;
          problem = error;
          memory = new Map();
        }
      }
      return run(changeOf(memory));
    },
    async destroy() {
      memory?.clear();
      if (problem) return;
      await opening?.then((db) => db.close()).catch(() => undefined);
      opening = undefined;
      await withDeadline(deleteDB(database), STEP_MS, "delete what was learned");
    },
  };
}

function storageError(error: unknown, what: string): InsituError {
  if (isInsituError(error)) return error;
  if (error instanceof Error && error.name === "QuotaExceededError") {
    const message = `The browser's storage quota for this site is used up: it could not ${what}. Nothing was lost. Remove examples or packages, or free space on the device.`;
    return new InsituError("storage_quota", message, { what }, { cause: error });
  }
  return asInsituError(error, "storage_unavailable", `IndexedDB could not ${what}`, { what });
}

type Writing = IDBPTransaction<Schema, TableName[], "readwrite">;

async function inTransaction<T>(db: IDBPDatabase<Schema>, mode: Mode, run: (change: Change) => Promise<T>): Promise<T> {
  const isRead = mode === "read";
  const durability = mode === "strict" ? "strict" : "relaxed";
  const tx = db.transaction(PLACES, isRead ? "readonly" : "readwrite", { durability }) as Writing;
  const result = run(changeIn(tx)).then(
    (value) => {
      // At once: the browser would wait for whether more is asked.
      if (!isRead) tx.commit();
      return value;
    },
    (error: unknown) => {
      abort(tx);
      throw error;
    },
  );
  // Chrome raises quota trouble at commit only.
  const [value] = await Promise.all([result, tx.done]);
  return value;
}

function abort(tx: Writing): void {
  try {
    tx.abort();
  } catch {
    // It has ended already.
  }
}

/** From the key itself to the last one that begins so: arrays come after numbers and texts. */
const range = (start: Key) => IDBKeyRange.bound(start, [...start, []]);

function changeIn(tx: Writing): Change {
  return {
    get: (place, key) => tx.objectStore(place).get(key) as Promise<never>,
    put: async (place, row) => void (await tx.objectStore(place).put(row as never)),
    delete: (place, key) => tx.objectStore(place).delete(key),
    all: (place, start) => tx.objectStore(place).getAll(range(start)) as Promise<never>,
    keys: (place, start) => tx.objectStore(place).getAllKeys(range(start)),
    count: (place, start) => tx.objectStore(place).count(range(start)),
  };
}

/** Without a way back: nothing here can fail halfway. */
function changeOf(memory: Map<string, unknown>): Change {
  const text = (place: TableName, key: Key) => JSON.stringify([place, ...key]);
  const startsWith = (start: string) => [...memory].filter(([key]) => key.startsWith(`${start.slice(0, -1)},`));
  return {
    get: async (place, key) => memory.get(text(place, key)) as never,
    async put(place, row) {
      const key = KEYS[place].map((part) => (row as unknown as Record<string, string>)[part] as string);
      memory.set(text(place, key), row);
    },
    delete: async (place, key) => void memory.delete(text(place, key)),
    all: async (place, start) => {
      const exact = start.length === KEYS[place].length ? [memory.get(text(place, start))].filter(Boolean) : [];
      return [...exact, ...startsWith(text(place, start)).map(([, row]) => row)] as never;
    },
    count: async (place, start) => startsWith(text(place, start)).length,
    keys: async (place, start) =>
      startsWith(text(place, start)).map(([key]) => (JSON.parse(key) as [TableName, ...Key]).slice(1)),
  };
}
