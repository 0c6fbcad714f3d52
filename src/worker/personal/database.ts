// Stores the rows of personal models in a database of their own: in IndexedDB, or in memory where that cannot be opened.
import type { InsituError } from "../../shared/errors.js";
import { createDatabase, type Database, type Mode, type Transaction } from "../../shared/indexed-db.js";
import { createFallback } from "../../shared/storage-fallback.js";

/** One personal model; `model` is the base model's name. */
export interface ModelRow {
  model: string;
  name: string;
  /** Random, for as long as nothing is forgotten: a write that began in another life must not commit. Earlier releases stored none. */
  life?: string;
  /** Counts removals of examples or of a class. */
  removals?: number;
  /** Counts removals of a class. */
  classRemovals?: number;
  /** Of the key that its examples and versions are encrypted with; empty until there is one. */
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

export interface PersonalDatabase {
  /** Runs one transaction. Rejects with `storage_quota`, `storage_unavailable`, or what `run` throws. */
  change<T>(what: string, mode: Mode, run: (change: Change) => Promise<T>): Promise<T>;
  /** Why rows are only in memory; undefined while IndexedDB works. */
  problem(): InsituError | undefined;
  /** Removes the database. */
  destroy(): Promise<void>;
}

type Schema = {
  models: { key: Key; value: ModelRow };
  examples: { key: Key; value: ExampleRow };
  versions: { key: Key; value: VersionRow };
};

const KEYS: Record<TableName, string[]> = {
  models: ["model", "name"],
  examples: ["model", "name", "id"],
  versions: ["model", "name", "version"],
};
const TABLES = Object.keys(KEYS) as TableName[];
const SCHEMA_VERSION = 1;
// An import of ten thousand examples takes seconds on a slow phone; what takes longer than this will not come.
const STEP_MS = 30_000;
// A lost connection heals with the next one; what does not heal in three stays broken.
const TRIES = 3;

export function openPersonalDatabase(name: string): PersonalDatabase {
  const database = createDatabase<Schema>({
    name,
    version: SCHEMA_VERSION,
    upgrade(db) {
      for (const table of TABLES) db.createObjectStore(table, { keyPath: KEYS[table] });
    },
    openMs: STEP_MS,
    stepMs: STEP_MS,
    quotaAdvice: "Nothing was lost. Remove examples or packages, or free space on the device.",
  });
  const memory = new Map<string, unknown>();
  const fallback = createFallback<PersonalDatabase["change"]>(
    (what, mode, run) => inDatabase(database, what, mode, run),
    (_what, _mode, run) => run(changeOf(memory)),
    {
      tries: TRIES,
      // An empty memory must not hide what is on the disk.
      mayFallBack: () => !database.hasOpened(),
    },
  );
  return {
    problem: fallback.problem,
    change: (what, mode, run) => fallback.use((change) => change(what, mode, run)),
    async destroy() {
      memory.clear();
      if (!fallback.problem()) await database.destroy();
    },
  };
}

function inDatabase<T>(
  database: Database<Schema>,
  what: string,
  mode: Mode,
  run: (change: Change) => Promise<T>,
): Promise<T> {
  return database.transaction(what, TABLES, mode, async (tx) => {
    const result = await run(changeIn(tx));
    // At once: the browser would first wait whether more is requested.
    if (mode !== "read") tx.commit();
    return result;
  });
}

/** From the key itself to the last one that starts with it: arrays sort after numbers and strings. */
const range = (start: Key) => IDBKeyRange.bound(start, [...start, []]);

function changeIn(tx: Transaction<Schema>): Change {
  return {
    get: (table, key) => tx.get(table, key) as Promise<never>,
    put: async (table, row) => void (await tx.put(table, row)),
    delete: async (table, key) => void (await tx.delete(table, key)),
    all: (table, start) => tx.getAll(table, range(start)) as Promise<never>,
    keys: (table, start) => tx.getAllKeys(table, range(start)),
    count: (table, start) => tx.count(table, range(start)),
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
