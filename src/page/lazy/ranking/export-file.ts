// What was recorded as one JSON file that says of itself what it is, and the check of such a file, which trusts nothing in it.
import { sha256 } from "../../../shared/sha256.js";
import { type EventRow, MAX_EVENTS } from "./event-log.js";
import { isName, isTraits } from "./item-index.js";
import type { Refuse } from "./refuse.js";
import type { RankingEvent } from "./types.js";

const FORMAT = "insitu-ranking";
const VERSION = 1;
// A thousand rows of 64 long traits would be more; of a catalogue's ten they are 0.4 MB.
const MAX_BYTES = 4_000_000;
// Two devices' clocks may differ.
const AHEAD_MS = 24 * 3600 * 1000;
// A list longer than this was not looked through.
const MAX_POSITION = 1e6;
// A deviation that a standardised score of a thousand million items cannot reach.
const MAX_BASE = 1e5;
const DAY_MS = 24 * 3600 * 1000;

/** What of a row is in the file: the ranker's name is the reader's to give. */
type FileRow = Omit<EventRow, "model" | "name">;

export async function toFile(model: string, rows: EventRow[]): Promise<Blob> {
  const events = rows.map(plain);
  const file = { format: FORMAT, version: VERSION, model, sha256: await digestOf(events), events };
  return new Blob([JSON.stringify(file)], { type: "application/json" });
}

/** The rows of a file, as those of the ranker `name`. Rejects with `input_invalid`. */
export async function fromFile(
  blob: Blob,
  { model, name, now }: { model: string; name: string; now: number },
  refuse: Refuse,
): Promise<EventRow[]> {
  const refused = (why: string, cause?: unknown): never => {
    const message = `The file was not taken: ${why}. Nothing has changed; export it again where it came from.`;
    return refuse("input_invalid", message, { reason: why }, cause);
  };
  if (!(blob instanceof Blob)) return refused("it is no Blob");
  if (blob.size > MAX_BYTES) return refused(`it has ${blob.size} bytes, the most is ${MAX_BYTES}`);
  const file = parse(await blob.text());
  if (!hasKeys(file, ["format", "version", "model", "sha256", "events"]) || file.format !== FORMAT) {
    return refused("it is no export of a ranker");
  }
  if (file.version !== VERSION) return refused(`it is of version ${JSON.stringify(file.version)}, not ${VERSION}`);
  if (file.model !== model) return refused(`it is of the model ${JSON.stringify(file.model)}, not of ${model}`);
  if (!Array.isArray(file.events) || file.events.length > MAX_EVENTS) {
    return refused(`its events are no list of at most ${MAX_EVENTS}`);
  }
  const events = file.events.map((row: unknown, index) => {
    const problem = problemOf(row, now);
    if (problem) return refused(`its event ${index} ${problem}`);
    return plain(row as FileRow);
  });
  if (new Set(events.map(({ id }) => id)).size !== events.length) return refused("an event is in it twice");
  if ((await digestOf(events)) !== file.sha256) return refused("its events are not those that it was made of");
  return events.map((row) => ({ ...row, model, name }));
}

/** Always the same keys in the same order, so that equal rows have equal bytes. */
function plain({ id, kind, item, traits, base, position, time, visit, order, ms }: FileRow): FileRow {
  return { id, kind, item, traits: [...traits], base, position, time, visit, order, ...(ms !== undefined && { ms }) };
}

const digestOf = (events: FileRow[]) => sha256(new TextEncoder().encode(JSON.stringify(events)));

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Exactly these of its own: what is called `__proto__` is a key too many. */
function hasKeys<K extends string>(value: unknown, keys: K[]): value is Record<K, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.keys(value).length === keys.length && keys.every((key) => Object.hasOwn(value, key));
}

const KINDS: RankingEvent["kind"][] = ["shown", "clicked", "dwelled", "dismissed"];
const KEYS = ["id", "kind", "item", "traits", "base", "position", "time", "visit", "order"] as const;

function problemOf(row: unknown, now: number): string | undefined {
  const dwelled = hasKeys(row, [...KEYS, "ms"]);
  if (!dwelled && !hasKeys(row, [...KEYS])) return "does not have the fields of one";
  const fields = row as Record<keyof FileRow, unknown>;
  if (!isHex(fields.id, 32) || !isHex(fields.visit, 16)) return "has a wrong id";
  if (!KINDS.includes(fields.kind as RankingEvent["kind"])) return "is of no known kind";
  if (dwelled !== (fields.kind === "dwelled")) return "has a time to dwell that is not its kind's";
  if (!isName(fields.item)) return "names no item";
  if (!isTraits(fields.traits)) return "has wrong traits";
  if (!isNumber(fields.base, -MAX_BASE, MAX_BASE)) return "has a wrong base score";
  if (!isWhole(fields.position, MAX_POSITION)) return "has a wrong place";
  if (!isNumber(fields.time, 0, now + AHEAD_MS)) return "has a wrong time";
  if (!isWhole(fields.order, Number.MAX_SAFE_INTEGER)) return "has a wrong number";
  if (dwelled && !isNumber(fields.ms, 0, DAY_MS)) return "has a wrong time to dwell";
  return undefined;
}

/** Throws `input_invalid` for an event that a page got wrong. */
export function checkEvent(event: RankingEvent, refuse: Refuse): void {
  const { kind, position, durationMs: ms } = event ?? {};
  const problem = !KINDS.includes(kind)
    ? `its kind is none of ${KINDS.join(", ")}`
    : !isWhole(position, MAX_POSITION)
      ? "its position is no whole number from 0"
      : kind === "dwelled" && !isNumber(ms, 0, Number.MAX_VALUE)
        ? "it has no milliseconds"
        : undefined;
  if (problem) refuse("input_invalid", `The event is not recorded: ${problem}.`, { event: { ...event } });
}

/** A page that was left open does not make an evening of a minute. */
export const dwellOf = (ms: number): number => Math.min(ms, DAY_MS);

const isNumber = (value: unknown, least: number, most: number) =>
  typeof value === "number" && value >= least && value <= most;
const isWhole = (value: unknown, most: number) => Number.isInteger(value) && isNumber(value, 0, most);
const isHex = (value: unknown, length: number) =>
  typeof value === "string" && value.length === length && /^[0-9a-f]+$/.test(value);
