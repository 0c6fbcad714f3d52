// What a plan consists of: calls of the binary, and what tfjs's kernels do in JavaScript over the binary's memory.
import type { DType } from "../../../shared/types/tensor.js";

/** `count` ranges of `length` elements; each begins `fromStride` and `toStride` after the one before. */
export interface CopyBlock {
  from: number;
  to: number;
  length: number;
  count: number;
  fromStride: number;
  toStride: number;
}

/** What of the model is computed: its outputs, or its embedding. */
export type Part = "run" | "embed";

/** Tensors are named by their ids. */
export type Step =
  | { kind: "call"; name: string; args: (number | Uint8Array<ArrayBuffer>)[] }
  | { kind: "copy"; from: number; to: number; blocks: CopyBlock[] }
  /** Between two dtypes, as `TypedArray.set` converts. */
  | { kind: "cast"; from: number; to: number }
  | { kind: "fill"; to: number; value: number }
  /** The indices must be from 0 to below their limit: one for each column. */
  | { kind: "bounds"; of: number; limits: number[] }
  /** None may be NaN: a kernel that sorts them would leave its memory. */
  | { kind: "numbers"; of: number }
  /** Makes kernels forget what they packed of the tensor at the run before. */
  | { kind: "renew"; of: number };

export type CopyStep = Extract<Step, { kind: "copy" }>;

export interface PlannedTensor {
  id: number;
  size: number;
  dtype: DType;
  /** The step from which on it needs memory, and the one at which it needs none any more. */
  born: number;
  dies: number;
  /** Set on a weight, whose memory is the model's. */
  address?: number;
  /** Set on a constant: its content. */
  data?: Uint8Array<ArrayBuffer>;
}

export interface Recording {
  steps: Step[];
  tensors: PlannedTensor[];
  inputs: { name: string; id: number; shape: number[] }[];
  outputs: { id: number; shape: number[]; dtype: DType }[];
}

/** The message says why the model has no plan. */
export class NoPlanError extends Error {}

const OUT_OF_TABLE = "OutOfTableError";

/** An index that the model looks up is not in its table, or it sorts NaN. tfjs answers as it does. */
export class OutOfTableError extends Error {
  override name = OUT_OF_TABLE;
}

/** By its name: files of the worker have classes of their own. */
export const isOutOfTable = (error: unknown): boolean => error instanceof Error && error.name === OUT_OF_TABLE;

/** Adds a range to a copy, as part of its last block where it continues that. */
export function addRange(blocks: CopyBlock[], from: number, to: number, length: number): void {
  const last = blocks.at(-1);
  if (last?.count === 1 && from === last.from + last.length && to === last.to + last.length) {
    last.length += length;
    return;
  }
  if (last?.length === length) {
    const [fromStride, toStride] = [from - last.from, to - last.to];
    if (last.count === 1 && fromStride > 0 && toStride > 0) {
      Object.assign(last, { count: 2, fromStride, toStride });
      return;
    }
    if (fromStride === last.count * last.fromStride && toStride === last.count * last.toStride) {
      last.count += 1;
      return;
    }
  }
  blocks.push({ from, to, length, count: 1, fromStride: 0, toStride: 0 });
}
