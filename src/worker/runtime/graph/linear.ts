// Convolutions and matrix products without a fused activation, and how a constant per channel is folded into them.
import {
  FUSED,
  flag,
  fusedAttributes,
  isConvolution,
  isDepthwise,
  isFloat,
  isMatMul,
  numbers,
  text,
  texts,
} from "./nodes.js";
import type { Shape } from "./shapes.js";
import type { Constant, GraphNode } from "./types.js";
import type { Replacement, View } from "./view.js";

/** A node that computes `filter * x + bias`. */
export interface Linear {
  node: GraphNode;
  channels: number;
  filter: string;
  filterShape: Shape;
  /** The name of the bias, where there is one. */
  bias?: string;
}

/** `node` as a linear node; undefined where any condition cannot be checked. */
export function linearOf(view: View, node: GraphNode | undefined): Linear | undefined {
  if (!node || (!isConvolution(node) && !isMatMul(node)) || !isFloat(node)) return undefined;
  const [, filter, bias, ...more] = node.input;
  const shape = view.weight(filter)?.shape;
  if (filter === undefined || !shape || more.length > 0 || view.weight(filter)?.dtype !== "float32") return undefined;
  const channels = isMatMul(node) ? columns(node, shape) : channelsOf(node, shape);
  if (channels === undefined) return undefined;
  if (node.op in FUSED) return bias === undefined ? { node, channels, filter, filterShape: shape } : undefined;
  if (texts(node, "fused_ops").join() !== "BiasAdd" || bias === undefined) return undefined;
  return view.weight(bias)?.shape.join() === `${channels}`
    ? { node, channels, filter, filterShape: shape, bias }
    : undefined;
}

function channelsOf(node: GraphNode, filter: Shape): number | undefined {
  if ((text(node, "data_format") ?? "NHWC") !== "NHWC") return undefined;
  if ((numbers(node, "dilations") ?? []).some((rate) => rate !== 1) || filter.length !== 4) return undefined;
  return isDepthwise(node) ? (filter[2] as number) * (filter[3] as number) : filter[3];
}

function columns(node: GraphNode, matrix: Shape): number | undefined {
  if (matrix.length !== 2 || flag(node, "transpose_a")) return undefined;
  return matrix[flag(node, "transpose_b") ? 0 : 1];
}

/** Whether each pixel of the result depends only on the pixel at the same position. */
export function isPixelwise({ node, filterShape: [height, width] }: Linear): boolean {
  if (!isConvolution(node) || isDepthwise(node) || height !== 1 || width !== 1) return false;
  // Explicit padding adds pixels even to a window of one.
  return text(node, "padding") !== "EXPLICIT" && !numbers(node, "strides")?.some((stride) => stride !== 1);
}

/** The values of a constant, one for each channel, if it broadcasts that way onto a tensor of rank `rank` (undefined: unknown). */
export function perChannel(
  constant: Constant | undefined,
  channels: number,
  rank: number | undefined,
): Float32Array | undefined {
  if (constant?.dtype !== "float32") return undefined;
  const { shape, values } = constant;
  const last = shape.at(-1) ?? 1;
  // A constant with more dimensions than the tensor would add dimensions to it.
  if (shape.slice(0, -1).some((length) => length !== 1) || (shape.length > 1 && shape.length > (rank ?? 1)))
    return undefined;
  if (last === channels) return Float32Array.from(values);
  return last === 1 ? new Float32Array(channels).fill(values[0] as number) : undefined;
}

/** The filter with every output channel scaled; undefined if its values may not be read. */
function scaledFilter(
  view: View,
  { node, filter, channels, filterShape }: Linear,
  factors: Float32Array,
): Constant | undefined {
  const values = view.constant(filter)?.values;
  if (!values) return undefined;
  const scaled = new Float32Array(values.length);
  // The output channel is the last index, except in a transposed matrix, where it is the row.
  const repeat = isMatMul(node) && flag(node, "transpose_b") ? (filterShape[1] as number) : 1;
  for (let index = 0; index < values.length; index += 1)
    scaled[index] = (values[index] as number) * (factors[Math.floor(index / repeat) % channels] as number);
  return { shape: [...filterShape], dtype: "float32", values: scaled };
}

/** The same node with another filter, a bias, and perhaps an activation. */
export function fused(
  node: GraphNode,
  name: string,
  {
    filter = node.input[1] as string,
    bias,
    activation,
    extra = [],
    alpha,
  }: {
    filter?: string;
    bias: string;
    activation?: string;
    extra?: string[];
    alpha?: number;
  },
): GraphNode {
  return {
    name,
    op: FUSED[node.op] ?? node.op,
    input: [node.input[0] as string, filter, bias, ...extra],
    attr: { ...node.attr, ...fusedAttributes(activation, alpha) },
  };
}

export function vector(values: Float32Array): Constant {
  return { shape: [values.length], dtype: "float32", values };
}

/** The linear node, named `name`, with its output scaled by one factor for each channel. */
export function scaled(view: View, linear: Linear, name: string, factors: Float32Array): Replacement | undefined {
  const weights = scaledFilter(view, linear, factors);
  const before = linear.bias === undefined ? undefined : view.constant(linear.bias)?.values;
  if (!weights || (linear.bias !== undefined && !before)) return undefined;
  const filter = view.fresh(`${name}/filter`);
  const constants = new Map([[filter, weights]]);
  const input = [linear.node.input[0] as string, filter];
  if (before) {
    const bias = view.fresh(`${name}/bias`);
    constants.set(bias, vector(factors.map((factor, index) => factor * (before[index] as number))));
    input.push(bias);
  }
  return { nodes: [{ ...linear.node, name, input }], absorbed: [linear.node], constants };
}
