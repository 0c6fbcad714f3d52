// Computes constant nodes in plain JavaScript with the same results as tfjs: the ops that shapes, axes and scales consist of.
import { number } from "./nodes.js";
import { broadcast, size } from "./shapes.js";
import type { Constant, GraphNode, Values } from "./types.js";

const BINARY: Readonly<Record<string, (a: number, b: number) => number>> = {
  Add: (a, b) => a + b,
  AddV2: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Maximum: Math.max,
  Minimum: Math.min,
};
const UNARY: Readonly<Record<string, (a: number) => number>> = {
  Neg: (a) => -a,
  Square: (a) => a * a,
  Sqrt: Math.sqrt,
  Rsqrt: (a) => 1 / Math.sqrt(a),
  Identity: (a) => a,
};

/** The node's first output, or undefined for an op that is not known here. */
export function evaluate(node: GraphNode, inputs: Constant[]): Constant | undefined {
  const [a, b] = inputs as [Constant, Constant | undefined];
  const binary = BINARY[node.op];
  if (binary) return b && a.dtype === b.dtype && a.dtype !== "bool" ? combine(a, b, binary) : undefined;
  // Integer division has rounding rules of its own.
  if (node.op === "RealDiv")
    return b && a.dtype === "float32" && b.dtype === "float32" ? combine(a, b, (x, y) => x / y) : undefined;
  const unary = UNARY[node.op];
  if (unary)
    return a.dtype === "float32" || node.op === "Identity"
      ? { ...a, values: a.values.map((value) => unary(value)) }
      : undefined;
  switch (node.op) {
    case "Reshape":
      return b && reshape(a, Array.from(b.values));
    case "ExpandDims": {
      const axis = b?.values[0];
      if (axis === undefined) return undefined;
      return { ...a, shape: a.shape.toSpliced(axis < 0 ? a.shape.length + 1 + axis : axis, 0, 1) };
    }
    case "Pack":
      return pack(node, inputs);
    case "ConcatV2":
      return concat(inputs.slice(0, -1), inputs.at(-1)?.values[0]);
    case "Transpose":
      return b && transpose(a, Array.from(b.values));
    default:
      return undefined;
  }
}

/** Zeros. */
export function newValues(dtype: Constant["dtype"], length: number): Values {
  if (dtype === "float32") return new Float32Array(length);
  return dtype === "int32" ? new Int32Array(length) : new Uint8Array(length);
}

/** The stride in each dimension of `shape` for reading a tensor of shape `of` that broadcasts to it. */
function steps(of: readonly number[], shape: readonly number[]): number[] {
  let step = 1;
  const result = new Array<number>(shape.length).fill(0);
  for (let back = 1; back <= of.length; back += 1) {
    const length = of[of.length - back] as number;
    if (length > 1) result[shape.length - back] = step;
    step *= length;
  }
  return result;
}

function at(index: number, shape: readonly number[], step: readonly number[]): number {
  let rest = index;
  let offset = 0;
  for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
    const length = shape[axis] as number;
    offset += (rest % length) * (step[axis] as number);
    rest = Math.floor(rest / length);
  }
  return offset;
}

function combine(a: Constant, b: Constant, compute: (a: number, b: number) => number): Constant | undefined {
  const shape = broadcast(a.shape, b.shape) as number[];
  const fits = (of: number[]) =>
    of.every((length, axis) => length === 1 || length === shape[shape.length - of.length + axis]);
  if (!fits(a.shape) || !fits(b.shape)) return undefined;
  const values = newValues(a.dtype, size(shape));
  const [left, right] = [steps(a.shape, shape), steps(b.shape, shape)];
  for (let index = 0; index < values.length; index += 1)
    values[index] = compute(a.values[at(index, shape, left)] as number, b.values[at(index, shape, right)] as number);
  return { shape, dtype: a.dtype, values };
}

function reshape(a: Constant, wanted: number[]): Constant | undefined {
  const rest = a.values.length / size(wanted.filter((length) => length >= 0));
  const shape = wanted.map((length) => (length < 0 ? rest : length));
  return size(shape) === a.values.length && shape.every(Number.isInteger) ? { ...a, shape } : undefined;
}

function pack(node: GraphNode, inputs: Constant[]): Constant | undefined {
  const axis = number(node, "axis") ?? 0;
  const [first] = inputs as [Constant];
  if (inputs.some(({ shape }) => shape.join() !== first.shape.join())) return undefined;
  const along = axis < 0 ? first.shape.length + 1 + axis : axis;
  return concat(
    inputs.map((input) => ({ ...input, shape: input.shape.toSpliced(along, 0, 1) })),
    along,
  );
}

function concat(parts: Constant[], axis: number | undefined): Constant | undefined {
  const [first] = parts;
  if (!first || axis === undefined || parts.some(({ dtype }) => dtype !== first.dtype)) return undefined;
  const along = axis < 0 ? axis + first.shape.length : axis;
  const shape = first.shape.with(
    along,
    parts.reduce((sum, part) => sum + (part.shape[along] ?? 0), 0),
  );
  if (parts.some((part) => part.shape.with(along, 0).join() !== first.shape.with(along, 0).join())) return undefined;
  const values = newValues(first.dtype, size(shape));
  const outer = size(shape.slice(0, along));
  let offset = 0;
  for (let row = 0; row < outer; row += 1)
    for (const part of parts) {
      const length = part.values.length / outer;
      values.set(part.values.subarray(row * length, (row + 1) * length), offset);
      offset += length;
    }
  return { shape, dtype: first.dtype, values };
}

function transpose(a: Constant, order: number[]): Constant | undefined {
  if (order.length !== a.shape.length || order.some((axis) => a.shape[axis] === undefined)) return undefined;
  const shape = order.map((axis) => a.shape[axis] as number);
  const step = steps(a.shape, a.shape);
  const from = order.map((axis) => step[axis] as number);
  const values = newValues(a.dtype, a.values.length);
  for (let index = 0; index < values.length; index += 1) values[index] = a.values[at(index, shape, from)] as number;
  return { shape, dtype: a.dtype, values };
}
