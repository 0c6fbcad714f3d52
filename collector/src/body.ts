// Unpacks the bytes of a request within a limit and turns them into JSON or text; reports what is wrong with them.
import { promisify } from "node:util";
import { brotliDecompress, gunzip, inflate } from "node:zlib";
import { HttpError } from "./errors.js";
import { MAX_BODY_BYTES, MAX_DEPTH } from "./limits.js";

/** By Content-Encoding. */
const DECODERS = new Map([
  ["gzip", promisify(gunzip)],
  ["x-gzip", promisify(gunzip)],
  ["deflate", promisify(inflate)],
  ["br", promisify(brotliDecompress)],
]);

/** `encoding` is the request's Content-Encoding; `onInflated` gets the size of what is parsed. Throws `HttpError` with 400, 413 or 415. */
export async function readJson(
  bytes: Buffer,
  encoding: string | undefined,
  onInflated: (bytes: number) => void,
): Promise<unknown> {
  const plain = await unpack(bytes, encoding, MAX_BODY_BYTES);
  onInflated(plain.length);
  if (isTooDeep(plain)) throw new HttpError(400, `The body is nested deeper than ${MAX_DEPTH} levels.`);
  try {
    // `fatal`: bytes that are not UTF-8 must not become replacement characters in labels.
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(plain));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new HttpError(400, `The body is not JSON: ${reason}`, { cause });
  }
}

/** The text of a body of `max` bytes at most when unpacked. Throws `HttpError` with 400, 413 or 415. */
export async function readText(bytes: Buffer, encoding: string | undefined, max: number): Promise<string> {
  const plain = await unpack(bytes, encoding, max);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(plain);
  } catch (cause) {
    throw new HttpError(400, "The body is not UTF-8.", { cause });
  }
}

async function unpack(bytes: Buffer, encoding: string | undefined, max: number): Promise<Buffer> {
  const name = encoding?.trim().toLowerCase() || "identity";
  if (name === "identity") return bytes;
  const decode = DECODERS.get(name);
  if (!decode)
    throw new HttpError(415, `Content-Encoding "${encoding}" is not supported; use gzip, br, deflate or none.`);
  try {
    return await decode(bytes, { maxOutputLength: max });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE")
      throw new HttpError(413, `The body is larger than ${max} bytes when unpacked; send less at once.`);
    throw new HttpError(400, `The body is not the ${name} data that its Content-Encoding announces.`, { cause });
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
// "[" and "{", "]" and "}" differ in this bit only.
const CASE = 0x20;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/** Reads bytes and does not recurse: what is nested too deeply must be refused before a function that recurses has it. */
function isTooDeep(json: Buffer): boolean {
  let depth = 0;
  let isString = false;
  for (let i = 0; i < json.length; i += 1) {
    const byte = json[i] as number;
    if (isString) {
      if (byte === BACKSLASH) i += 1;
      else if (byte === QUOTE) isString = false;
    } else if (byte === QUOTE) isString = true;
    else if ((byte | CASE) === OPEN) {
      depth += 1;
      if (depth > MAX_DEPTH) return true;
    } else if ((byte | CASE) === CLOSE) depth -= 1;
  }
  return false;
}
