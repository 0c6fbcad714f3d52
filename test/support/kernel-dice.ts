// Random shapes, attributes and inputs of kernels, the same for each seed.
import type { DType, TensorData } from "../../src/shared/types/tensor.js";
import { mulberry32 } from "../../src/worker/package/seeded-noise.js";

/** An input of a kernel: `values` are drawn from `low` to `high`. */
export interface Drawn {
  shape: number[];
  dtype: DType;
  low: number;
  high: number;
}

export interface KernelCase {
  inputs: Record<string, Drawn>;
  attrs?: Record<string, unknown>;
  /** The kernel takes its inputs as a list. */
  isList?: boolean;
}

export class Dice {
  readonly next: () => number;

  constructor(seed: number) {
    this.next = mulberry32(seed);
  }

  /** An integer, both ends included. */
  int(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  float(low: number, high: number): number {
    return Math.fround(low + this.next() * (high - low));
  }

  flip(): boolean {
    return this.next() < 0.5;
  }

  pick<T>(values: readonly T[]): T {
    return values[this.int(0, values.length - 1)] as T;
  }

  shape(minRank = 1, maxRank = 4, maxSide = 5): number[] {
    return Array.from({ length: this.int(minRank, maxRank) }, () => this.int(1, maxSide));
  }

  shuffled(length: number): number[] {
    const order = Array.from({ length }, (_, index) => index);
    for (let index = length - 1; index > 0; index -= 1) {
      const other = this.int(0, index);
      [order[index], order[other]] = [order[other] as number, order[index] as number];
    }
    return order;
  }

  /** Some of the axes, at least one, in order. */
  axes(rank: number): number[] {
    const some = Array.from({ length: rank }, (_, axis) => axis).filter(() => this.flip());
    return some.length > 0 ? some : [this.int(0, rank - 1)];
  }

  /** A shape that is broadcast to the other: some of its sides are one, some leading ones absent. */
  narrowed(shape: number[]): number[] {
    const narrow = shape.map((side) => (this.next() < 0.25 ? 1 : side));
    return this.next() < 0.25 ? narrow.slice(this.int(0, narrow.length - 1)) : narrow;
  }

  values({ shape, dtype, low, high }: Drawn): TensorData {
    const size = shape.reduce((product, side) => product * side, 1);
    const draw = () => (dtype === "float32" ? this.float(low, high) : this.int(low, high));
    if (dtype === "float32") return { shape, dtype, data: Float32Array.from({ length: size }, draw) };
    if (dtype === "int32") return { shape, dtype, data: Int32Array.from({ length: size }, draw) };
    return { shape, dtype, data: Uint8Array.from({ length: size }, draw) };
  }
}

export const floats = (shape: number[], low = -4, high = 4): Drawn => ({ shape, dtype: "float32", low, high });
export const ints = (shape: number[], low = -9, high = 9): Drawn => ({ shape, dtype: "int32", low, high });
export const bools = (shape: number[]): Drawn => ({ shape, dtype: "bool", low: 0, high: 1 });
