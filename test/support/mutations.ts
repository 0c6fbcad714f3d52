// Turns a valid document into hostile JSON text: missing, changed and added fields, and keys and numbers no object can hold.
import fc from "fast-check";

type Json = unknown;

// JSON.stringify writes neither of them, JSON.parse reads both.
const RAW: [marker: string, text: string][] = [
  ['"@proto"', '"__proto__"'],
  ['"@huge"', "1e999"],
  ['"@zero"', "-0"],
  ['"@long"', "0.1234567890123456789012345678901234567890"],
];

const keys = fc.oneof(
  fc.constantFrom(
    "@proto",
    "constructor",
    "prototype",
    "toString",
    "hasOwnProperty",
    "",
    "length",
    "0",
    "path",
    "size",
  ),
  fc.constantFrom(
    "sha256",
    "chunks",
    "name",
    "shape",
    "dtype",
    "image",
    "labels",
    "kind",
    "columns",
    "config",
    "layers",
  ),
  fc.string({ maxLength: 5 }),
);

const leaves: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom(null, true, false, "", "@proto", "@huge", "@zero", "@long", "constructor"),
  fc.constantFrom(0, 1, -1, 0.5, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 53 - 1, -(2 ** 60), 1e308, 5e-324),
  fc.constantFrom("../x", "/x", "//evil.example/x", "a\u0000b", "\ud800", "x".repeat(600), "%2e%2e/x", "data:,x"),
  fc.constantFrom("float32", "int32", "bool", "string", "float16", "uint8", "1.0.0", "2026-01-31", "f".repeat(64)),
  fc.string({ unit: "binary", maxLength: 8 }),
  fc.double(),
  fc.integer(),
);

/** Any JSON, with the keys and values that such documents have more often than chance would. */
export const hostile: fc.Arbitrary<Json> = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, depthIdentifier: "json" },
    leaves,
    fc.array(tie("value"), { maxLength: 4, depthIdentifier: "json" }),
    fc.dictionary(keys, tie("value"), { maxKeys: 4, depthIdentifier: "json" }),
  ),
})).value;

export type Change = { place: number; how: "delete" | "replace" | "insert" | "double"; key: string; value: Json };

export const changes: fc.Arbitrary<Change[]> = fc.array(
  fc.record({
    place: fc.nat(),
    how: fc.constantFrom("delete", "replace", "replace", "insert", "double"),
    key: keys,
    value: hostile,
  }),
  { minLength: 1, maxLength: 3 },
);

type Parent = Record<string | number, Json>;

/** Every place in the document, in order. */
function places(value: Json, found: [parent: Parent, key: string | number][] = []): typeof found {
  if (typeof value !== "object" || value === null) return found;
  for (const key of Array.isArray(value) ? value.keys() : Object.keys(value)) {
    found.push([value as Parent, key]);
    places((value as Parent)[key], found);
  }
  return found;
}

/** A copy of `document` with the changes, as text. */
export function mutate(document: Json, list: Change[]): string {
  const copy = structuredClone(document);
  for (const { place, how, key, value } of list) {
    const all = places(copy);
    const [parent, at] = all[place % Math.max(1, all.length)] ?? [];
    if (!parent || at === undefined) continue;
    if (how === "replace") parent[at] = value;
    else if (how === "insert" && Array.isArray(parent)) parent.splice(Number(at), 0, value);
    else if (how === "insert") parent[key] = value;
    else if (how === "double" && Array.isArray(parent)) parent.push(structuredClone(parent[at as number]));
    else if (Array.isArray(parent)) parent.splice(Number(at), 1);
    else delete parent[at];
  }
  return textOf(copy);
}

export function textOf(value: Json): string {
  return RAW.reduce((text, [marker, raw]) => text.replaceAll(marker, raw), JSON.stringify(value) ?? "null");
}

/** Damages text itself: cut off, or with something in its middle that does not belong there. */
export const damage: fc.Arbitrary<(text: string) => string> = fc
  .tuple(
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.constantFrom("cut", "insert", "drop"),
    fc.string({ maxLength: 4 }),
  )
  .map(([part, how, more]) => (text: string) => {
    const at = Math.floor(part * text.length);
    if (how === "cut") return text.slice(0, at);
    return text.slice(0, at) + (how === "insert" ? more : "") + text.slice(at + (how === "drop" ? 1 : 0));
  });
