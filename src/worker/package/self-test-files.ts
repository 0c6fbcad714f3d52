// Reads the two files of a self-test: inputs, and the outputs that are right for them.

import {
  type At,
  finite,
  integer,
  keyName,
  list,
  object,
  oneOf,
  own,
  parseJson,
  refuse,
  shape,
  show,
  text,
  under,
} from "../../shared/json-fields.js";
import type { TensorSpec } from "../../shared/types/manifest.js";
import type { Backend, DType, TensorData, TypedArray } from "../../shared/types/tensor.js";
import { seededNoise } from "./seeded-noise.js";
import { MAX_SELF_TEST_BYTES } from "./self-test-specs.js";

/** An output as it was recorded. */
export interface ExpectedOutput {
  dtype: DType;
  /** Of the whole output. */
  shape: number[];
  /** Every `stride`-th value of the output, from the first one. */
  data: TypedArray;
  stride: number;
  /** Places in `data` that are not compared: rounding alone turns them into something else. Ascending. */
  unstable: number[];
}

/** Inputs, and what the model must make of them. */
export interface SelfTest {
  inputs: Record<string, TensorData>;
  outputs: Record<string, ExpectedOutput>;
  tolerance: Record<Backend, number>;
}

/** Of all inputs together: 64 MiB, however small the file that asks for them. */
const MAX_SELF_TEST_NUMBERS = 2 ** 24;
/** Of one output; of larger ones every n-th value is kept. */
export const MAX_KEPT = 4096;
const DTYPES = ["float32", "int32", "bool"] as const satisfies readonly DType[];
const ARRAYS = { float32: Float32Array, int32: Int32Array, bool: Uint8Array, uint8: Uint8Array } as const;
const ADVICE = `Publish the folder as "insitu pack" wrote it.`;

// ---- the inputs --------------------------------------------------------------------------------------------------

/** The inputs in `text`, one for each of `specs`; a -1 at the front of a shape is 1, another -1 any size. Throws `model_format`. */
export function parseSelfTestInput(text: string, specs: TensorSpec[], where: string): Record<string, TensorData> {
  const root = rootOf(text, where);
  const given = object(parseJson(text, where, ADVICE), root);
  const unknown = Object.keys(given).find((name) => !specs.some((spec) => spec.name === name));
  if (unknown !== undefined) refuse(root, `names ${show(unknown)}, which is not an input of the model`);
  let total = 0;
  const parsed = specs.map((spec): [string, TensorData] => {
    const at = under(root, spec.name);
    const { dtype, sizes, length, given: input } = tensor(own(given, spec.name), at);
    if (dtype !== spec.dtype) refuse(under(at, "dtype"), `is ${dtype}, the model has ${spec.dtype}`);
    const fits =
      sizes.length === spec.shape.length &&
      spec.shape.every((size, axis) => (size === -1 ? axis > 0 || sizes[axis] === 1 : sizes[axis] === size));
    if (!fits) refuse(under(at, "shape"), `is [${sizes.join(", ")}], the model has [${spec.shape.join(", ")}]`);
    total += length;
    // Before anything is allocated: noise is as large as its shape says.
    if (total > MAX_SELF_TEST_NUMBERS)
      refuse(at, `brings the inputs to ${total} numbers, ${MAX_SELF_TEST_NUMBERS} is the maximum`);
    return [spec.name, { data: values(input, dtype, sizes, length, at), shape: sizes, dtype }];
  });
  return Object.fromEntries(parsed);
}

function values(given: Record<string, unknown>, dtype: DType, sizes: number[], length: number, at: At): TypedArray {
  const found = ["data", "noise", "bytes"].filter((key) => own(given, key) !== undefined);
  const [kind = ""] = found;
  if (found.length !== 1) refuse(at, "must have either data, noise or bytes");
  const here = under(at, kind);
  if (kind === "data") return decode(own(given, kind), dtype, length, here);
  const from = object(own(given, kind), here);
  // What is beyond these would become infinite, or wrap around.
  const max = dtype === "float32" ? 1e38 : 2 ** 31 - 1;
  const low = finite(own(from, "low"), under(here, "low"), -max, max);
  const high = finite(own(from, "high"), under(here, "high"), low, max);
  if (kind === "bytes") {
    // An image in a quarter of the size: 0 is low, 255 is high.
    const bytes = decode(own(from, "data"), "uint8", length, under(here, "data"));
    const values = new ARRAYS[dtype](length);
    for (const [index, byte] of bytes.entries()) values[index] = low + (byte * (high - low)) / 255;
    return values;
  }
  const seed = integer(own(from, "seed"), under(here, "seed"), 0);
  if (seed >= 2 ** 32) refuse(under(here, "seed"), `must be under 2^32, it is ${seed}`);
  return seededNoise({ seed, low, high }, sizes, dtype);
}

