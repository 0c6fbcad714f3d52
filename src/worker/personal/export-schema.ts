// Checks the examples and versions of an exported file, which anybody may have written: each reader returns what it promises, or refuses.
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
} from "../package/json-fields.js";
import type { Head } from "./head.js";
import type { StoredVersion } from "./record-cipher.js";
import { ARRAYS, type StoredInput } from "./stored-input.js";

export interface ExportedExample {
  id: string;
  label: string;
  time: number;
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

/** Of a label, in UTF-16 units. */
export const MAX_LABEL_LENGTH = 200;
const MOST_LABELS = 10_000;
/** Numbers of an embedding; the largest model that we know has 4,096. */
const MOST_SIZE = 2 ** 16;

/** The next bytes of the payload, as many as a header says. */
export type Take = (size: unknown, where: At) => Uint8Array;

const ID = /^[0-9a-f]{32}$/;
const EMBEDDER = /^[0-9a-f]{64}$/;
// Until the year 5138: what is later is no time.
const LATEST = 1e14;

function label(value: unknown, at: At): string {
  const found = text(value, at);
  return found !== "" && found.length <= MAX_LABEL_LENGTH
    ? found
    : refuse(at, `must have 1 to ${MAX_LABEL_LENGTH} characters`);
}

const time = (value: unknown, at: At) => finite(value, at, 0, LATEST);

function numbers(bytes: Uint8Array, at: At, isLimit = false): Float32Array {
  if (bytes.byteLength % 4 !== 0) refuse(at, "is no row of 32-bit numbers");
  const found = new Float32Array(bytes.slice().buffer);
  const isFine = (value: number) => Number.isFinite(value) || (isLimit && value === Number.POSITIVE_INFINITY);
  return found.every(isFine) ? found : refuse(at, "holds a number that is none");
}

export function readExample(value: unknown, at: At, take: Take): ExportedExample {
  const given = object(value, at);
  const get = (key: string) => own(given, key);
  const heldOut = get("heldOut");
  if (heldOut !== undefined && typeof heldOut !== "boolean") refuse(under(at, "heldOut"), "must be true or false");
  const vector = numbers(take(get("vector"), under(at, "vector")), under(at, "vector"));
  if (vector.length === 0 || vector.length > MOST_SIZE) refuse(under(at, "vector"), `has ${vector.length} numbers`);
  const input = get("input");
  return {
    id: matching(get("id"), ID, "32 hex digits", under(at, "id")),
    label: label(get("label"), under(at, "label")),
    time: time(get("time"), under(at, "time")),
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
    if (parts.length !== 1) refuse(at, "must have one part");
    return { kept: { kind, type }, parts };
  }
  const arrays = list(own(given, "arrays"), under(at, "arrays")).map((item, index) => {
    const here = under(under(at, "arrays"), index);
    const array = object(item, here);
    const of = oneOf(own(array, "of"), ["float32", "int32", "uint8"] as const, under(here, "of"));
    const name = own(array, "name");
    if ((parts[index]?.byteLength ?? 0) % ARRAYS[of].BYTES_PER_ELEMENT !== 0) refuse(here, "is cut off");
    return { of, ...(name !== undefined && { name: text(name, under(here, "name")) }) };
  });
  if (arrays.length !== parts.length || arrays.length === 0) refuse(at, "must have as many parts as arrays");
  return { kept: { kind, arrays }, parts };
}

export function readVersion(value: unknown, at: At, take: Take): ExportedVersion {
  const given = object(value, at);
  const get = (key: string) => own(given, key);
  const labels = list(get("labels"), under(at, "labels")).map((item, index) =>
    label(item, under(under(at, "labels"), index)),
  );
  if (labels.length === 0 || labels.length > MOST_LABELS || new Set(labels).size !== labels.length)
    refuse(under(at, "labels"), "must name each class once");
  const size = integer(get("size"), under(at, "size"), 1);
  if (size > MOST_SIZE) refuse(under(at, "size"), `is ${size}, ${MOST_SIZE} is the most`);
  const sizes = list(get("numbers"), under(at, "numbers"));
  const [weights, bias, means, limits] = [0, 1, 2, 3].map((index) => {
    const here = under(under(at, "numbers"), index);
    return numbers(take(sizes[index], here), here, index === 3);
  }) as [Float32Array, Float32Array, Float32Array, Float32Array];
  const k = labels.length;
  const fits = weights.length === k * size && means.length === k * size && bias.length === k && limits.length === k;
  if (!fits || sizes.length !== 4) refuse(under(at, "numbers"), "do not fit the labels and the size");
  const kind = oneOf(get("head"), ["nearest-mean", "softmax"] as const, under(at, "head"));
  return {
    embedder: matching(get("embedder"), EMBEDDER, "64 hex digits", under(at, "embedder")),
    head: { kind, labels, size, weights, bias, means, limits },
    facts: { ...readFacts(given, at), head: kind, labels },
  };
}

const TRIGGERS = ["asked", "age", "accuracy", "examples", "update"] as const;
const MOST_REASON = 1_000;

function readFacts(given: Record<string, unknown>, at: At): Omit<StoredVersion["facts"], "head" | "labels"> {
  const get = (key: string) => own(given, key);
  const parent = get("parent");
  const before = get("before");
  const base = object(get("base"), under(at, "base"));
  const word = (key: string) => text(own(base, key), under(under(at, "base"), key)).slice(0, MAX_LABEL_LENGTH);
  return {
    version: integer(get("version"), under(at, "version"), 1),
    ...(parent !== undefined && { parent: integer(parent, under(at, "parent"), 1) }),
    trainedAt: time(get("trainedAt"), under(at, "trainedAt")),
    trigger: oneOf(get("trigger"), TRIGGERS, under(at, "trigger")),
    counts: readCounts(get("counts"), under(at, "counts")),
    judged: readJudged(get("judged"), under(at, "judged")),
    ...(before !== undefined && { before: judgement(before, under(at, "before")) }),
    activated: get("activated") === true,
    reason: text(get("reason"), under(at, "reason")).slice(0, MOST_REASON),
    base: {
      name: word("name"),
      version: word("version"),
      digest: word("digest"),
      release: integer(own(base, "release"), under(under(at, "base"), "release"), 0),
    },
    durationMs: finite(get("durationMs"), under(at, "durationMs"), 0),
    backend: oneOf(get("backend"), ["webgpu", "wasm", "cpu"] as const, under(at, "backend")),
  };
}

function readCounts(value: unknown, at: At): StoredVersion["facts"]["counts"] {
  const entries = Object.entries(object(value, at)).map(([key, count]) => {
    const here = under(at, key);
    const given = object(count, here);
    const whole = (name: string) => integer(own(given, name), under(here, name), 0);
    return [label(key, here), { trained: whole("trained"), heldOut: whole("heldOut") }] as const;
  });
  return Object.fromEntries(entries);
}

function readJudged(value: unknown, at: At): StoredVersion["facts"]["judged"] {
  const given = object(value, at);
  const kinds = (["nearest-mean", "softmax"] as const).filter((kind) => isObject(own(given, kind)));
  return Object.fromEntries(kinds.map((kind) => [kind, judgement(own(given, kind), under(at, kind))]));
}

function judgement(value: unknown, at: At) {
  const given = object(value, at);
  const interval = list(own(given, "interval"), under(at, "interval"));
  const examples = integer(own(given, "examples"), under(at, "examples"), 0);
  const correct = integer(own(given, "correct"), under(at, "correct"), 0);
  if (correct > examples) refuse(under(at, "correct"), "is more than there are examples");
  const end = (index: number) => finite(interval[index], under(under(at, "interval"), index), 0, 1);
  return {
    ...{ examples, correct },
    ...(examples > 0 && { accuracy: correct / examples }),
    interval: [end(0), end(1)] as [number, number],
  };
}
