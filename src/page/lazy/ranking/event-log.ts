// Stores the events of a ranker; they are all that is stored, since what was learned follows from them.
import { randomHex } from "../../../shared/hex.js";
import { createTable, type Table } from "../../lib/idb-table.js";
import type { RankingEvent } from "./types.js";

/** One event, with everything that learning from it needs: the items may be others by then. Stored rows have these field names. */
export interface EventRow {
  /** 128 random bits in hex. */
  id: string;
  /** Name of the base model. */
  model: string;
  /** Name of the ranker. */
  name: string;
  kind: RankingEvent["kind"];
  item: string;
  traits: string[];
  /** The base model's score, in standard deviations from the mean of all items. */
  base: number;
  position: number;
  /** Epoch milliseconds. */
  time: number;
  /** Identifies the page that recorded it: 64 random bits in hexadecimal. */
  visit: string;
  /** Counts the page's events. */
  order: number;
  /** Only of `dwelled`: milliseconds. */
  ms?: number;
}

export const MAX_EVENTS = 1_000;

/** The oldest first; events of the same millisecond are ordered by page, then by their number in it. */
export function sortEvents(rows: Iterable<EventRow>): EventRow[] {
  return [...rows].sort(
    (a, b) => a.time - b.time || (a.visit < b.visit ? -1 : a.visit > b.visit ? 1 : a.order - b.order),
  );
}

export function eventTable(storeName: string): Table<TableRow> {
  return createTable<TableRow>(`${storeName}-ranking`);
}

/** Stands in the table while an import is under way: an erase removes it too, and the import then stores nothing. */
interface ImportRow extends Pick<EventRow, "id" | "model" | "name" | "time"> {
  kind: "importing";
}

export type TableRow = EventRow | ImportRow;

export const isEvent = (row: TableRow): row is EventRow => row.kind !== "importing";

// An import takes milliseconds; what stands longer is of a page that crashed.
const MAX_IMPORT_MS = 3_600_000;

export interface EventLog {
  /** The stored events, the oldest first; at most the newest thousand. */
  read(): Promise<EventRow[]>;
  /** Adds `rows`, and removes the rows with the ids `removed`. All requests are made at once: a page that is unloaded could not make them later. */
  write(rows: EventRow[], removed?: Iterable<string>): Promise<void>;
  /** To be called before an import waits for anything. Returns what stores its rows: false when events were erased since. */
  beginImport(now: number): (rows: EventRow[], removed: Iterable<string>) => Promise<boolean>;
  clear(): Promise<void>;
}

export function createEventLog(table: Table<TableRow>, model: string, name: string): EventLog {
  const isOwn = (row: TableRow) => row.model === model && row.name === name;
  return {
    async read() {
      return table.change(async (rows) => {
        const all = sortEvents((await rows.all()).filter(isOwn).filter(isEvent));
        // Two tabs that received no messages from each other may have stored more.
        for (const { id } of all.slice(0, -MAX_EVENTS)) await rows.remove(id);
        return all.slice(-MAX_EVENTS);
      });
    },
    write: (added, removed = []) =>
      table.change(async (rows) => {
        // Not awaited one by one: the transaction ends also when the page is unloaded.
        for (const row of added) void Promise.resolve(rows.put(row)).catch(() => undefined);
        for (const id of removed) void rows.remove(id).catch(() => undefined);
      }),
    beginImport(now) {
      const mark: ImportRow = { id: randomHex(), model, name, kind: "importing", time: now };
      const begun = table.change(async (rows) => {
        for (const row of await rows.all())
          if (isOwn(row) && !isEvent(row) && now - row.time > MAX_IMPORT_MS) await rows.remove(row.id);
        await rows.put(mark);
      });
      return async (added, removed) => {
        await begun;
        return table.change(async (rows) => {
          if (!(await rows.get(mark.id))) return false;
          await rows.remove(mark.id);
          for (const row of added) await rows.put(row);
          for (const id of removed) await rows.remove(id);
          return true;
        });
      };
    },
    clear: () =>
      table.change(async (rows) => {
        for (const row of await rows.all()) if (isOwn(row)) await rows.remove(row.id);
      }),
  };
}
