// The export file of a ranker: events as JSON with a hash. A file that is read is checked completely.
import { InsituError } from "../../../shared/errors.js";
import { sha256 } from "../../../shared/sha256.js";
import { type EventRow, MAX_EVENTS } from "./event-log.js";
import { isName, isTraits } from "./item-index.js";
import type { RankingEvent } from "./types.js";

const FORMAT = "insitu-ranking";
const VERSION = 1;
// A thousand events with ten traits each have 0.4 MB.
const MAX_BYTES = 4_000_000;
// The clocks of two devices may differ.
const MAX_AHEAD_MS = 24 * 3600 * 1000;
// No user looks through a longer list.
const MAX_POSITION = 1e6;
// A standardized score of a thousand million items cannot reach this.
const MAX_BASE = 1e5;
/** What a longer dwell counts as: a page that was left open does not mean hours of interest. */
export const MAX_DWELL_MS = 24 * 3600 * 1000;

/** A row without the names of the base model and the ranker: the file has the first once, and the importing ranker has the second. */
type FileRow = Omit<EventRow, "model" | "name">;

export async function toFile(model: string, rows: EventRow[]): Promise<Blob> {
  const events = rows.map(toFileRow);
  const file = { format: FORMAT, version: VERSION, model, sha256: await digestOf(events), events };
  return new Blob([JSON.stringify(file)], { type: "application/json" });
}

/** Returns the rows of a file as rows of the ranker `name`. Rejects with `input_invalid`. */
export async function fromFile(
  blob: Blob,
  { model, name, now }: { model: string; name: string; now: number },
): Promise<EventRow[]> {
  const refuse = (why: string): never => {
    const message = `The file cannot be imported: ${why}. Nothing was changed; export it again, and pass the file unchanged.`;
    throw new InsituError("input_invalid", message, { reason: why });
  };
  if (!(blob instanceof Blob)) return refuse("it is not a Blob");
  if (blob.size > MAX_BYTES) return refuse(`it has ${blob.size} bytes, at most ${MAX_BYTES} are allowed`);
  const file = parse(await blob.text());
  if (!hasKeys(file, ["format", "version", "model", "sha256", "events"]) || file.format !== FORMAT) {
    return refuse("it is not an exported ranker");
  }
  if (file.version !== VERSION) return refuse(`its version is ${JSON.stringify(file.version)}, not ${VERSION}`);
  if (file.model !== model)
    return refuse(`it belongs to the base model ${JSON.stringify(file.model)}, not to ${model}`);
  if (!Array.isArray(file.events) || file.events.length > MAX_EVENTS) {
    return refuse(`its events must be an array of at most ${MAX_EVENTS}`);
  }
  const events = file.events.map((row: unknown, index) => {
    const problem = problemOf(row, now);
    if (problem) return refuse(`its event ${index} ${problem}`);
    return toFileRow(row as FileRow);
  });
  if (new Set(events.map(({ id }) => id)).size !== events.length) return refuse("two of its events have the same id");
  if ((await digestOf(events)) !== file.sha256) return refuse("its events were altered");
  return events.map((row) => ({ ...row, model, name }));
}

/** Always the same keys in the same order, so that equal rows have equal hashes. */
function toFileRow({ id, kind, item, traits, base, position, time, visit, order, ms }: FileRow): FileRow {
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

/** Exactly these own keys: `__proto__` is one too many. */
function hasKeys<K extends string>(value: unknown, keys: K[]): value is Record<K, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.keys(value).length === keys.length && keys.every((key) => Object.hasOwn(value, key));
}

const KINDS: RankingEvent["kind"][] = ["shown", "clicked", "dwelled", "dismissed"];
const KEYS = ["id", "kind", "item", "traits", "base", "position", "time", "visit", "order"] as const;

function problemOf(row: unknown, now: number): string | undefined {
  const hasDuration = hasKeys(row, [...KEYS, "ms"]);
  if (!hasDuration && !hasKeys(row, [...KEYS])) return "does not have the fields of an event";
  const fields = row as Record<keyof FileRow, unknown>;
  if (!isHex(fields.id, 32) || !isHex(fields.visit, 16)) return "has an invalid id";
  if (!KINDS.includes(fields.kind as RankingEvent["kind"])) return "has an unknown kind";
  if (hasDuration !== (fields.kind === "dwelled")) return "has a duration that does not fit its kind";
  if (!isName(fields.item)) return "has an invalid item";
  if (!isTraits(fields.traits)) return "has invalid traits";
  if (!isNumber(fields.base, -MAX_BASE, MAX_BASE)) return "has an invalid base score";
  if (!isInteger(fields.position, MAX_POSITION)) return "has an invalid position";
  if (!isNumber(fields.time, 0, now + MAX_AHEAD_MS)) return "has an invalid time";
  if (!isInteger(fields.order, Number.MAX_SAFE_INTEGER)) return "has an invalid order";
  if (hasDuration && !isNumber(fields.ms, 0, MAX_DWELL_MS)) return "has an invalid duration";
  return undefined;
}

/** Throws `input_invalid` for an event that is not one. */
export function checkEvent(event: RankingEvent): void {
  const { kind, position, durationMs } = event ?? {};
  const problem = !KINDS.includes(kind)
    ? `its kind must be one of ${KINDS.join(", ")}`
    : !isInteger(position, MAX_POSITION)
      ? "its position must be an integer of at least 0"
      : kind === "dwelled" && !isNumber(durationMs, 0, Number.MAX_VALUE)
        ? "its durationMs must be a number of at least 0"
        : undefined;
  if (problem)
    throw new InsituError("input_invalid", `The event was not recorded: ${problem}.`, { event: { ...event } });
}

const isNumber = (value: unknown, min: number, max: number) =>
  typeof value === "number" && value >= min && value <= max;
const isInteger = (value: unknown, max: number) => Number.isInteger(value) && isNumber(value, 0, max);
const isHex = (value: unknown, length: number) =>
  typeof value === "string" && value.length === length && /^[0-9a-f]+$/.test(value);
