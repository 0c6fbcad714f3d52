// Copies the numbers that a view shows where its buffer holds more: structured clone copies whole buffers.
import type { TypedArray } from "../../shared/types/tensor.js";

/** `data` itself where its buffer has its numbers and nothing else. */
export function withOwnBuffer<T extends TypedArray>(data: T): T {
  return data.buffer.byteLength === data.byteLength ? data : (data.slice() as T);
}
