// Reads the scalar values of OTLP's JSON from unknown input; each reader returns the value or throws what it expected.
import { MAX_ATTRIBUTES } from "./limits.js";
import type { Attributes } from "./records.js";
import { Unusable } from "./unusable.js";

export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function fields(value: unknown, what: string): Fields {
  if (!isFields(value)) throw new Unusable(`${what} must be an object, not ${describe(value)}`);
  return value;
}

/** A repeated field; absent means empty, as in protobuf. */
export function list(value: unknown, what: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new Unusable(`${what} must be an array, not ${describe(value)}`);
  return value;
}

/** A string, shortened to `limit` characters; absent means empty. */
export function text(value: unknown, what: string, limit: number): string {
  if (value === undefined || value === null) return "";
  if (typeof value !== "string") throw new Unusable(`${what} must be a string, not ${describe(value)}`);
  return cut(value, limit);
}

/** A double: a number, or a string that protobuf's JSON allows (`"1.5"`); never infinite or NaN. */
export function double(value: unknown, what: string): number {
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof number !== "number" || !Number.isFinite(number))
    throw new Unusable(`${what} must be a finite number, not ${describe(value)}`);
  return number;
}

/** A 64-bit integer that counts something: a decimal string (the rule) or a number, from 0 to 2^53 - 1. */
export function count(value: unknown, what: string): number {
  const number = typeof value === "string" && /^\d{1,20}$/.test(value) ? Number(value) : value;
  if (typeof number !== "number" || !Number.isSafeInteger(number) || number < 0)
    throw new Unusable(`${what} must be an integer from 0 to 2^53 - 1, not ${describe(value)}`);
  return number;
}

/** Nanoseconds since 1970, 64 bits, as a decimal string without leading zeros; absent means "0", as in protobuf. */
export function nanos(value: unknown, what: string): string {
  if (value === undefined || value === null) return "0";
  const isText = typeof value === "string" && /^\d{1,20}$/.test(value);
  // A number has lost its last digits, a quarter of a microsecond.
  const time = isText || (typeof value === "number" && Number.isInteger(value)) ? BigInt(value) : -1n;
  if (time >= 0n && time < 2n ** 64n) return time.toString();
  throw new Unusable(
    `${what} must be nanoseconds since 1970 as a decimal string of 64 bits, not ${describe(value)}`,
    "time",
  );
}

/** An enum: its number (the rule) or its name, which protobuf's JSON allows as well. */
export function oneOf<T>(value: unknown, what: string, choices: readonly (readonly [number, string, T])[]): T {
  const found = choices.find(([number, name]) => value === number || value === name);
  if (!found) throw new Unusable(`${what} must be ${choices.map(([n, name]) => `${n} (${name})`).join(" or ")}`);
  return found[2];
}

/** Key-value pairs sorted by key; of a repeated key the last counts, empty values are left out. */
export function attributes(value: unknown, what: string, limit: number, max = MAX_ATTRIBUTES): Attributes {
  const pairs = list(value, what);
  if (pairs.length > max)
    throw new Unusable(`${what} has ${pairs.length} entries; at most ${max} are allowed`, "limit");
  const byKey = new Map<string, string>();
  for (const pair of pairs) {
    const { key, value: any } = fields(pair, `an entry of ${what}`);
    const name = typeof key === "string" ? cut(key, limit) : "";
    if (name === "") throw new Unusable(`an entry of ${what} has no key`);
    const shown = cut(anyValue(any), limit);
    if (shown !== "") byKey.set(name, shown);
  }
  return [...byKey].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** OTLP's AnyValue as a string: scalars as they are, arrays and maps as JSON. */
export function anyValue(value: unknown): string {
  const plain = toPlain(value, 0);
  if (plain === null) return "";
  return typeof plain === "string" ? plain : JSON.stringify(plain);
}

// Deeper nesting is not a useful attribute, and recursion on unknown input needs a limit.
const MAX_DEPTH = 4;

function toPlain(value: unknown, depth: number): unknown {
  if (!isFields(value) || depth > MAX_DEPTH) return null;
  if (typeof value.stringValue === "string") return value.stringValue;
  if (typeof value.boolValue === "boolean") return value.boolValue;
  // As text: a 64-bit integer does not fit a JavaScript number.
  if (typeof value.intValue === "string" || typeof value.intValue === "number") return String(value.intValue);
  if (typeof value.doubleValue === "number" || typeof value.doubleValue === "string") return String(value.doubleValue);
  if (typeof value.bytesValue === "string") return value.bytesValue;
  if (isFields(value.arrayValue)) return plainList(value.arrayValue.values, (one) => toPlain(one, depth + 1));
  if (isFields(value.kvlistValue))
    return plainList(value.kvlistValue.values, (pair) =>
      isFields(pair) && typeof pair.key === "string" ? [pair.key, toPlain(pair.value, depth + 1)] : null,
    );
  return null;
}

function plainList(values: unknown, toOne: (value: unknown) => unknown): unknown[] {
  return Array.isArray(values) ? values.map(toOne) : [];
}

/** At most `limit` characters that every store takes: no half surrogate pair (no valid UTF-8), no NUL. */
export function cut(value: string, limit: number): string {
  return value.slice(0, limit).toWellFormed().replaceAll("\0", "");
}

function describe(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : JSON.stringify(cut(String(value), 40));
}
