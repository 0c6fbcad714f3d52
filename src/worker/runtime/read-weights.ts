// Reads a model's weights out of its bytes while they arrive, one after the other, so that they are never in memory twice.
import { type WeightSpec, weightBytes } from "../package/topology.js";

export type WeightValues = Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;

export interface WeightReading {
  /** Called after each wait for bytes, during which others may have used the engine. */
  use?: () => Promise<void>;
  /** Weights that are not needed. */
  skip?: (name: string) => boolean;
  /** Where the values of a weight go at once; the view is asked for again after each wait. Undefined: to `onWeight`. */
  place?: (spec: WeightSpec) => (() => WeightValues) | undefined;
}

/**
 * Calls `onWeight` with the values of each weight. `isView` says that their memory is used for others once it returns. `chunks` are
 * the weights' bytes in order, cut anywhere; each chunk is valid until the next is requested. Throws where there are too few bytes or too many.
 */
export async function readWeights(
  specs: WeightSpec[],
  chunks: AsyncIterable<ArrayBuffer>,
  { use = async () => undefined, skip, place }: WeightReading,
  onWeight: (spec: WeightSpec, values: WeightValues, isView: boolean) => void,
): Promise<void> {
  const reader = new ByteReader(chunks[Symbol.asyncIterator](), use);
  try {
    for (const spec of specs) {
      const isSkipped = skip?.(spec.name);
      const target = isSkipped ? undefined : place?.(spec);
      if (target && !spec.quantization) {
        await reader.copy(() => bytesOf(target()));
        continue;
      }
      const bytes = await reader.take(weightBytes(spec));
      if (isSkipped) continue;
      const values = decode(bytes, spec, target?.());
      if (!target) onWeight(spec, values, values.buffer === bytes.buffer);
    }
    await reader.end();
  } finally {
    await reader.close();
  }
}

const bytesOf = ({ buffer, byteOffset, byteLength }: WeightValues) => new Uint8Array(buffer, byteOffset, byteLength);

/** Reads a stream of chunks in pieces of any length. */
class ByteReader {
  readonly #chunks: AsyncIterator<ArrayBuffer>;
  readonly #use: () => Promise<void>;
  #chunk = new Uint8Array(0);
  #offset = 0;
  /** For what no chunk has as a whole: used again, since the garbage collector would let hundreds of megabytes pile up. */
  #scratch = new Uint8Array(0);

  constructor(chunks: AsyncIterator<ArrayBuffer>, use: () => Promise<void>) {
    this.#chunks = chunks;
    this.#use = use;
  }

  /** A view into the chunk where possible, else a copy in memory that is used again; valid until the next call. */
  async take(length: number): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#offset === this.#chunk.length && length > 0) await this.#next();
    const start = this.#offset;
    // Views of four-byte numbers must begin at a multiple of four.
    if (start + length <= this.#chunk.length && (this.#chunk.byteOffset + start) % 4 === 0) {
      this.#offset += length;
      return this.#chunk.subarray(start, start + length);
    }
    if (this.#scratch.length < length) this.#scratch = new Uint8Array(length);
    const bytes = this.#scratch.subarray(0, length);
    await this.copy(() => bytes);
    return bytes;
  }

  /** Fills the view that `target` returns, which it is asked for again after each wait. */
  async copy(target: () => Uint8Array): Promise<void> {
    let into = target();
    for (let filled = 0; filled < into.length; ) {
      if (this.#offset === this.#chunk.length) {
        await this.#next();
        into = target();
      }
      const part = this.#chunk.subarray(this.#offset, this.#offset + into.length - filled);
      into.set(part, filled);
      filled += part.length;
      this.#offset += part.length;
    }
  }

  /** Reads to the end of the source, so that it knows that all was read. Throws when there are bytes left. */
  async end(): Promise<void> {
    let rest = this.#chunk.length - this.#offset;
    while (rest === 0) {
      const { value, done } = await this.#chunks.next();
      if (done) return this.#use();
      // A model without weights may have an empty file.
      rest = value.byteLength;
    }
    throw new Error("the weight files go on after the last weight");
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #next(): Promise<void> {
    const { value, done } = await this.#chunks.next();
    if (done) throw new Error("the weight files end before the last weight");
    await this.#use();
    this.#chunk = new Uint8Array(value as ArrayBuffer);
    this.#offset = 0;
  }
}

/** @param into - Where what is decoded goes; of the weight's size and type. Default: new memory, or none where nothing is decoded. */
function decode(
  bytes: Uint8Array<ArrayBuffer>,
  { dtype, quantization }: WeightSpec,
  into?: WeightValues,
): WeightValues {
  const { buffer, byteOffset, byteLength } = bytes;
  if (!quantization) {
    if (dtype === "bool") return bytes;
    return dtype === "int32"
      ? new Int32Array(buffer, byteOffset, byteLength / 4)
      : new Float32Array(buffer, byteOffset, byteLength / 4);
  }
  if (quantization.dtype === "float16") return decodeFloat16(bytes, into as Float32Array<ArrayBuffer> | undefined);
  const stored = quantization.dtype === "uint8" ? bytes : new Uint16Array(buffer, byteOffset, byteLength / 2);
  const isInteger = dtype === "int32";
  const values = into ?? new (isInteger ? Int32Array : Float32Array)(stored.length);
  const { scale = 1, min = 0 } = quantization;
  // As tfjs computes it (tfjs-core, io_utils.ts, decodeWeight).
  for (let i = 0; i < stored.length; i += 1) {
    const value = (stored[i] as number) * scale + min;
    values[i] = isInteger ? Math.round(value) : value;
  }
  return values;
}

// ---- float16 -----------------------------------------------------------------------------------------------------

type Float16ArrayConstructor = new (buffer: ArrayBuffer, byteOffset: number, length: number) => ArrayLike<number>;

/** With `Float16Array` where the browser has it (Chrome 135, Firefox 129, Safari 18.2), else with a table of all 65,536 values. */
export function decodeFloat16(
  bytes: Uint8Array<ArrayBuffer>,
  into?: Float32Array<ArrayBuffer>,
): Float32Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = bytes;
  const values = into ?? new Float32Array(byteLength / 2);
  const platform = (globalThis as { Float16Array?: Float16ArrayConstructor }).Float16Array;
  if (platform) {
    values.set(new platform(buffer, byteOffset, byteLength / 2));
    return values;
  }
  const stored = new Uint16Array(buffer, byteOffset, byteLength / 2);
  table ??= float16Table();
  for (let i = 0; i < stored.length; i += 1) values[i] = table[stored[i] as number] as number;
  return values;
}

let table: Float32Array | undefined;

/** IEEE 754 binary16: 1 bit sign, 5 bits exponent with bias 15, 10 bits fraction. */
function float16Table(): Float32Array {
  return Float32Array.from({ length: 65_536 }, (_, bits) => {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 0x1f;
    const fraction = bits & 0x3ff;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  });
}
