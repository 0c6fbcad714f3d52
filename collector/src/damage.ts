// Tells when the database or its write-ahead log is damaged, or holds fewer requests than were stored.
import { closeSync, existsSync, openSync, readSync } from "node:fs";
import { open } from "node:fs/promises";

/** DuckDB's log begins with an entry that holds its version: field 100 is the type, 98. DuckDB ignores a log that begins otherwise. */
const LOG_BEGINS = Buffer.from([0x64, 0x00, 0x62, 0x65, 0x00]);

/** Throws when the log beside the database is one that DuckDB would silently ignore. An empty one is a new one. */
export function checkLog(path: string): void {
  const log = `${path}.wal`;
  if (!existsSync(log)) return;
  const bytes = Buffer.alloc(LOG_BEGINS.length);
  const file = openSync(log, "r");
  const length = readSync(file, bytes);
  closeSync(file);
  if (length > 0 && !bytes.equals(LOG_BEGINS)) throw new Error(`${log} does not begin as a write-ahead log`);
}

/** What to do when the database cannot be opened for `reason`; empty when it is not known. */
export function adviceFor(reason: string, path: string): string {
  const log = `${path}.wal`;
  if (/lock on file/i.test(reason)) return "Another collector has it open: end that one, or name another file.";
  if (/WAL|write-ahead log/.test(reason))
    return `The write-ahead log ${log} is damaged. Restore ${path} and ${log} from a backup; or move ${log} away and start again: then the requests since the last checkpoint are lost, and the log says how many.`;
  if (/corrupt|checksum|INTERNAL Error|not a valid DuckDB/i.test(reason))
    return `${path} is damaged, or is no database. Restore ${path} and ${log} from a backup; or move both away and start again with an empty database.`;
  return "";
}

/** A note beside the database: how many requests are stored in it. */
export interface Note {
  /** What it said when it was opened; 0 for a new one. */
  readonly before: number;
  /** Never rejects: the note is not worth a request. */
  write(requests: number): Promise<void>;
  close(): Promise<void>;
}

// The digits of 2^53; the length of the file never changes, so that a full disk does not matter.
const DIGITS = 16;

/**
 * The note is written after each commit, and so is never ahead of the database, unless the database or its log has lost something: DuckDB
 * drops the end of a log that is cut, and a log that is missing, without an error.
 */
export async function openNote(path: string): Promise<Note> {
  const file = `${path}.requests`;
  const handle = await open(file, existsSync(file) ? "r+" : "w+");
  const text = await handle.readFile("utf8");
  let isTold = false;
  return {
    before: /^\d+\n$/.test(text) ? Number(text) : 0,
    async write(requests) {
      try {
        await handle.write(`${String(requests).padStart(DIGITS, "0")}\n`, 0);
      } catch (error) {
        if (!isTold) console.error(`${file} cannot be written, so a damaged log would not be noticed:`, error);
        isTold = true;
      }
    },
    close: () => handle.close(),
  };
}
