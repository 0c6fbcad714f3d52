// Stores the events of a ranker; they are all that is stored, since what was learned follows from them.
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

export function eventTable(storeName: string): Table<EventRow> {
  return createTable<EventRow>(`${storeName}-ranking`);
}

export interface EventLog {
  /** The stored events, the oldest first; at most the newest thousand. */
  read(): Promise<EventRow[]>;
  /** Adds `rows`, and removes the rows with the ids `removed`. All requests are made at once: a page that is unloaded could not make them later. */
  write(rows: EventRow[], removed?: Iterable<string>): Promise<void>;
  clear(): Promise<void>;
}

export function createEventLog(table: Table<EventRow>, model: string, name: string): EventLog {
  const isOwn = (row: EventRow) => row.model === model && row.name === name;
  return {
    async read() {
      return table.change(async (rows) => {
        const all = sortEvents((await rows.all()).filter(isOwn));
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
    clear: () =>
      table.change(async (rows) => {
        for (const row of await rows.all()) if (isOwn(row)) await rows.remove(row.id);
      }),
  };
}
