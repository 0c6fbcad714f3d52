// Stores on disk what could not be sent to a sink before the collector ended, and reads it at the next start.
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import type { Delivery } from "./sink.js";

export interface Kept {
  /** Returns the file's path. Throws when it cannot be written. */
  save(sink: string, deliveries: readonly Delivery[]): string;
  /** What was saved, once: the file is removed. */
  take(sink: string): Delivery[];
}

/** `data` is the database's file: the files are beside it. Null for a database in memory. */
export function createKept(data: string): Kept | null {
  if (data === ":memory:") return null;
  const fileOf = (sink: string) => `${data}.${sink}.queue`;
  return {
    save(sink, deliveries) {
      const file = fileOf(sink);
      // The owner only, since it holds what pages sent. Renamed when it is complete, so that a crash leaves no half file.
      const handle = openSync(`${file}.new`, "w", 0o600);
      try {
        for (const delivery of deliveries) writeSync(handle, `${JSON.stringify(delivery)}\n`);
        fsyncSync(handle);
      } finally {
        closeSync(handle);
      }
      renameSync(`${file}.new`, file);
      return file;
    },
    take(sink) {
      const file = fileOf(sink);
      try {
        const lines = readFileSync(file, "utf8").split("\n");
        rmSync(file);
        return lines.flatMap(deliveryOf);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") console.error(`Cannot read ${file}: ${error}`);
        return [];
      }
    },
  };
}

/** A line that is damaged is left out. */
function deliveryOf(line: string): Delivery[] {
  if (line === "") return [];
  try {
    const { body, items, path } = JSON.parse(line);
    if (typeof body !== "string" || !Number.isSafeInteger(items)) return [];
    return [{ body, items, ...(typeof path === "string" && { path }) }];
  } catch {
    return [];
  }
}
