// Joins the feeds of several predictions into one run, and takes its outputs apart again; pure functions.

import type { TensorSpec } from "../../../shared/types/manifest.js";
import type { TensorData, TypedArray } from "../../../shared/types/tensor.js";

type Tensors = Record<string, TensorData>;

/** Whether the first size of every input and output is the caller's to choose. */
export function isBatched(inputs: TensorSpec[], outputs: TensorSpec[]): boolean {
  return [...inputs, ...outputs].every(({ shape }) => shape[0] === -1);
}

/** How many of `waiting` items run together: a power of two, for tfjs's WebGPU pool never frees buffers of odd sizes. */
export function bucket(waiting: number, maxBatchSize: number): number {
  return 2 ** Math.floor(Math.log2(Math.max(1, Math.min(waiting, maxBatchSize))));
}

/** Items of batch size 1 as one of batch size `items.length`. */
export function join(items: Tensors[]): Tensors {
  const [first = {}] = items;
  if (items.length === 1) return first;
  return Object.fromEntries(
    Object.entries(first).map(([name, { data, shape, dtype }]) => {
      const joined = new (data.constructor as new (length: number) => TypedArray)(data.length * items.length);
      for (const [index, item] of items.entries()) joined.set((item[name] as TensorData).data, index * data.length);
      return [name, { data: joined, shape: [items.length, ...shape.slice(1)], dtype }];
    }),
  );
}

/** The outputs of each item, or undefined when some output is not one part an item. */
export function split(outputs: Tensors, count: number): Tensors[] | undefined {
  if (count === 1) return [outputs];
  const parts = Array.from({ length: count }, (): Tensors => ({}));
  for (const [name, { data, shape, dtype }] of Object.entries(outputs)) {
    if (shape[0] !== count) return undefined;
    const size = data.length / count;
    for (const [index, part] of parts.entries()) {
      const own = data.slice(index * size, (index + 1) * size) as TypedArray;
      part[name] = { data: own, shape: [1, ...shape.slice(1)], dtype };
    }
  }
  return parts;
}

// What float32 sums in another order differ by.
const TOLERANCE = 1e-3;

/** Whether two runs of one item gave the same, up to rounding. */
export function agree(a: Tensors, b: Tensors): boolean {
  return Object.entries(a).every(([name, { data }]) => {
    const other = b[name]?.data;
    if (other?.length !== data.length) return false;
    let scale = 1;
    for (const value of data) scale = Math.max(scale, Math.abs(value));
    // Written so that two NaN agree: they are neither less nor more.
    return data.every((value: number, at: number) => !(Math.abs(value - (other[at] as number)) > TOLERANCE * scale));
  });
}
