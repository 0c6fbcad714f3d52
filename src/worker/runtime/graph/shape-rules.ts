// The shape rule of each op: how the shape of its first output follows from its inputs, attributes and constants.
import { declaredShape, flag, isConvolution, isDepthwise, isMatMul, number, numbers, text } from "./nodes.js";
import { broadcast, type Shape, type ShapeView, size } from "./shapes.js";
import type { GraphNode } from "./types.js";

type Lookup = (input: string | undefined) => Shape | undefined;

/** `x` is the shape of the first input, `at` looks up the shape of any input. Undefined where the shape is not known. */
type ShapeRule = (view: ShapeView, node: GraphNode, x: Shape, at: Lookup) => Shape | undefined;

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

/** Undefined where the op is not known here: no shape is better than a wrong one. */
export function shapeOf(view: ShapeView, node: GraphNode, at: Lookup): Shape | undefined {
  if (node.op === "Placeholder") return declaredShape(node);
  // Fed in place of the model's own value, so it may have any shape.
  if (view.work.inputs.has(node.name)) return undefined;
  if (node.op === "Const") return view.work.weights.get(node.name)?.shape;
  const [first, second] = node.input;
  const x = at(first);
  if (SAME_AS_FIRST.has(node.op) || !x) return x;
  if (BROADCASTS.has(node.op)) return broadcast(x, at(second));
  if (isConvolution(node)) return convolved(node, x, at(second));
  if (isMatMul(node)) return multiplied(node, x, at(second));
  return RULES.get(node.op)?.(view, node, x, at);
}

const pooled: ShapeRule = (_view, node, x) => {
  const [, height, width] = numbers(node, "ksize") ?? [];
  return height && width ? windows(node, x, height, width, x[3]) : undefined;
};

const reduced: ShapeRule = (view, node, x) => {
  const axes = view.constant(node.input[1])?.values;
  if (!axes) return undefined;
  const dropped = new Set([...axes].map((axis) => (axis < 0 ? axis + x.length : axis)));
  if (flag(node, "keep_dims")) return x.map((length, axis) => (dropped.has(axis) ? 1 : length));
  return x.filter((_, axis) => !dropped.has(axis));
};

const reshaped: ShapeRule = (view, node, x) => {
  const wanted = view.constant(node.input[1])?.values;
  if (!wanted) return undefined;
  const shape = Array.from(wanted);
  if (x.some((length) => length < 0) || shape.filter((length) => length < 0).length > 1) return shape;
  const rest = size(x) / size(shape.filter((length) => length >= 0));
  return shape.map((length) => (length < 0 ? rest : length));
};

const resized: ShapeRule = (view, node, x) => {
  const sides = view.constant(node.input[1])?.values;
  if (x.length !== 4 || sides?.length !== 2) return undefined;
  return [at4(x, 0), Number(sides[0]), Number(sides[1]), at4(x, 3)];
};

const padded: ShapeRule = (view, node, x) => {
  const pads = view.constant(node.input[1])?.values;
  if (pads?.length !== x.length * 2) return undefined;
  return x.map((length, axis) => (length < 0 ? -1 : length + Number(pads[axis * 2]) + Number(pads[axis * 2 + 1])));
};

const expanded: ShapeRule = (view, node, x) => {
  const axis = view.constant(node.input[1])?.values[0];
  return axis === undefined ? undefined : [...x].toSpliced(axis < 0 ? x.length + 1 + axis : axis, 0, 1);
};

const squeezed: ShapeRule = (_view, node, x) => {
  const axes = numbers(node, "squeeze_dims") ?? [];
  // Without axes every dimension of length 1 is dropped, which an unknown length may be.
  if (axes.length === 0) return undefined;
  const dropped = new Set(axes.map((axis) => (axis < 0 ? axis + x.length : axis)));
  return x.filter((_, axis) => !dropped.has(axis));
};

