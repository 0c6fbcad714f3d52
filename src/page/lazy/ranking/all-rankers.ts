// All rankers of this site in one place: which there are, and the end of all that they learned.
import type { Table } from "../../lib/idb-table.js";
import { type EventRow, eventTable } from "./event-log.js";
import { openTabChannel } from "./tab-channel.js";

export interface StoredRanker {
  model: string;
  name: string;
  events: number;
  /** As JSON; what the browser takes for them is its own business. */
  bytes: number;
}

export async function listRankers(
  storeName: string,
  table: Table<EventRow> = eventTable(storeName),
): Promise<StoredRanker[]> {
  const found = new Map<string, StoredRanker>();
  for (const row of await table.change((rows) => rows.all())) {
    const { model, name } = row;
    const key = JSON.stringify([model, name]);
    const entry = found.get(key) ?? { model, name, events: 0, bytes: 0 };
    found.set(key, { ...entry, events: entry.events + 1, bytes: entry.bytes + JSON.stringify(row).length });
  }
  return [...found.values()];
}

/** Also those that are open, in this page and in others. */
export async function forgetRankers(storeName: string, table: Table<EventRow> = eventTable(storeName)): Promise<void> {
  const kept = await listRankers(storeName, table);
  await table.change(async (rows) => {
    for (const { id } of await rows.all()) await rows.remove(id);
  });
  const unheard = { recorded: () => undefined, forgotten: () => undefined, imported: () => undefined };
  for (const { model, name } of kept) {
    const tabs = openTabChannel(`${storeName}-ranking`, model, name, unheard);
    tabs.forgotten();
    tabs.close();
  }
}
