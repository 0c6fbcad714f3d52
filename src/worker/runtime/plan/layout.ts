// Gives the tensors of a plan their places in one piece of memory: those that are never needed at the same time share it.
import type { PlannedTensor } from "./steps.js";
import { bytesPerElement } from "./wasm-module.js";

/** A cache line; tfjs's kernels need 16. */
const ALIGNMENT = 64;

export interface Layout {
  /** By id, in bytes from the start. */
  offsets: Map<number, number>;
  bytes: number;
}

interface Placed {
  start: number;
  end: number;
  born: number;
  dies: number;
}

export const align = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** Largest first, each at the lowest place that is free as long as it lives. */
export function layOut(tensors: PlannedTensor[]): Layout {
  const offsets = new Map<number, number>();
  const placed: Placed[] = [];
  let bytes = 0;
  const sized = tensors.map((tensor) => ({ ...tensor, bytes: align(tensor.size * bytesPerElement(tensor.dtype)) }));
  for (const { id, born, dies, bytes: length } of sized.sort((a, b) => b.bytes - a.bytes)) {
    let start = 0;
    // `placed` is in the order of the starts.
    for (const other of placed) {
      if (other.dies <= born || dies <= other.born || other.end <= start) continue;
      if (other.start >= start + length) break;
      start = other.end;
    }
    const end = start + length;
    const index = placed.findIndex((other) => other.start > start);
    placed.splice(index < 0 ? placed.length : index, 0, { start, end, born, dies });
    offsets.set(id, start);
    bytes = Math.max(bytes, end);
  }
  return { offsets, bytes };
}