const gathered: ShapeRule = (view, node, x, at) => {
  const rows = at(node.input[1]);
  const axis = view.constant(node.input[2])?.values[0];
  if (!rows || axis !== 0 || (number(node, "batch_dims") ?? 0) !== 0) return undefined;
  return [...rows, ...x.slice(1)];
};

const largest: ShapeRule = (view, node, x) => {
  const count = view.constant(node.input[1])?.values[0];
  return count === undefined ? undefined : [...x.slice(0, -1), count];
};

const transposed: ShapeRule = (view, node, x) => {
  const order = view.constant(node.input[1])?.values;
  return order?.length === x.length ? [...order].map((axis) => x[axis] as number) : undefined;
};

const concatenated: ShapeRule = (view, node, _x, at) => {
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
};

const tiled: ShapeRule = (view, node, x) => {
  const repeats = view.constant(node.input[1])?.values;
  if (repeats?.length !== x.length) return undefined;
  return x.map((length, axis) => (length < 0 ? -1 : length * Number(repeats[axis])));
};

/** The shape is the value of an input, such as of the first for Fill. */
const stated =
  (place: number): ShapeRule =>
  (view, node) => {
    const lengths = view.constant(node.input[place])?.values;
    return lengths && Array.from(lengths);
  };

const selected: ShapeRule = (_view, node, x, at) => {
  const either = broadcast(x, at(node.input[1]));
  return either && broadcast(either, at(node.input[2]));
};

const oneHot: ShapeRule = (view, node, x) => {
  const depth = view.constant(node.input[1])?.values[0];
  const axis = number(node, "axis") ?? -1;
  return depth === undefined ? undefined : [...x].toSpliced(axis < 0 ? x.length + 1 + axis : axis, 0, depth);
};

const packed: ShapeRule = (_view, node, x) => {
  const axis = number(node, "axis") ?? 0;
  return [...x].toSpliced(axis < 0 ? x.length + 1 + axis : axis, 0, node.input.length);
};

const RULES: ReadonlyMap<string, ShapeRule> = new Map([
  ["MaxPool", pooled],
  ["AvgPool", pooled],
  ["Mean", reduced],
  ["Max", reduced],
  ["Sum", reduced],
  ["Reshape", reshaped],
  ["ResizeBilinear", resized],
  ["ResizeNearestNeighbor", resized],
  ["Pad", padded],
  ["PadV2", padded],
  ["MirrorPad", padded],
  ["SelectV2", selected],
  ["Tile", tiled],
  ["Fill", stated(0)],
  ["RandomUniform", stated(0)],
  ["RandomStandardNormal", stated(0)],
  ["TruncatedNormal", stated(0)],
  ["SparseToDense", stated(1)],
  ["ScatterNd", stated(2)],
  ["LinSpace", stated(2)],
  ["Conv2DBackpropInput", stated(0)],
  ["BroadcastTo", stated(1)],
  ["OneHot", oneHot],
  ["Pack", packed],
  ["ExpandDims", expanded],
  ["Squeeze", squeezed],
  ["GatherV2", gathered],
  ["TopKV2", largest],
  ["ConcatV2", concatenated],
  ["Transpose", transposed],
]);

const at4 = (shape: Shape, axis: number): number => shape[axis] as number;

function convolved(node: GraphNode, x: Shape, filter: Shape | undefined): Shape | undefined {
  if (filter?.length !== 4) return undefined;
  const channels = isDepthwise(node) ? at4(filter, 2) * at4(filter, 3) : at4(filter, 3);
  return windows(node, x, at4(filter, 0), at4(filter, 1), channels);
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

function multiplied(node: GraphNode, a: Shape, b: Shape | undefined): Shape | undefined {
  if (a.length !== 2 || b?.length !== 2) return undefined;
  return [a[flag(node, "transpose_a") ? 1 : 0] as number, b[flag(node, "transpose_b") ? 0 : 1] as number];
}
