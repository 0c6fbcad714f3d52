// Checks the examples and versions of an exported file, which anyone may have written: each reader returns a value of its type, or throws.
import {
  type At,
  finite,
  integer,
  isObject,
  list,
  matching,
  object,
  oneOf,
  own,
  refuse,
  text,
  under,
} from "../../shared/json-fields.js";
import type { Head } from "./head.js";
import { withCurrentNames } from "./legacy-rows.js";
import type { StoredVersion } from "./record-cipher.js";
import { ARRAYS, type StoredInput } from "./stored-input.js";

export interface ExportedExample {
  id: string;
  label: string;
  /** Epoch milliseconds. */
  addedAt: number;
  heldOut?: boolean;
  embedder: string;
  vector: Float32Array;
  input?: { kept: StoredInput; parts: Uint8Array[] };
}

export interface ExportedVersion {
  facts: StoredVersion["facts"];
  embedder: string;
  head: Head;
}

/** In UTF-16 code units. */
export const MAX_LABEL_LENGTH = 200;
const MAX_LABELS = 10_000;
/** Numbers in an embedding; the largest model known has 4,096. */
const MAX_SIZE = 2 ** 16;

/** Takes the next `size` bytes of the payload. */
export type Take = (size: unknown, at: At) => Uint8Array;

const ID = /^[0-9a-f]{32}$/;
const EMBEDDER = /^[0-9a-f]{64}$/;
// The year 5138: a later point in time is a mistake.
const MAX_TIME = 1e14;

function label(value: unknown, at: At): string {
  const found = text(value, at);
  return found !== "" && found.length <= MAX_LABEL_LENGTH
    ? found
    : refuse(at, `must have 1 to ${MAX_LABEL_LENGTH} characters`);
}

const time = (value: unknown, at: At) => finite(value, at, 0, MAX_TIME);

function numbers(bytes: Uint8Array, at: At, isLimit = false): Float32Array {
  if (bytes.byteLength % 4 !== 0) refuse(at, "must be an array of 32-bit numbers");
  const found = new Float32Array(bytes.slice().buffer);
  const isValid = (value: number) => Number.isFinite(value) || (isLimit && value === Number.POSITIVE_INFINITY);
  return found.every(isValid) ? found : refuse(at, "has a value that is not a finite number");
}

export function readExample(value: unknown, at: At, take: Take): ExportedExample {
  const given = withCurrentNames(object(value, at), ["addedAt"]);
  const get = (key: string) => own(given, key);
  const heldOut = get("heldOut");
  if (heldOut !== undefined && typeof heldOut !== "boolean") refuse(under(at, "heldOut"), "must be true or false");
  const vector = numbers(take(get("vector"), under(at, "vector")), under(at, "vector"));
  if (vector.length === 0 || vector.length > MAX_SIZE) refuse(under(at, "vector"), `has ${vector.length} numbers`);
  const input = get("input");
  return {
    id: matching(get("id"), ID, "32 hex digits", under(at, "id")),
    label: label(get("label"), under(at, "label")),
    addedAt: time(get("addedAt"), under(at, "addedAt")),
    ...(typeof heldOut === "boolean" && { heldOut }),
    embedder: matching(get("embedder"), EMBEDDER, "64 hex digits", under(at, "embedder")),
    vector,
    ...(input !== undefined && { input: readInput(input, under(at, "input"), take) }),
  };
}

function readInput(value: unknown, at: At, take: Take): NonNullable<ExportedExample["input"]> {
  const given = object(value, at);
  const kind = oneOf(own(given, "kind"), ["image", "numbers"] as const, under(at, "kind"));
  const parts = list(own(given, "sizes"), under(at, "sizes")).map((size, index) =>
    take(size, under(under(at, "sizes"), index)),
  );
  if (kind === "image") {
    const type = oneOf(own(given, "type"), ["image/jpeg", "image/png", "image/webp"] as const, under(at, "type"));
    if (parts.length !== 1) refuse(at, "must have exactly one part");
    return { kept: { kind, type }, parts };
  }
  const arrays = list(own(given, "arrays"), under(at, "arrays")).map((item, index) => {
    const here = under(under(at, "arrays"), index);
    const array = object(item, here);
    const of = oneOf(own(array, "of"), ["float32", "int32", "uint8"] as const, under(here, "of"));
    const name = own(array, "name");
    if ((parts[index]?.byteLength ?? 0) % ARRAYS[of].BYTES_PER_ELEMENT !== 0) refuse(here, "is truncated");
    return { of, ...(name !== undefined && { name: text(name, under(here, "name")) }) };
  });
  if (arrays.length !== parts.length || arrays.length === 0) refuse(at, "must have as many parts as arrays");
  return { kept: { kind, arrays }, parts };
}

