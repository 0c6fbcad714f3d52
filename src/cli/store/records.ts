// The history of a channel file: one record per release, created once. The records decide; the file itself is a copy of the newest.
import { InsituError } from "../../shared/errors.js";
import { randomHex } from "../../shared/hex.js";
import { isObject } from "../../shared/json-fields.js";
import { MAX_CHANNEL_BYTES } from "../../shared/rollout/parse-channel.js";
import { folderOf, nameOf, type ObjectStore } from "./object-store.js";

/** Who changed something, when and why. */
export interface Change {
  release: number;
  /** What was done: start, raise, hold, promote, rollback, alias. */
  action: string;
  /** ISO 8601. */
  at: string;
  by: string;
  why: string;
  /** What is in force since then, in words. */
  summary: string;
}

/** A change with the text of the file that it led to, signatures included. */
export interface ChangeRecord extends Change {
  text: string;
}

export interface RecordList {
  /** By release. */
  records: ChangeRecord[];
  /** Records that cannot be read; their releases are not used again. */
  damaged: string[];
  /** The highest release that has a record, damaged ones included; -1 without any. */
  highest: number;
}

// The text of a channel as a JSON string, in which a control character has six bytes, and the words about it.
const MAX_RECORD_BYTES = 8 * MAX_CHANNEL_BYTES;
const NUMBER = /^(\d{16})\.json$/;
const WIDTH = 16;

/** Where the records of the file `key` lie: `history/channel/` beside `channel.json`. */
export const recordsOf = (key: string): string => `${folderOf(key)}history/${nameOf(key).replace(/\.json$/, "")}/`;

const recordKey = (key: string, release: number): string =>
  `${recordsOf(key)}${String(release).padStart(WIDTH, "0")}.json`;

/** The newest record, or all of them. */
export async function readRecords(store: ObjectStore, key: string, only?: "newest"): Promise<RecordList> {
  const folder = recordsOf(key);
  const numbers = (await store.list(folder))
    .flatMap((entry) => NUMBER.exec(entry.key.slice(folder.length))?.[1] ?? [])
    .sort();
  const records: ChangeRecord[] = [];
  const damaged: string[] = [];
  for (const number of numbers.toReversed()) {
    if (only && records.length > 0) break;
    const at = `${folder}${number}.json`;
    const found = await store.read(at, MAX_RECORD_BYTES).catch(() => undefined);
    const record = found && parseRecord(found.bytes.toString("utf8"), Number(number));
    if (record) records.unshift(record);
    else damaged.push(store.where(at));
  }
  return { records, damaged, highest: Number(numbers.at(-1) ?? -1) };
}

function parseRecord(text: string, release: number): ChangeRecord | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (!isObject(value)) return undefined;
    const { action, at, by, why, summary, text: content } = value;
    const words = [action, at, by, why, summary, content];
    if (!words.every((word) => typeof word === "string")) return undefined;
    if (value.release !== release || Number.isNaN(Date.parse(at as string))) return undefined;
    return { release, action, at, by, why, summary, text: content } as ChangeRecord;
  } catch {
    return undefined;
  }
}

/**
 * Makes the release: its record is created, and only one writer can do that for a number. Returns false when another one has. Then the
 * file is replaced; a writer that is killed before leaves that to the next.
 */
export async function commitRecord(store: ObjectStore, key: string, record: ChangeRecord): Promise<boolean> {
  const name = recordKey(key, record.release);
  // The id tells two records with the same words apart.
  const bytes = Buffer.from(`${JSON.stringify({ ...record, id: randomHex(8) }, null, 2)}\n`);
  if (Buffer.byteLength(record.text) > MAX_CHANNEL_BYTES || bytes.length > MAX_RECORD_BYTES) {
    const message = `${store.where(key)} would be larger than 64 KiB, the maximum for a channel. Use fewer arms or shorter words.`;
    throw new InsituError("model_too_large", message, { max: MAX_CHANNEL_BYTES });
  }
  const isCreated = await store.create(name, bytes);
  // A client that sends a request again after a lost answer is refused by its own first one.
  if (!isCreated && !(await store.read(name, MAX_RECORD_BYTES))?.bytes.equals(bytes)) return false;
  await writeNewest(store, key);
  return true;
}

/**
 * Takes back the only release of a file, which is gone afterwards. Does nothing where another has been made since; where one is made at the
 * same moment, the file ends as the copy of that one.
 */
export async function withdrawRecord(store: ObjectStore, key: string, release: number): Promise<void> {
  const { records, highest } = await readRecords(store, key, "newest");
  const text = records.at(-1)?.text;
  if (highest !== release || text === undefined) return;
  await store.remove(recordKey(key, release));
  if ((await readFile(store, key)).text === text) await store.remove(key);
  await writeNewest(store, key);
}

/**
 * Makes the file the copy of its newest record. It looks again after each write: whoever replaces the file last has seen all records
 * that were made before, so that the file ends at the newest also when several writers come here at once.
 */
export async function writeNewest(store: ObjectStore, key: string): Promise<void> {
  for (;;) {
    const before = await readFile(store, key);
    const newest = (await readRecords(store, key, "newest")).records.at(-1);
    if (!newest || before.text === newest.text || before.release > newest.release) return;
    await store.replace(key, Buffer.from(newest.text), before.etag);
  }
}

/** The file as it lies there; -1 for a release that cannot be read. */
export async function readFile(
  store: ObjectStore,
  key: string,
): Promise<{ text?: string; etag?: string; release: number }> {
  const found = await store.read(key, MAX_CHANNEL_BYTES);
  if (!found) return { release: -1 };
  const text = found.bytes.toString("utf8").replace(/^\uFEFF/, "");
  return { text, etag: found.etag, release: releaseOf(text) };
}

function releaseOf(text: string): number {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) && Number.isSafeInteger(value.release) ? (value.release as number) : -1;
  } catch {
    return -1;
  }
}
