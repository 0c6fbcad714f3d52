// Makes numbers out of a seed, the same in every browser: an input of megabytes that costs a hundred bytes to ship.
import type { DType, TypedArray } from "../../shared/types/tensor.js";

export interface Noise {
  /** 0 to 2^32 - 1. */
  seed: number;
  /** The least value. */
  low: number;
  /** No value reaches it, but for float32 rounding. */
  high: number;
}

/**
 * Tommy Ettinger's mulberry32, from 0 to just under 1. It uses 32-bit integer arithmetic and one exact division, in which
 * engines cannot differ.
 */
export function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

// White noise gives an image model almost no output, since its first layers average it; blocks have edges and areas.
const BLOCKS = 16;

/**
 * As many values as the shape stands for. Four sizes are read as `[batch, height, width, channels]` and filled with at most 16
 * blocks a side, each of one value a channel, drawn row by row; else each value is drawn by itself. Whole numbers are rounded
 * down, so they stay under `high`; a bool is true where that is not 0.
 */
export function seededNoise({ seed, low, high }: Noise, shape: number[], dtype: DType): TypedArray {
  const next = mulberry32(seed);
  const draw = () => {
    const value = low + next() * (high - low);
    if (dtype === "float32") return value;
    return dtype === "bool" ? Number(Math.floor(value) !== 0) : Math.floor(value);
  };
  const length = shape.reduce((product, size) => product * size, 1);
  const data = { float32: Float32Array, int32: Int32Array, bool: Uint8Array }[dtype];
  const values = new data(length);
  const [batch = 0, height = 0, width = 0, channels = 0] = shape;
  if (shape.length !== 4) {
    for (let index = 0; index < length; index += 1) values[index] = draw();
    return values;
  }
  const tall = Math.max(1, Math.ceil(height / BLOCKS));
  const wide = Math.max(1, Math.ceil(width / BLOCKS));
  let at = 0;
  for (let image = 0; image < batch; image += 1) {
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) {
        for (let channel = 0; channel < channels; channel += 1, at += 1) {
          // The first row and column of a block are drawn, the others repeat what is above or to the left.
          if (y % tall > 0) values[at] = values[at - width * channels] as number;
          else values[at] = x % wide > 0 ? (values[at - channels] as number) : draw();
        }
      }
    }
  }
  return values;
}