export function readVersion(value: unknown, at: At, take: Take): ExportedVersion {
  const given = withCurrentNames(object(value, at), ["trainedAt", "durationMs"]);
  const get = (key: string) => own(given, key);
  const labels = list(get("labels"), under(at, "labels")).map((item, index) =>
    label(item, under(under(at, "labels"), index)),
  );
  if (labels.length === 0 || labels.length > MAX_LABELS || new Set(labels).size !== labels.length)
    refuse(under(at, "labels"), "must name each class once");
  const size = integer(get("size"), under(at, "size"), 1);
  if (size > MAX_SIZE) refuse(under(at, "size"), `is ${size}, at most ${MAX_SIZE} is allowed`);
  const sizes = list(get("numbers"), under(at, "numbers"));
  const [weights, bias, means, limits] = [0, 1, 2, 3].map((index) => {
    const here = under(under(at, "numbers"), index);
    return numbers(take(sizes[index], here), here, index === 3);
  }) as [Float32Array, Float32Array, Float32Array, Float32Array];
  const k = labels.length;
  const fits = weights.length === k * size && means.length === k * size && bias.length === k && limits.length === k;
  if (!fits || sizes.length !== 4) refuse(under(at, "numbers"), "must fit the labels and the size");
  const kind = oneOf(get("head"), ["nearest-mean", "softmax"] as const, under(at, "head"));
  return {
    embedder: matching(get("embedder"), EMBEDDER, "64 hex digits", under(at, "embedder")),
    head: { kind, labels, size, weights, bias, means, limits },
    facts: { ...readFacts(given, at), head: kind, labels },
  };
}

const TRIGGERS = ["asked", "age", "accuracy", "examples", "update"] as const;
const MAX_REASON_LENGTH = 1_000;

function readFacts(given: Record<string, unknown>, at: At): Omit<StoredVersion["facts"], "head" | "labels"> {
  const get = (key: string) => own(given, key);
  const parent = get("parent");
  const before = get("before");
  const base = object(get("base"), under(at, "base"));
  const baseText = (key: string) => text(own(base, key), under(under(at, "base"), key)).slice(0, MAX_LABEL_LENGTH);
  return {
    version: integer(get("version"), under(at, "version"), 1),
    ...(parent !== undefined && { parent: integer(parent, under(at, "parent"), 1) }),
    trainedAt: time(get("trainedAt"), under(at, "trainedAt")),
    trigger: oneOf(get("trigger"), TRIGGERS, under(at, "trigger")),
    counts: readCounts(get("counts"), under(at, "counts")),
    judged: readJudged(get("judged"), under(at, "judged")),
    ...(before !== undefined && { before: readAccuracy(before, under(at, "before")) }),
    activated: get("activated") === true,
    reason: text(get("reason"), under(at, "reason")).slice(0, MAX_REASON_LENGTH),
    base: {
      name: baseText("name"),
      version: baseText("version"),
      digest: baseText("digest"),
      release: integer(own(base, "release"), under(under(at, "base"), "release"), 0),
    },
    durationMs: finite(get("durationMs"), under(at, "durationMs"), 0),
    backend: oneOf(get("backend"), ["webgpu", "wasm", "cpu"] as const, under(at, "backend")),
  };
}

function readCounts(value: unknown, at: At): StoredVersion["facts"]["counts"] {
  const entries = Object.entries(object(value, at)).map(([key, counts]) => {
    const here = under(at, key);
    const given = object(counts, here);
    const count = (name: string) => integer(own(given, name), under(here, name), 0);
    return [label(key, here), { trained: count("trained"), heldOut: count("heldOut") }] as const;
  });
  return Object.fromEntries(entries);
}

function readJudged(value: unknown, at: At): StoredVersion["facts"]["judged"] {
  const given = object(value, at);
  const kinds = (["nearest-mean", "softmax"] as const).filter((kind) => isObject(own(given, kind)));
  return Object.fromEntries(kinds.map((kind) => [kind, readAccuracy(own(given, kind), under(at, kind))]));
}

function readAccuracy(value: unknown, at: At) {
  const given = object(value, at);
  const interval = list(own(given, "interval"), under(at, "interval"));
  const examples = integer(own(given, "examples"), under(at, "examples"), 0);
  const correct = integer(own(given, "correct"), under(at, "correct"), 0);
  if (correct > examples) refuse(under(at, "correct"), "must be at most the number of examples");
  const end = (index: number) => finite(interval[index], under(under(at, "interval"), index), 0, 1);
  return {
    examples,
    correct,
    ...(examples > 0 && { accuracy: correct / examples }),
    interval: [end(0), end(1)] as [number, number],
  };
}
