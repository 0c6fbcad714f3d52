// The file that a personal model is exported to and imported from: one header in JSON, the numbers behind it, a hash of all at the end.
import { InsituError, isInsituError } from "../../shared/errors.js";
import { sha256 } from "../../shared/sha256.js";
import { type At, integer, list, object, own, refuse, text, under } from "../package/json-fields.js";
import { bytesOf } from "./aes-gcm.js";
import { type ExportedExample, type ExportedVersion, readExample, readVersion } from "./export-schema.js";

export interface Exported {
  /** Name of the base model. */
  model: string;
  examples: ExportedExample[];
  versions: ExportedVersion[];
  /** The version in use; 0: none. */
  active: number;
}

/** "insitu personal model, form 1"; what another program wrote does not begin so. */
const MAGIC = new TextEncoder().encode("insituP1");
const HASH_BYTES = 32;
/** Of the whole file: 10,000 examples with their pictures have this size. */
const MOST_BYTES = 512 * 2 ** 20;
const MOST_EXAMPLES = 100_000;
const MOST_VERSIONS = 100;

// ---- out ---------------------------------------------------------------------------------------------------------

export async function toFile({ model, examples, versions, active }: Exported): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  const place = (bytes: Uint8Array): number => parts.push(bytes) && bytes.byteLength;
  const header = {
    model,
    active,
    examples: examples.map(({ vector, input, ...facts }) => ({
      ...facts,
      vector: place(bytesOf(vector)),
      ...(input && { input: { ...input.kept, sizes: input.parts.map(place) } }),
    })),
    versions: versions.map(({ facts, embedder, head }) => ({
      ...facts,
      embedder,
      size: head.size,
      numbers: [head.weights, head.bias, head.means, head.limits].map((numbers) => place(bytesOf(numbers))),
    })),
  };
  const words = new TextEncoder().encode(JSON.stringify(header));
  const total = parts.reduce((sum, part) => sum + part.byteLength, 0);
  const file = new Uint8Array(MAGIC.length + 4 + words.length + total + HASH_BYTES);
  file.set(MAGIC);
  new DataView(file.buffer).setUint32(MAGIC.length, words.length, true);
  file.set(words, MAGIC.length + 4);
  let at = MAGIC.length + 4 + words.length;
  for (const part of parts) {
    file.set(part, at);
    at += part.byteLength;
  }
  const hash = await sha256(file.subarray(0, at));
  file.set(
    Uint8Array.from({ length: HASH_BYTES }, (_, index) => Number.parseInt(hash.slice(2 * index, 2 * index + 2), 16)),
    at,
  );
  return file;
}

// ---- in ----------------------------------------------------------------------------------------------------------

const ADVICE = "Export it again, and pass the file as it is.";

/** Everything in it is checked, also what its hash vouches for: anybody can hash. Rejects with `input_invalid`. */
export async function fromFile(bytes: Uint8Array<ArrayBuffer>): Promise<Exported> {
  const least = MAGIC.length + 4 + HASH_BYTES;
  if (bytes.length > MOST_BYTES) throw refused(`it has ${bytes.length} bytes, ${MOST_BYTES} are the most`);
  if (bytes.length < least || MAGIC.some((byte, index) => bytes[index] !== byte))
    throw refused("it is no file that a personal model was exported to");
  const end = bytes.length - HASH_BYTES;
  const hash = Array.from(bytes.subarray(end), (byte) => byte.toString(16).padStart(2, "0")).join("");
  if ((await sha256(bytes.subarray(0, end))) !== hash) throw refused("it was altered, or cut off");
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(MAGIC.length, true);
  const start = MAGIC.length + 4 + length;
  if (start > end) throw refused("its header is cut off");
  try {
    const header: unknown = JSON.parse(new TextDecoder().decode(bytes.subarray(MAGIC.length + 4, start)));
    return read(header, bytes.subarray(start, end));
  } catch (error) {
    if (isInsituError(error) && error.code === "input_invalid") throw error;
    throw refused(error instanceof Error ? error.message : String(error), error);
  }
}

function refused(why: string, cause?: unknown): InsituError {
  return new InsituError("input_invalid", `The file cannot be imported: ${why}. ${ADVICE}`, { why }, { cause });
}

function read(value: unknown, payload: Uint8Array): Exported {
  const root: At = { url: "the file", field: "" };
  const header = object(value, root);
  let at = 0;
  const take = (size: unknown, where: At): Uint8Array => {
    const bytes = integer(size, where, 0);
    if (at + bytes > payload.length) refuse(where, "says more bytes than there are");
    at += bytes;
    return payload.slice(at - bytes, at);
  };
  const items = (key: string, most: number) => {
    const found = list(own(header, key), under(root, key));
    return found.length > most ? refuse(under(root, key), `has ${found.length} entries, ${most} are the most`) : found;
  };
  // In the order in which they were written: the bytes follow each other.
  const examples = items("examples", MOST_EXAMPLES).map((item, index) =>
    readExample(item, under(under(root, "examples"), index), take),
  );
  const versions = items("versions", MOST_VERSIONS).map((item, index) =>
    readVersion(item, under(under(root, "versions"), index), take),
  );
  if (at !== payload.length) refuse(root, `holds ${payload.length - at} bytes that nothing names`);
  if (new Set(examples.map(({ id }) => id)).size !== examples.length) refuse(under(root, "examples"), "name one twice");
  const model = text(own(header, "model"), under(root, "model"));
  return { model, examples, versions, active: integer(own(header, "active"), under(root, "active"), 0) };
}
