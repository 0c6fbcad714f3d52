// Joins the feeds of several predictions into one run, and splits its outputs again; pure functions.
import type { TensorSpec } from "../../../shared/types/manifest.js";
import type { TensorData, TypedArray } from "../../../shared/types/tensor.js";

type Tensors = Record<string, TensorData>;

/** Whether the first dimension of every input and output is a batch of any size (-1). */
export function isBatched(inputs: TensorSpec[], outputs: TensorSpec[]): boolean {
  return [...inputs, ...outputs].every(({ shape }) => shape[0] === -1);
}

/** How many of `waiting` items run as one batch: a power of two, because tfjs's WebGPU pool never frees a buffer, and each batch size needs its own. */
export function bucket(waiting: number, maxBatchSize: number): number {
  return 2 ** Math.floor(Math.log2(Math.max(1, Math.min(waiting, maxBatchSize))));
}

/** Whether all items have the same shapes, of batch size 1: sequences may differ in length, images in size, and an item may be a batch itself. */
export function areAlike(items: Tensors[]): boolean {
  const shapes = (item: Tensors) => Object.entries(item).map(([name, { shape }]) => `${name} ${shape}`);
  const first = shapes(items[0] ?? {}).join();
  return items.every(
    (item) => shapes(item).join() === first && Object.values(item).every(({ shape }) => shape[0] === 1),
  );
}

/** Items of batch size 1 as one item of batch size `items.length`. */
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

/** The outputs of each item, or undefined when an output does not have one part for each item. */
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

// The difference between float32 sums in another order.
const TOLERANCE = 1e-3;

/** Whether two runs of one item gave the same outputs, up to rounding. */
export function agree(a: Tensors, b: Tensors): boolean {
  return Object.entries(a).every(([name, { data }]) => {
    const other = b[name]?.data;
    if (other?.length !== data.length) return false;
    let scale = 1;
    for (const value of data) scale = Math.max(scale, Math.abs(value));
    // Negated, so that two NaN agree.
    return data.every((value: number, at: number) => !(Math.abs(value - (other[at] as number)) > TOLERANCE * scale));
  });
}