/** The part that inputs and outputs have in common. */
function tensor(value: unknown, at: At) {
  const given = object(value, at);
  const dtype = oneOf(own(given, "dtype"), DTYPES, under(at, "dtype"));
  const sizes = shape(own(given, "shape"), under(at, "shape"), 0);
  return { given, dtype, sizes, length: sizes.reduce((product, size) => product * size, 1) };
}

// ---- the outputs -------------------------------------------------------------------------------------------------

/**
 * The outputs in `text`: at least one of `specs`, and no other. Shape and dtype are those that the model gave when it was packed,
 * which may be others than it says of itself. Throws `model_format`.
 */
export function parseSelfTestOutputs(text: string, specs: TensorSpec[], where: string): Record<string, ExpectedOutput> {
  const root = rootOf(text, where);
  const given = object(parseJson(text, where, ADVICE), root);
  const names = Object.keys(given).map((name) => keyName(name, root));
  if (names.length === 0) refuse(root, "holds no output");
  return Object.fromEntries(
    names.map((name) => {
      const at = under(root, name);
      if (!specs.some((spec) => spec.name === name)) refuse(at, "is not an output of the model");
      return [name, expected(own(given, name), at)];
    }),
  );
}

function expected(value: unknown, at: At): ExpectedOutput {
  const { given, dtype, sizes, length } = tensor(value, at);
  const stride = own(given, "stride") === undefined ? 1 : integer(own(given, "stride"), under(at, "stride"), 1);
  const kept = Math.ceil(length / stride);
  if (kept < 1 || kept > MAX_KEPT) refuse(at, `keeps ${kept} values of ${length}; 1 to ${MAX_KEPT} can be compared`);
  const data = decode(own(given, "data"), dtype, kept, under(at, "data"), true);
  const skipped = own(given, "unstable");
  const unstable = skipped === undefined ? [] : places(skipped, kept, under(at, "unstable"));
  return { dtype, shape: sizes, data, stride, unstable };
}

function places(value: unknown, length: number, at: At): number[] {
  let before = -1;
  const found = list(value, at).map((item, index) => {
    const place = integer(item, under(at, index), before + 1);
    if (place >= length) refuse(under(at, index), `is ${place}, there are ${length} values`);
    before = place;
    return place;
  });
  return found.length < length ? found : refuse(at, "leaves nothing to compare");
}

// ---- numbers -----------------------------------------------------------------------------------------------------

function rootOf(text: string, url: string): At {
  const root: At = { url, field: "" };
  if (text.length > MAX_SELF_TEST_BYTES)
    refuse(root, `has ${text.length} characters, ${MAX_SELF_TEST_BYTES} is the maximum`);
  return root;
}

/** Base64 of exactly `length` numbers, little-endian as all platforms with a browser are. Outputs may be infinite. */
function decode(value: unknown, dtype: keyof typeof ARRAYS, length: number, at: At, isOutput?: boolean): TypedArray {
  const encoded = text(value, at);
  const bytes = length * ARRAYS[dtype].BYTES_PER_ELEMENT;
  // Before it is decoded: a text of the wrong length is not worth the memory.
  if (encoded.length !== Math.ceil(bytes / 3) * 4) refuse(at, `must be base64 of ${bytes} bytes (${length} ${dtype})`);
  const data = new ARRAYS[dtype](fromBase64(encoded, bytes, at));
  for (const [index, item] of data.entries()) {
    if (isOutput ? Number.isNaN(item) : !Number.isFinite(item))
      refuse(at, `holds ${item} at ${index}, which a self-test cannot compare`);
    if (dtype === "bool" && item > 1) refuse(at, `holds ${item} at ${index}, a bool is 0 or 1`);
  }
  return data;
}

function fromBase64(encoded: string, bytes: number, at: At): ArrayBuffer {
  let binary: string;
  try {
    binary = atob(encoded);
  } catch {
    return refuse(at, "is not base64");
  }
  // White space and missing padding pass atob.
  if (binary.length !== bytes) return refuse(at, `holds ${binary.length} bytes, ${bytes} are right`);
  const decoded = new Uint8Array(bytes);
  for (let index = 0; index < bytes; index += 1) decoded[index] = binary.charCodeAt(index);
  return decoded.buffer;
}
