// The rows of what was recorded, which are all that is stored: what is believed follows from them.

import { createTable, type Table } from "../../lib/idb-table.js";
import type { RankingEvent } from "./types.js";

/** One event, with all that learning from it needs: the catalogue may be another one by then. */
export interface EventRow {
  /** 128 random bits in hex. */
  id: string;
  /** Of the base model, and of the ranker. */
  model: string;
  name: string;
  kind: RankingEvent["kind"];
  item: string;
  traits: string[];
  /** The base model's score, in deviations from the catalogue's mean. */
  base: number;
  position: number;
  /** Milliseconds since 1970. */
  time: number;
  /** The page, in random hex, and the row's number in it. */
  visit: string;
  order: number;
  /** Milliseconds that were dwelled. */
  ms?: number;
}

export const MAX_EVENTS = 1_000;

/** The oldest first; what two pages recorded is told apart by when, then by page. */
export function sortEvents(rows: Iterable<EventRow>): EventRow[] {
  return [...rows].sort(
    (a, b) => a.time - b.time || (a.visit < b.visit ? -1 : a.visit > b.visit ? 1 : a.order - b.order),
  );
}

export function eventTable(storeName: string): Table<EventRow> {
  return createTable<EventRow>(`${storeName}-ranking`);
}

export interface EventLog {
  /** All that is stored, the oldest first; no more than the newest thousand. */
  read(): Promise<EventRow[]>;
  /** Starts at once, so that a page that ends has no part of it left to do. */
  write(rows: EventRow[], gone?: Iterable<string>): Promise<void>;
  clear(): Promise<void>;
}

export function createEventLog(table: Table<EventRow>, model: string, name: string): EventLog {
  const mine = (row: EventRow) => row.model === model && row.name === name;
  return {
    async read() {
      return table.change(async (rows) => {
        const all = sortEvents((await rows.all()).filter(mine));
        // Two tabs that did not hear of each other may have stored more.
        for (const { id } of all.slice(0, -MAX_EVENTS)) await rows.remove(id);
        return all.slice(-MAX_EVENTS);
      });
    },
    write: (added, gone = []) =>
      table.change(async (rows) => {
        // Not waited for one by one: a page that ends has no time for the answers, and the transaction has.
        for (const row of added) void Promise.resolve(rows.put(row)).catch(() => undefined);
        for (const id of gone) void rows.remove(id).catch(() => undefined);
      }),
    clear: () =>
      table.change(async (rows) => {
        for (const row of await rows.all()) if (mine(row)) await rows.remove(row.id);
      }),
  };
}
