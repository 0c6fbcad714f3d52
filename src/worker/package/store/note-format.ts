// The stored form of a note: its bytes and their hash, so that an altered note is noticed when it is read.
import { sha256 } from "../../lib/sha256.js";
import type { StoredBytes } from "./blob-or-bytes.js";

/** What is stored of a note's value. */
export interface SealedNote {
  /** A header as JSON, then the numbers of all typed arrays; see `toBytes`. Small ones are part of the row, others a file. */
  bytes: StoredBytes;
  /** Of `bytes`. */
  sha256: string;
}

/** Bytes. Reading a Blob is faster from here on; each is a file, which a row that is written often should not be. */
const LARGE = 65_536;

const ARRAYS = { Float32Array, Int32Array, Uint8Array };
type ArrayName = keyof typeof ARRAYS;

/** Stands for a typed array in the header: its type, and where its bytes begin and end behind the header. */
type ArrayPlace = { $array: [name: ArrayName, from: number, to: number] };

/** `value` is plain data as JSON has it, and typed arrays. */
export async function sealNote(value: unknown): Promise<SealedNote> {
  const bytes = toBytes(value);
  return { bytes: bytes.byteLength > LARGE ? new Blob([bytes]) : bytes, sha256: await sha256(bytes) };
}

/** The value, or undefined where the bytes are not those that were stored. Rejects where the browser cannot read them. */
export async function openNote({ bytes, sha256: expected }: SealedNote): Promise<{ value: unknown } | undefined> {
  const content = bytes instanceof Blob ? await bytes.arrayBuffer() : bytes;
  return (await sha256(content)) === expected ? { value: fromBytes(content) } : undefined;
}

/** Stands for a number that JSON does not have. */
type OddNumber = { $number: string };

/** Four bytes with the header's length, the header, the arrays. */
function toBytes(value: unknown): ArrayBuffer {
  const arrays: ArrayBufferView<ArrayBuffer>[] = [];
  let size = 0;
  const header = JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item === "number" && (!Number.isFinite(item) || Object.is(item, -0)))
      return { $number: item === 0 ? "-0" : String(item) } satisfies OddNumber;
    if (!ArrayBuffer.isView(item)) return item;
    const name = item.constructor.name as ArrayName;
    const place: ArrayPlace = { $array: [name, size, size + item.byteLength] };
    arrays.push(item as ArrayBufferView<ArrayBuffer>);
    size += item.byteLength;
    return place;
  });
  const text = new TextEncoder().encode(header);
  let at = LENGTH_BYTES + text.byteLength;
  // Not by way of a Blob, whose bytes come from another process: 0.4 ms, or more while this thread is busy.
  const bytes = new Uint8Array(at + size);
  bytes.set(new Uint8Array(Uint32Array.of(text.byteLength).buffer));
  bytes.set(text, LENGTH_BYTES);
  for (const { buffer, byteOffset, byteLength } of arrays) {
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), at);
    at += byteLength;
  }
  return bytes.buffer;
}

const LENGTH_BYTES = 4;

function fromBytes(content: ArrayBuffer): unknown {
  const [length = 0] = new Uint32Array(content, 0, 1);
  const header = new TextDecoder().decode(new Uint8Array(content, LENGTH_BYTES, length));
  const start = LENGTH_BYTES + length;
  return JSON.parse(header, (_key, item: unknown) => {
    const { $array, $number } = (item ?? {}) as Partial<ArrayPlace & OddNumber>;
    if ($number) return Number($number);
    if (!$array) return item;
    const [name, from, to] = $array;
    return new ARRAYS[name](content.slice(start + from, start + to));
  });
}
