// Knows a model file of another format by its first bytes, and tells its reader what to do instead of packing it.
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { InsituError } from "../shared/errors.js";
import { FORMATS, type ForeignFormat } from "./conversions.js";

/** As much as is read of a file's start, and of its end. */
const PEEK_BYTES = 64 * 1024;

type Format = keyof typeof FORMATS;

/** The format of a file that is not JSON; undefined for one that may be, or that is not known. Never throws. */
export function formatOfFile(path: string): Format | undefined {
  try {
    const { head, tail } = peek(path);
    return formatOfBytes(head, tail);
  } catch {
    // The caller reads the file, and reports what is wrong.
    return undefined;
  }
}

/** `model_format` that names the format and prints the commands. */
export function foreignFile(path: string, format: Format): InsituError {
  const { what, way }: ForeignFormat = FORMATS[format];
  const lines = way.map((line) => line.replace("FILE", quoted(path)));
  return new InsituError("model_format", [`${path} is ${what}.`, ...lines].join("\n"), {
    url: path,
    field: "",
    format,
  });
}

const quoted = (path: string): string => (/^[\w./@-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);

function peek(path: string): { head: Buffer; tail: Buffer } {
  const { size } = statSync(path);
  const file = openSync(path, "r");
  try {
    const read = (from: number) => {
      const buffer = Buffer.alloc(Math.min(PEEK_BYTES, size - from));
      return buffer.subarray(0, readSync(file, buffer, 0, buffer.length, from));
    };
    return { head: read(0), tail: read(Math.max(0, size - PEEK_BYTES)) };
  } finally {
    closeSync(file);
  }
}

const SIGNATURES: [format: Format, offset: number, bytes: string][] = [
  ["hdf5", 0, "\x89HDF\r\n\x1a\n"],
  ["tflite", 4, "TFL3"],
  ["gguf", 0, "GGUF"],
  ["gzip", 0, "\x1f\x8b"],
];

function formatOfBytes(head: Buffer, tail: Buffer): Format | undefined {
  const found = SIGNATURES.find(
    ([, offset, bytes]) => head.toString("latin1", offset, offset + bytes.length) === bytes,
  );
  if (found) return found[0];
  if (head.toString("latin1", 0, 4) === "PK\x03\x04") return formatOfZip(zipNames(head, tail));
  // Pickle's protocols 2 to 5.
  if (head[0] === 0x80 && (head[1] ?? 0) >= 2 && (head[1] ?? 9) <= 5) return "pickle";
  // A length of 64 bits, then JSON.
  if (head.length > 9 && head[8] === 0x7b && head.readUInt32LE(4) === 0) return "safetensors";
  return formatOfProtobuf(head);
}

// ---- zip ---------------------------------------------------------------------------------------------------------

function formatOfZip(names: string[]): Format {
  const has = (pattern: RegExp) => names.some((name) => pattern.test(name));
  if (has(/(^|\/)data\.pkl$/)) return "pytorch";
  if (has(/^config\.json$/) && has(/\.weights\.h5$/)) return "keras";
  return has(/(^|\/)model\.json$/) ? "tfjsZip" : "zip";
}

/** The names in local headers (`PK 3 4`, at byte 30) and in the central directory (`PK 1 2`, at byte 46), as far as they were read. */
function zipNames(head: Buffer, tail: Buffer): string[] {
  const names: string[] = [];
  for (const [bytes, mark, lengthAt, nameAt] of [
    [head, "PK\x03\x04", 26, 30],
    [tail, "PK\x01\x02", 28, 46],
  ] as const) {
    for (let at = bytes.indexOf(mark, 0, "latin1"); at >= 0 && at + nameAt <= bytes.length; ) {
      const start = at + nameAt;
      names.push(bytes.toString("utf8", start, start + bytes.readUInt16LE(at + lengthAt)));
      at = bytes.indexOf(mark, start, "latin1");
    }
  }
  return names;
}

// ---- protobuf ----------------------------------------------------------------------------------------------------

const [VARINT_1, BYTES_1, BYTES_2] = [0x08, 0x0a, 0x12];

/**
 * Protocol buffers have no signature: ONNX, SavedModel and Core ML begin with a version (field 1), a graph with its first node. In field 2
 * ONNX has the producer's name, the others a message.
 */
function formatOfProtobuf(head: Buffer): Format | undefined {
  const [tag, version = 0, next] = head;
  if (tag === BYTES_1) return isNode(head) ? "frozenGraph" : undefined;
  if (tag !== VARINT_1 || version >= 0x80) return undefined;
  if (next === BYTES_2 && !isText(head.subarray(4, 4 + (head[3] ?? 0)))) return version === 1 ? "savedModel" : "coreml";
  // Fields 2 to 8 of ONNX, all of them texts and messages.
  return next !== undefined && next % 8 === 2 && next >> 3 >= 2 && next >> 3 <= 8 ? "onnx" : undefined;
}

/** A node of a GraphDef: a message that begins with the node's name. */
function isNode(head: Buffer): boolean {
  const at = head.findIndex((byte, index) => index > 0 && byte < 0x80) + 1;
  return head[at] === BYTES_1 && isText(head.subarray(at + 2, at + 2 + (head[at + 1] ?? 0)));
}

const isText = (bytes: Buffer): boolean => bytes.length > 0 && bytes.every((byte) => byte >= 0x20 && byte < 0x7f);
