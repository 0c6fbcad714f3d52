// Lists all rankers of this site, and removes everything that they learned.
import type { StoredRanker } from "../../../shared/types/personal.js";
import type { Table } from "../../lib/idb-table.js";
import { eventTable, isEvent, type TableRow } from "./event-log.js";
import { openTabChannel } from "./tab-channel.js";

export async function listRankers(
  storeName: string,
  table: Table<TableRow> = eventTable(storeName),
): Promise<StoredRanker[]> {
  const found = new Map<string, StoredRanker>();
  for (const row of (await table.change((rows) => rows.all())).filter(isEvent)) {
    const { model, name } = row;
    const key = JSON.stringify([model, name]);
    const entry = found.get(key) ?? { kind: "ranker", model, name, events: 0, bytes: 0 };
    found.set(key, { ...entry, events: entry.events + 1, bytes: entry.bytes + JSON.stringify(row).length });
  }
  return [...found.values()];
}

/** Removes the events of all rankers, and resets those that are open in this page or another one. */
export async function forgetRankers(storeName: string, table: Table<TableRow> = eventTable(storeName)): Promise<void> {
  const stored = await listRankers(storeName, table);
  await table.change(async (rows) => {
    for (const { id } of await rows.all()) await rows.remove(id);
  });
  const listener = { recorded: () => undefined, forgotten: () => undefined, imported: () => undefined };
  for (const { model, name } of stored) {
    const tabs = openTabChannel(`${storeName}-ranking`, model, name, listener);
    tabs.forgotten();
    tabs.close();
  }
}
