// Requests that could not be sent, kept in this browser for another try, also by the site's next page.
import { createTable, type Rows } from "../../lib/idb-table.js";
import type { ExportRequest } from "./requests.js";

/** None of its methods rejects or hangs: where the browser stores nothing, memory is used as long as the page lives. */
export interface Outbox {
  /** Returns the oldest requests, which were removed to make space. */
  put(request: ExportRequest): Promise<ExportRequest[]>;
  /** Returns the oldest; those that are too old are removed, and passed to `onExpired`. */
  oldest(onExpired: (request: ExportRequest) => void): Promise<ExportRequest | undefined>;
  remove(id: string): Promise<void>;
  /** Removes all, and returns them. */
  clear(): Promise<ExportRequest[]>;
}

const MAX_REQUESTS = 500;
const MAX_BYTES = 1024 * 1024;
const MAX_AGE_MS = 7 * 24 * 3600 * 1000;

export function createOutbox(storeName: string): Outbox {
  const { change } = createTable<ExportRequest>(`${storeName}-telemetry`);
  return {
    put: (request) =>
      change(async (rows) => {
        await rows.put(request);
        const all = (await rows.all()).sort(byAge);
        let bytes = all.reduce((sum, { body }) => sum + body.length, 0);
        const removed = all.filter(({ body }, i) => {
          const isOver = bytes > MAX_BYTES || all.length - i > MAX_REQUESTS;
          if (isOver) bytes -= body.length;
          return isOver;
        });
        return removeAll(rows, removed);
      }),
    oldest: async (onExpired) => {
      const { expired, oldest } = await change(async (rows) => {
        const all = (await rows.all()).sort(byAge);
        const expired = await removeAll(rows, all.filter(isExpired));
        return { expired, oldest: all.find((request) => !isExpired(request)) };
      });
      expired.forEach(onExpired);
      return oldest;
    },
    remove: (id) => change((rows) => rows.remove(id)),
    clear: () => change(async (rows) => removeAll(rows, await rows.all())),
  };
}

/** Returns the requests. */
async function removeAll(rows: Rows<ExportRequest>, requests: ExportRequest[]): Promise<ExportRequest[]> {
  for (const { id } of requests) await rows.remove(id);
  return requests;
}

const byAge = (a: ExportRequest, b: ExportRequest) => a.at - b.at;

/** Also when the clock was set back: a request must not be kept for ever. */
const isExpired = ({ at }: ExportRequest) => Math.abs(Date.now() - at) > MAX_AGE_MS;
