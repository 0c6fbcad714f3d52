// Converts tfjs operators to ONNX: arithmetic, matrix products, and the operators of a detector's scores.
import type { Build, Value } from "./build.js";
import { permute } from "./build.js";
import type { Convert } from "./picture-ops.js";
import { BOOL, FLOAT, INT32 } from "./proto.js";
import { activate } from "./range.js";
import type { TfNode } from "./tfjs-graph.js";

const constantOf = (value: Value | undefined, node: TfNode): number[] => {
  if (!value?.constant) throw new Error(`${node.name}: only a constant input is supported.`);
  return Array.from(value.constant.data);
};

const same =
  (op: string): Convert =>
  (_, [input], build) =>
    build.add(op, [(input as Value).name], input as Value);

/** Operators on two or more tensors, with broadcasting. */
function arithmetic(op: string): Convert {
  return (_, inputs, build) => {
    const channelsFirst = inputs.some((input) => input.channelsFirst);
    const names = inputs.map((input) => (channelsFirst ? build.first(input) : build.plain(input)));
    return build.add(op, names, { shape: broadcast(inputs), channelsFirst });
  };
}

function broadcast(inputs: Value[]): number[] {
  const rank = Math.max(...inputs.map(({ shape }) => shape.length));
  const sizes = (axis: number) => inputs.map(({ shape }) => shape[axis - rank + shape.length] ?? 1);
  return Array.from({ length: rank }, (_, axis) => Math.max(...sizes(axis)));
}

const matMul: Convert = (node, [left, right, ...fused], build) => {
  const [rows = 1] = left?.shape ?? [];
  if (node.attributes.flag("transpose_a") || !right?.constant)
    throw new Error(`${node.name}: only a product with a constant matrix is supported.`);
  const { data, shape } = right.constant;
  const turned = node.attributes.flag("transpose_b");
  const columns = (turned ? shape[0] : shape[1]) ?? 1;
  // Gemm is fastest if the second matrix has its outputs first, as PyTorch's exporter writes it.
  const matrix = build.constant(turned ? data : permute(data, shape, [1, 0]), turned ? shape : [...shape].reverse());
  const ops = node.attributes.texts("fused_ops");
  const bias = ops[0] === "BiasAdd" ? [build.plain(fused[0] as Value)] : [];
  const like = { shape: [rows, columns], channelsFirst: false };
  const result = build.add("Gemm", [build.plain(left as Value), matrix, ...bias], like, { transB: 1 });
  return activate(result, ops, node, build);
};

const softmax: Convert = (_, [input], build) => {
  const value = input as Value;
  return build.add("Softmax", [value.name], value, { axis: value.channelsFirst ? 1 : -1 });
};

const reshape: Convert = (node, [input, target], build) => {
  const value = input as Value;
  const given = constantOf(target, node);
  const count = value.shape.reduce((all, size) => all * size, 1);
  const known = given.filter((size) => size !== -1).reduce((all, size) => all * size, 1);
  const shape = given.map((size) => (size === -1 ? count / known : size));
  return build.add("Reshape", [build.plain(value), build.integers(shape)], { shape, channelsFirst: false });
};

const TYPES: Record<string, number> = { DT_FLOAT: FLOAT, DT_INT32: INT32, DT_BOOL: BOOL };

const cast: Convert = (node, [input], build) => {
  const to = TYPES[node.attributes.type("DstT")];
  if (to === undefined) throw new Error(`${node.name}: a cast to ${node.attributes.type("DstT")} is not supported.`);
  return build.add("Cast", [(input as Value).name], input as Value, { to });
};

const expandDims: Convert = (node, [input, dimension], build) => {
  const value = input as Value;
  const [given = 0] = constantOf(dimension, node);
  const axis = given < 0 ? given + value.shape.length + 1 : given;
  const shape = value.shape.toSpliced(axis, 0, 1);
  return build.add("Unsqueeze", [build.plain(value), build.integers([axis])], { shape, channelsFirst: false });
};

const gather: Convert = (node, [table, indices, axis], build) => {
  const [from, at] = [table as Value, indices as Value];
  const [place = 0] = constantOf(axis, node);
  const shape = from.shape.toSpliced(place, 1, ...at.shape);
  const inputs = [build.plain(from), build.plain(at)];
  return build.add("Gather", inputs, { shape, channelsFirst: false }, { axis: place });
};

/** Supports only forward steps of one, and no removed or added axis. */
const stridedSlice: Convert = (node, [input, begin, end, strides], build) => {
  const value = input as Value;
  const mask = (name: string, axis: number) => (node.attributes.number(name) >> axis) % 2 === 1;
  const odd = ["shrink_axis_mask", "new_axis_mask", "ellipsis_mask"].some((name) => node.attributes.number(name) !== 0);
  if (odd || constantOf(strides, node).some((step) => step !== 1))
    throw new Error(`${node.name}: this slice is not supported.`);
  const ends = constantOf(end, node).map((to, axis) => (mask("end_mask", axis) ? (value.shape[axis] ?? 0) : to));
  const starts = constantOf(begin, node).map((from, axis) => (mask("begin_mask", axis) ? 0 : from));
  const shape = value.shape.map((size, axis) =>
    axis < starts.length ? (ends[axis] ?? 0) - (starts[axis] ?? 0) : size,
  );
  const axes = starts.map((_, axis) => axis);
  const inputs = [build.plain(value), ...[starts, ends, axes].map((list) => build.integers(list))];
  return build.add("Slice", inputs, { shape, channelsFirst: false });
};

/** Has two outputs: the values and their indices. */
export function topK(node: TfNode, [input, k]: Value[], build: Build): [Value, Value] {
  const value = input as Value;
  const [count = 1] = constantOf(k, node);
  const shape = [...value.shape.slice(0, -1), count];
  const [values = "", indices = ""] = build.addMany("TopK", [build.plain(value), build.integers([count])], 2);
  // tfjs uses 32-bit indices.
  const places = build.add("Cast", [indices], { shape, channelsFirst: false }, { to: INT32 });
  return [{ name: values, shape, channelsFirst: false }, places];
}

export const NUMBER_OPS: Record<string, Convert> = {
  Add: arithmetic("Add"),
  AddV2: arithmetic("Add"),
  AddN: arithmetic("Sum"),
  Mul: arithmetic("Mul"),
  Sub: arithmetic("Sub"),
  Minimum: arithmetic("Min"),
  Maximum: arithmetic("Max"),
  Equal: arithmetic("Equal"),
  // For non-negative integers both operators are the same.
  FloorDiv: arithmetic("Div"),
  FloorMod: arithmetic("Mod"),
  Sigmoid: same("Sigmoid"),
  Identity: (_, [input]) => input as Value,
  _FusedMatMul: matMul,
  MatMul: matMul,
  Softmax: softmax,
  Reshape: reshape,
  Cast: cast,
  ExpandDims: expandDims,
  GatherV2: gather,
  StridedSlice: stridedSlice,
};
