// The file format of an exported personal model: a JSON header, the numbers after it, and a hash of both at the end.
import { InsituError, isInsituError } from "../../shared/errors.js";
import { toHex } from "../../shared/hex.js";
import { type At, integer, list, object, own, refuse, text, under } from "../../shared/json-fields.js";
import { sha256 } from "../../shared/sha256.js";
import { bytesOf } from "./aes-gcm.js";
import { type ExportedExample, type ExportedVersion, readExample, readVersion } from "./export-schema.js";

/** The content of such a file. */
export interface ExportedModel {
  /** Name of the base model. */
  model: string;
  examples: ExportedExample[];
  versions: ExportedVersion[];
  /** The version in use; 0: none. */
  active: number;
}

/** Every file begins with it: "insitu personal model, format 1". */
const MAGIC = new TextEncoder().encode("insituP1");
const HASH_BYTES = 32;
/** 10,000 examples with their images have this size. */
const MAX_BYTES = 512 * 2 ** 20;
const MAX_EXAMPLES = 100_000;
const MAX_VERSIONS = 100;

export async function toFile({ model, examples, versions, active }: ExportedModel): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  const append = (bytes: Uint8Array): number => parts.push(bytes) && bytes.byteLength;
  const header = {
    model,
    active,
    examples: examples.map(({ vector, input, ...facts }) => ({
      ...facts,
      vector: append(bytesOf(vector)),
      ...(input && { input: { ...input.kept, sizes: input.parts.map(append) } }),
    })),
    versions: versions.map(({ facts, embedder, head }) => ({
      ...facts,
      embedder,
      size: head.size,
      numbers: [head.weights, head.bias, head.means, head.limits].map((numbers) => append(bytesOf(numbers))),
    })),
  };
  const json = new TextEncoder().encode(JSON.stringify(header));
  const total = parts.reduce((sum, part) => sum + part.byteLength, 0);
  const file = new Uint8Array(MAGIC.length + 4 + json.length + total + HASH_BYTES);
  file.set(MAGIC);
  new DataView(file.buffer).setUint32(MAGIC.length, json.length, true);
  file.set(json, MAGIC.length + 4);
  let offset = MAGIC.length + 4 + json.length;
  for (const part of parts) {
    file.set(part, offset);
    offset += part.byteLength;
  }
  file.set(fromHex(await sha256(file.subarray(0, offset))), offset);
  return file;
}

/** Checks everything, also what the hash covers: anyone can compute a hash. Rejects with `input_invalid`. */
export async function fromFile(bytes: Uint8Array<ArrayBuffer>): Promise<ExportedModel> {
  if (bytes.length > MAX_BYTES) throw refused(`it has ${bytes.length} bytes, at most ${MAX_BYTES} are allowed`);
  if (bytes.length < MAGIC.length + 4 + HASH_BYTES || MAGIC.some((byte, index) => bytes[index] !== byte))
    throw refused("it is not an exported personal model");
  const end = bytes.length - HASH_BYTES;
  const hash = toHex(bytes.subarray(end));
  if ((await sha256(bytes.subarray(0, end))) !== hash) throw refused("it was altered or truncated");
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(MAGIC.length, true);
  const start = MAGIC.length + 4 + length;
  if (start > end) throw refused("its header is truncated");
  try {
    const header: unknown = JSON.parse(new TextDecoder().decode(bytes.subarray(MAGIC.length + 4, start)));
    return read(header, bytes.subarray(start, end));
  } catch (error) {
    if (isInsituError(error) && error.code === "input_invalid") throw error;
    throw refused(error instanceof Error ? error.message : String(error), error);
  }
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from({ length: hex.length / 2 }, (_, index) =>
    Number.parseInt(hex.slice(2 * index, 2 * index + 2), 16),
  );
}

function refused(why: string, cause?: unknown): InsituError {
  const message = `The file cannot be imported: ${why}. Export it again, and pass the file unchanged.`;
  return new InsituError("input_invalid", message, { why }, { cause });
}

function read(value: unknown, payload: Uint8Array): ExportedModel {
  const root: At = { url: "the file", field: "" };
  const header = object(value, root);
  let offset = 0;
  const take = (size: unknown, at: At): Uint8Array => {
    const bytes = integer(size, at, 0);
    if (offset + bytes > payload.length) refuse(at, "names more bytes than the file has");
    offset += bytes;
    return payload.slice(offset - bytes, offset);
  };
  const items = (key: string, max: number) => {
    const found = list(own(header, key), under(root, key));
    if (found.length > max) refuse(under(root, key), `has ${found.length} entries, at most ${max} are allowed`);
    return found.map((item, index) => ({ item, at: under(under(root, key), index) }));
  };
  // In the order in which they were written: their bytes follow each other.
  const examples = items("examples", MAX_EXAMPLES).map(({ item, at }) => readExample(item, at, take));
  const versions = items("versions", MAX_VERSIONS).map(({ item, at }) => readVersion(item, at, take));
  if (offset !== payload.length) refuse(root, `has ${payload.length - offset} bytes that the header does not name`);
  if (new Set(examples.map(({ id }) => id)).size !== examples.length)
    refuse(under(root, "examples"), "have an id that occurs twice");
  const model = text(own(header, "model"), under(root, "model"));
  return { model, examples, versions, active: integer(own(header, "active"), under(root, "active"), 0) };
}
