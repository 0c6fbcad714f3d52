// The shapes of what nodes answer, as far as they follow from the model alone (-1: any length, no entry: not known).

import { declaredShape, flag, isConvolution, isDepthwise, isMatMul, number, numbers, targetOf, text } from "./nodes.js";
import type { Constant, Graph, GraphNode } from "./types.js";

export type Shape = readonly number[];

/** What shapes are told from. */
interface View {
  work: { nodes: readonly GraphNode[]; inputs: ReadonlySet<string>; weights: Graph["weights"] };
  producer(reference: string | undefined): GraphNode | undefined;
  constant(reference: string | undefined): Constant | undefined;
}

const SAME_AS_FIRST = new Set(
  (
    "Identity Relu Relu6 Elu Selu Sigmoid Tanh Softmax LeakyRelu Prelu Abs Neg Exp Sqrt Rsqrt Square Floor Round Softplus " +
    "Cast ClipByValue BiasAdd AddN LogicalNot FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3"
  ).split(" "),
);
const BROADCASTS = new Set(
  "Add AddV2 Sub Mul RealDiv Div Maximum Minimum Pow SquaredDifference Equal Greater GreaterEqual Less FloorDiv FloorMod".split(
    " ",
  ),
);

/** Shapes of first outputs by node name. */
export function shapesOf(view: View): Map<string, Shape> {
  const known = new Map<string, Shape>();
  const open = new Set<string>();
  const at = (input: string): Shape | undefined => {
    const second = input.endsWith(":1") ? targetOf(input) : undefined;
    // Values and indices of the largest are of one shape. Other second outputs are not followed.
    return second && view.producer(second)?.op === "TopKV2" ? known.get(second) : known.get(input);
  };
  const visit = (start: string): void => {
    // By hand: a chain of thousands of nodes would be too deep for calls.
    const stack = [start];
    while (stack.length > 0) {
      const name = stack.at(-1) as string;
      const node = view.producer(name);
      const inputs = open.has(name) ? [] : (node?.input ?? []).map(targetOf);
      const missing = inputs.filter((input) => !open.has(input) && view.producer(input));
      open.add(name);
      if (missing.length > 0) {
        stack.push(...missing);
        continue;
      }
      stack.pop();
      const shape = node && !known.has(name) ? shapeOf(view, node, (input) => at(input ?? "")) : undefined;
      if (shape) known.set(name, shape);
    }
  };
  for (const { name } of view.work.nodes) if (!open.has(name)) visit(name);
  return known;
}

type Lookup = (input: string | undefined) => Shape | undefined;

function shapeOf(view: View, node: GraphNode, at: Lookup): Shape | undefined {
  const [first, second] = node.input;
  const x = at(first);
  if (node.op === "Placeholder") return declaredShape(node);
  // Fed in place of what the model computes: of any shape.
  if (view.work.inputs.has(node.name)) return undefined;
  if (node.op === "Const") return view.work.weights.get(node.name)?.shape;
  if (SAME_AS_FIRST.has(node.op)) return x;
  if (BROADCASTS.has(node.op)) return x && broadcast(x, at(second));
  if (isConvolution(node)) return convolved(node, x, at(second));
  if (isMatMul(node)) return multiplied(node, x, at(second));
  switch (node.op) {
    case "MaxPool":
    case "AvgPool": {
      const [, height, width] = numbers(node, "ksize") ?? [];
      return x && height && width ? windows(node, x, height, width, x[3]) : undefined;
    }
    case "Mean":
    case "Max":
    case "Sum":
      return reduced(view, node, x);
    case "Reshape":
      return x && reshaped(x, view.constant(second)?.values);
    case "ResizeBilinear":
    case "ResizeNearestNeighbor": {
      const size = view.constant(second)?.values;
      return x?.length === 4 && size?.length === 2
        ? [at4(x, 0), Number(size[0]), Number(size[1]), at4(x, 3)]
        : undefined;
    }
    case "Pad":
    case "PadV2": {
      const pads = view.constant(second)?.values;
      if (!x || pads?.length !== x.length * 2) return undefined;
      return x.map((length, axis) => (length < 0 ? -1 : length + Number(pads[axis * 2]) + Number(pads[axis * 2 + 1])));
    }
    case "ExpandDims": {
      const axis = view.constant(second)?.values[0];
      return x && axis !== undefined ? [...x].toSpliced(axis < 0 ? x.length + 1 + axis : axis, 0, 1) : undefined;
    }
    case "Squeeze": {
      const axes = numbers(node, "squeeze_dims") ?? [];
      // Without axes it drops whatever is 1, which an unknown length may be.
      if (!x || axes.length === 0) return undefined;
      const gone = new Set(axes.map((axis) => (axis < 0 ? axis + x.length : axis)));
      return x.filter((_, axis) => !gone.has(axis));
    }
    case "GatherV2": {
      const [rows, axis] = [at(second), view.constant(node.input[2])?.values[0]];
      if (!x || !rows || axis !== 0 || (number(node, "batch_dims") ?? 0) !== 0) return undefined;
      return [...rows, ...x.slice(1)];
    }
    case "TopKV2": {
      const count = view.constant(second)?.values[0];
      return x && count !== undefined ? [...x.slice(0, -1), count] : undefined;
    }
    case "ConcatV2":
      return concatenated(view, node, at);
    case "Transpose": {
      const order = view.constant(second)?.values;
      return x && order?.length === x.length ? [...order].map((axis) => x[axis] as number) : undefined;
    }
    default:
      return undefined;
  }
}

