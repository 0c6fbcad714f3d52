// Runs that check a plan: random inputs like those that the model has got, tfjs's outputs, and whether two are equal to the last bit.
import { type NamedTensorMap, type Tensor, tensor } from "@tensorflow/tfjs-core";
import type { ImageSpec } from "../../../shared/types/manifest.js";
import type { DType, TensorData, TypedArray } from "../../../shared/types/tensor.js";
import { newValues } from "../graph/evaluate.js";
import type { ImageFeed } from "../image.js";
import { toArray } from "./to-array.js";

export type Execute = (inputs: NamedTensorMap) => Promise<Tensor[]>;
export type Feeds = Record<string, TensorData>;

export interface InputRange {
  name: string;
  shape: number[];
  dtype: DType;
  low: number;
  high: number;
}

export function rangesOf(feeds: Feeds): InputRange[] {
  return Object.entries(feeds).map(([name, feed]) => {
    const { shape, dtype, placed } = feed as ImageFeed;
    // Reading `data` of a picture that the GPU draws would convert it on the CPU.
    if (placed) return { name, shape, dtype, ...pixelRange(placed.image) };
    const { data } = feed;
    let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const value of data) if (Number.isFinite(value)) [low, high] = [Math.min(low, value), Math.max(high, value)];
    return low > high ? { name, shape, dtype, low: 0, high: 1 } : { name, shape, dtype, low, high };
  });
}

/** Of the values that pixels become. */
function pixelRange({ scale, mean, std }: ImageSpec): { low: number; high: number } {
  const ends = mean.flatMap((one, channel) => [0, 255].map((pixel) => (pixel * scale - one) / (std[channel] ?? 1)));
  return { low: Math.min(...ends), high: Math.max(...ends) };
}

export function widened(ranges: InputRange[], others: InputRange[]): InputRange[] {
  return ranges.map((range, index) => {
    const { low, high } = others[index] as InputRange;
    return { ...range, low: Math.min(range.low, low), high: Math.max(range.high, high) };
  });
}

/** Values within the range of those that the model has got: others may be in no table of it. */
export function noiseLike(inputs: InputRange[], random: () => number): Feeds {
  const entries = inputs.map(({ name, shape, dtype, low, high }): [string, TensorData] => {
    const size = shape.reduce((product, length) => product * length, 1);
    // Floats of one value, such as zeros, would check little.
    const span = high > low || dtype !== "float32" ? high - low : 1;
    const value = () => (dtype === "float32" ? low + random() * span : low + Math.floor(random() * (span + 1)));
    return [name, { data: newValues(dtype, size).map(value), shape, dtype }];
  });
  return Object.fromEntries(entries);
}

export function tensorsOf(feeds: Feeds): NamedTensorMap {
  const entries = Object.entries(feeds);
  return Object.fromEntries(entries.map(([name, { data, shape, dtype }]) => [name, tensor(data, shape, dtype)]));
}

export async function runTfjs(execute: Execute, feeds: Feeds): Promise<TensorData[]> {
  const inputs = tensorsOf(feeds);
  let results: Tensor[] = [];
  try {
    results = await execute(inputs);
    return await Promise.all(
      results.map(async (result) => {
        const dtype = result.dtype as DType;
        return { data: toArray(dtype, (await result.data()) as TypedArray), shape: result.shape, dtype };
      }),
    );
  } finally {
    for (const one of [...Object.values(inputs), ...results]) one.dispose();
  }
}

/** To the last bit, also in NaN and the sign of zero. */
export function isSame(expected: TensorData[], actual: TensorData[]): boolean {
  const bytes = ({ data }: TensorData) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return expected.every((one, index) => {
    const other = actual[index] as TensorData;
    if (one.dtype !== other.dtype || one.shape.join() !== other.shape.join()) return false;
    const [left, right] = [bytes(one), bytes(other)];
    return left.length === right.length && left.every((byte, place) => byte === right[place]);
  });
}
