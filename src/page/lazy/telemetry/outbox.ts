// Requests that could not be sent, kept in this browser for another try, also by the site's next page.
import { createTable } from "../../lib/idb-table.js";
import type { ExportRequest } from "./requests.js";

/** None of its methods rejects or hangs: where the browser keeps nothing, memory does as long as the page lives. */
export interface Outbox {
  /** Answers what had to go for it: the oldest. */
  put(parcel: ExportRequest): Promise<ExportRequest[]>;
  /** The oldest; those that are too old are removed, and handed to `onExpired`. */
  oldest(onExpired: (parcel: ExportRequest) => void): Promise<ExportRequest | undefined>;
  remove(id: string): Promise<void>;
  /** Removes all, and answers what that was. */
  clear(): Promise<ExportRequest[]>;
}

const MAX_PARCELS = 500;
const MAX_BYTES = 1024 * 1024;
const MAX_AGE_MS = 7 * 24 * 3600 * 1000;

export function createOutbox(storeName: string): Outbox {
  const table = createTable<ExportRequest>(`${storeName}-telemetry`);
  return {
    put: (parcel) =>
      table.change(async (rows) => {
        await rows.put(parcel);
        const all = (await rows.all()).sort(byAge);
        let bytes = all.reduce((sum, { body }) => sum + body.length, 0);
        const gone: ExportRequest[] = [];
        while (all.length - gone.length > MAX_PARCELS || bytes > MAX_BYTES) {
          const oldest = all[gone.length] as ExportRequest;
          bytes -= oldest.body.length;
          gone.push(oldest);
          await rows.remove(oldest.id);
        }
        return gone;
      }),
    oldest: async (onExpired) => {
      const { expired, oldest } = await table.change(async (rows) => {
        const all = (await rows.all()).sort(byAge);
        const expired = all.filter(isOld);
        for (const { id } of expired) await rows.remove(id);
        return { expired, oldest: all.find((parcel) => !isOld(parcel)) };
      });
      expired.forEach(onExpired);
      return oldest;
    },
    remove: (id) => table.change((rows) => rows.remove(id)),
    clear: () =>
      table.change(async (rows) => {
        const all = await rows.all();
        for (const { id } of all) await rows.remove(id);
        return all;
      }),
  };
}

const byAge = (a: ExportRequest, b: ExportRequest) => a.at - b.at;

/** A clock that was set back must not make them live for ever. */
const isOld = ({ at }: ExportRequest) => Math.abs(Date.now() - at) > MAX_AGE_MS;
