// Reads fields out of JSON that nobody has checked: each reader returns a value of its type or refuses with `model_format`.
import { InsituError } from "./errors.js";

/** Where a value stands: the document's address and the path of the field in it. */
export interface At {
  url: string;
  field: string;
}

export function refuse({ url, field }: At, problem: string): never {
  throw new InsituError("model_format", `${url} cannot be used: ${field || "the document"} ${problem}.`, {
    url,
    field,
  });
}

export const under = (at: At, key: string | number): At => ({
  url: at.url,
  field: typeof key === "number" ? `${at.field}[${key}]` : at.field ? `${at.field}.${key}` : key,
});

/** Parses JSON; a host that answers unknown paths with its start page gets a message that says so. */
export function parseJson(text: string, url: string, advice: string, what = "model"): unknown {
  if (text.trimStart().startsWith("<")) {
    throw new InsituError(
      "model_format",
      `${url} is not a ${what}: the host answered with an HTML page, as many do for a path that does not exist. ${advice}`,
      { url, field: "" },
    );
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new InsituError("model_format", `${url} is not JSON (${detail}). ${advice}`, { url, field: "" }, { cause });
  }
}

/** The object's own property or undefined; what a prototype holds is never taken for content. */
export function own(value: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(value, key) ? value[key] : undefined;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function object(value: unknown, at: At): Record<string, unknown> {
  return isObject(value) ? value : refuse(at, `must be an object, it is ${show(value)}`);
}

export function list(value: unknown, at: At): unknown[] {
  return Array.isArray(value) ? value : refuse(at, `must be a list, it is ${show(value)}`);
}

export function filled(value: unknown, at: At): unknown[] {
  const items = list(value, at);
  return items.length > 0 ? items : refuse(at, "must not be empty");
}

export function text(value: unknown, at: At): string {
  return typeof value === "string" ? value : refuse(at, `must be a string, it is ${show(value)}`);
}

/** A string of a certain form; `form` says in words which. */
export function matching(value: unknown, pattern: RegExp, form: string, at: At): string {
  const found = text(value, at);
  return pattern.test(found) ? found : refuse(at, `must be ${form}, it is ${show(value)}`);
}

/** A name that becomes a key of plain objects: any string but the empty one and the one that would set a prototype. */
export function keyName(value: unknown, at: At): string {
  const name = text(value, at);
  return name !== "" && name !== "__proto__" ? name : refuse(at, `must be a name, it is ${show(value)}`);
}

export function finite(value: unknown, at: At, min = -Infinity, max = Infinity): number {
  if (typeof value === "number" && Number.isFinite(value) && value >= min && value <= max) return value;
  const range = min === -Infinity ? "" : max === Infinity ? ` of at least ${min}` : ` from ${min} to ${max}`;
  return refuse(at, `must be a number${range}, it is ${show(value)}`);
}

export function integer(value: unknown, at: At, min: number): number {
  if (Number.isSafeInteger(value) && (value as number) >= min) return value as number;
  return refuse(at, `must be an integer of at least ${min}, it is ${show(value)}`);
}

export function oneOf<T extends string>(value: unknown, choices: readonly T[], at: At): T {
  const found = choices.find((choice) => choice === value);
  return found ?? refuse(at, `must be one of ${choices.join(", ")}, it is ${show(value)}`);
}

/** `read(value)` when there is a value; an absent field stays absent. */
export function optional<T>(value: unknown, read: (value: unknown) => T): T | undefined {
  return value === undefined ? undefined : read(value);
}

/** Drops the keys that have no value, so that a parsed document has the keys that were written, and no others. */
export function compact<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as T;
}

export function unique(names: string[], at: At): void {
  const seen = new Set<string>();
  const twice = names.find((name) => seen.size === seen.add(name).size);
  if (twice !== undefined) refuse(at, `names ${show(twice)} twice`);
}

// tfjs kernels end at rank 6 and its data format at 8; more is a mistake or an attack.
const MAX_RANK = 8;
// 4 GiB of 32-bit numbers: no tensor may be larger than the largest package.
const MAX_ELEMENTS = 2 ** 30;

/** A shape whose sizes multiply to a number that can be allocated; `min` is -1 where a size may be open. */
export function shape(value: unknown, at: At, min: -1 | 0): number[] {
  const dims = list(value, at).map((dim, index) => integer(dim, under(at, index), min));
  if (dims.length > MAX_RANK) refuse(at, `must have at most ${MAX_RANK} sizes, it has ${dims.length}`);
  // A size of 0 would hide the others from the product.
  const elements = dims.reduce((product, dim) => product * Math.max(dim, 1), 1);
  if (elements > MAX_ELEMENTS) refuse(at, `stands for ${elements} numbers, ${MAX_ELEMENTS} is the maximum`);
  return dims;
}

// A quoted value longer than this would drown the message.
const MAX_SHOWN = 60;

export function show(value: unknown): string {
  if (value === undefined) return "missing";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object" && value !== null) return "an object";
  const shown = JSON.stringify(value) ?? typeof value;
  return shown.length > MAX_SHOWN ? `${shown.slice(0, MAX_SHOWN)}…` : shown;
}
