// A small table in IndexedDB for the page; in memory once that fails, so that no call rejects or hangs.
import { createDatabase } from "../../shared/indexed-db.js";

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

// A page that ends waits for nobody.
const STEP_MS = 5_000;

/** The database `name` is created when it is first used. */
export function createTable<T extends { id: string }>(name: string): Table<T> {
  const database = createDatabase<{ rows: { key: string; value: T } }>({
    name,
    version: 1,
    upgrade: (db) => void db.createObjectStore("rows", { keyPath: "id" }),
    openMs: STEP_MS,
    stepMs: STEP_MS,
  });
  /** Once IndexedDB has failed, for good: a row must not be looked for in two places. */
  let memory: Map<string, T> | undefined;

  return {
    async change(run) {
      if (!memory) {
        try {
          return await database.transaction("change a table", ["rows"], "relaxed", async (tx) => {
            const result = await run({
              put: (row) => tx.put("rows", row),
              get: (id) => tx.get("rows", id),
              all: () => tx.getAll("rows"),
              remove: async (id) => void (await tx.delete("rows", id)),
            });
            // At once: the page may be ending.
            tx.commit();
            return result;
          });
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
