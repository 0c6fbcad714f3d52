// Reads and writes nodes of TensorFlow's JSON: references, attributes, and the kinds of node that rewrites create.
import type { Constant, GraphNode } from "./types.js";

// ---- references: `name`, `name:0` (the same), `name:1`, `^name` (control dependency, no value) --------------------------

export function targetOf(reference: string): string {
  const end = reference.indexOf(":");
  const start = reference.startsWith("^") ? 1 : 0;
  return start === 0 && end < 0 ? reference : reference.slice(start, end < 0 ? undefined : end);
}

/** `name:0` as `name`; everything else as it is. */
export function plain(reference: string): string {
  return /^[^:^]+:0$/.test(reference) ? reference.slice(0, -2) : reference;
}

// ---- attributes ------------------------------------------------------------------------------------------------------

type Attribute = { i?: string | number; f?: number; b?: boolean; s?: string; type?: string | number } & {
  list?: { i?: (string | number)[]; s?: string[]; f?: number[] };
  shape?: Shape;
};
type Shape = { unknownRank?: boolean; dim?: { size?: string | number }[] };

function attribute(node: GraphNode, name: string): Attribute | undefined {
  return node.attr[name] as Attribute | undefined;
}

/** A string attribute in upper case, as TensorFlow writes them. */
export function text(node: GraphNode, name: string): string | undefined {
  const value = attribute(node, name)?.s;
  return value === undefined ? undefined : atob(value).toUpperCase();
}

export function texts(node: GraphNode, name: string): string[] {
  return (attribute(node, name)?.list?.s ?? []).map((value) => atob(value));
}

export function numbers(node: GraphNode, name: string): number[] | undefined {
  return attribute(node, name)?.list?.i?.map(Number);
}

export function number(node: GraphNode, name: string): number | undefined {
  const value = attribute(node, name);
  return value?.i !== undefined ? Number(value.i) : value?.f;
}

export function flag(node: GraphNode, name: string): boolean {
  return attribute(node, name)?.b === true;
}

/** The shape that a Placeholder declares (-1: any length); tfjs refuses to run with another. */
export function declaredShape(node: GraphNode): number[] | undefined {
  const shape = attribute(node, "shape")?.shape;
  // A missing `dim` may mean a scalar, or that the exporter left it out.
  if (!shape?.dim || shape.unknownRank) return undefined;
  return shape.dim.map(({ size }) => Number(size ?? -1));
}

/** Whether the node declares that it computes in float32. */
export function isFloat(node: GraphNode, attr = "T"): boolean {
  const type = attribute(node, attr)?.type;
  return type === "DT_FLOAT" || type === 1;
}

// ---- kinds of node ---------------------------------------------------------------------------------------------------

/** The fused op for each op that can take a bias and an activation. */
export const FUSED: Readonly<Record<string, string>> = {
  Conv2D: "_FusedConv2D",
  DepthwiseConv2d: "FusedDepthwiseConv2dNative",
  DepthwiseConv2dNative: "FusedDepthwiseConv2dNative",
  MatMul: "_FusedMatMul",
};
const CONVOLUTIONS = new Set(["Conv2D", "DepthwiseConv2d", "DepthwiseConv2dNative"].flatMap((op) => [op, FUSED[op]]));

export function isConvolution(node: GraphNode): boolean {
  return CONVOLUTIONS.has(node.op);
}

export function isDepthwise(node: GraphNode): boolean {
  return node.op.includes("Depthwise");
}

export const isMatMul = (node: GraphNode): boolean => node.op === "MatMul" || node.op === "_FusedMatMul";

export const FLOAT = { type: "DT_FLOAT" };

export function makeConst(name: string, { shape, dtype }: Pick<Constant, "shape" | "dtype">): GraphNode {
  const type = { float32: "DT_FLOAT", int32: "DT_INT32", bool: "DT_BOOL" }[dtype];
  const tensorShape = { dim: shape.map((length) => ({ size: `${length}` })) };
  return {
    name,
    op: "Const",
    input: [],
    attr: { dtype: { type }, value: { tensor: { dtype: type, tensorShape } } },
  };
}

/** `fused_ops` and its related attributes. An activation always follows a bias: tfjs ignores an activation without one. */
export function fusedAttributes(activation?: string, alpha?: number): Record<string, unknown> {
  const ops = activation ? ["BiasAdd", activation] : ["BiasAdd"];
  return {
    fused_ops: { list: { s: ops.map(btoa) } },
    num_args: { i: activation === "Prelu" ? "2" : "1" },
    epsilon: { f: 0 },
    ...(alpha !== undefined && { leakyrelu_alpha: { f: alpha } }),
  };
}

/** Attributes of a convolution of one pixel with stride 1, followed by a bias and perhaps an activation. */
export function onePixelAttributes(activation?: string): Record<string, unknown> {
  const ones = { list: { i: ["1", "1", "1", "1"] } };
  return {
    T: FLOAT,
    strides: ones,
    dilations: ones,
    padding: { s: btoa("VALID") },
    data_format: { s: btoa("NHWC") },
    ...fusedAttributes(activation),
  };
}