const at4 = (shape: Shape, axis: number): number => shape[axis] as number;

export function broadcast(a: Shape, b: Shape | undefined): Shape | undefined {
  if (!b) return undefined;
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, index) => {
    const [x, y] = [a[a.length - rank + index] ?? 1, b[b.length - rank + index] ?? 1];
    if (x === 1) return y;
    if (y === 1 || x === y) return x;
    // One is unknown: the other says what the result is, unless it is unknown too.
    return Math.max(x, y);
  });
}

function convolved(node: GraphNode, x: Shape | undefined, filter: Shape | undefined): Shape | undefined {
  if (filter?.length !== 4) return undefined;
  const channels = isDepthwise(node) ? at4(filter, 2) * at4(filter, 3) : at4(filter, 3);
  return x && windows(node, x, at4(filter, 0), at4(filter, 1), channels);
}

function windows(node: GraphNode, x: Shape, height: number, width: number, channels?: number): Shape | undefined {
  const strides = numbers(node, "strides");
  const dilations = numbers(node, "dilations") ?? [1, 1, 1, 1];
  const padding = text(node, "padding");
  if (x.length !== 4 || strides?.length !== 4 || dilations.some((rate) => rate !== 1)) return undefined;
  if ((text(node, "data_format") ?? "NHWC") !== "NHWC" || channels === undefined) return undefined;
  const along = (axis: number, window: number): number => {
    const length = at4(x, axis);
    if (length < 0) return -1;
    const pads = numbers(node, "explicit_paddings") ?? [];
    const padded = padding === "EXPLICIT" ? length + Number(pads[axis * 2]) + Number(pads[axis * 2 + 1]) : length;
    const span = padding === "SAME" ? length : padded - window + 1;
    return Math.ceil(span / at4(strides, axis));
  };
  return [at4(x, 0), along(1, height), along(2, width), channels];
}

function multiplied(node: GraphNode, a: Shape | undefined, b: Shape | undefined): Shape | undefined {
  if (a?.length !== 2 || b?.length !== 2) return undefined;
  return [a[flag(node, "transpose_a") ? 1 : 0] as number, b[flag(node, "transpose_b") ? 0 : 1] as number];
}

function reduced(view: View, node: GraphNode, x: Shape | undefined): Shape | undefined {
  const axes = view.constant(node.input[1])?.values;
  if (!x || !axes) return undefined;
  const gone = new Set([...axes].map((axis) => (axis < 0 ? axis + x.length : axis)));
  if (flag(node, "keep_dims")) return x.map((length, axis) => (gone.has(axis) ? 1 : length));
  return x.filter((_, axis) => !gone.has(axis));
}

function reshaped(x: Shape, wanted: ArrayLike<number> | undefined): Shape | undefined {
  if (!wanted) return undefined;
  const shape = Array.from(wanted);
  if (x.some((length) => length < 0) || shape.filter((length) => length < 0).length > 1) return shape;
  const rest = size(x) / size(shape.filter((length) => length >= 0));
  return shape.map((length) => (length < 0 ? rest : length));
}

function concatenated(view: View, node: GraphNode, at: Lookup): Shape | undefined {
  const axis = view.constant(node.input.at(-1))?.values[0];
  const parts = node.input.slice(0, number(node, "N") ?? -1).map((input) => at(input));
  const first = parts[0];
  if (axis === undefined || !first) return undefined;
  const along = axis < 0 ? axis + first.length : axis;
  let total = 0;
  for (const part of parts) {
    const length = part?.[along];
    if (length === undefined || length < 0) return undefined;
    total += length;
  }
  return first.map((length, index) => (index === along ? total : length));
}

export function size(shape: Shape): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** Whether every length is known, save the batch's. */
export function isStatic(shape: Shape | undefined): shape is Shape {
  return shape?.every((length, axis) => axis === 0 || length >= 0) ?? false;
}
