// Folds a multiplication with a constant into the filter of the convolution or matrix product beside it.

import { type Linear, linearOf, perChannel, scaled } from "../linear.js";
import { flag, isFloat, isMatMul } from "../nodes.js";
import type { Constant, GraphNode } from "../types.js";
import type { Replacement, Rule, View } from "../view.js";

/** `(filter * x + bias) * c` is `(filter * c) * x + bias * c`. */
export const foldFactors: Rule = {
  name: "foldFactors",
  match(view, node) {
    if ((node.op !== "Mul" && node.op !== "RealDiv") || !isFloat(node)) return undefined;
    const [a, b] = node.input;
    return after(view, node, a, b) ?? (node.op === "Mul" ? after(view, node, b, a) : undefined);
  },
};

function after(
  view: View,
  node: GraphNode,
  product: string | undefined,
  by: string | undefined,
): Replacement | undefined {
  const linear = linearOf(view, view.sole(product));
  if (!linear) return undefined;
  const constant = view.constant(by);
  const rank = constant && constant.shape.length > 1 ? view.shape(product)?.length : undefined;
  const values = perChannel(constant, linear.channels, rank);
  if (!values) return undefined;
  const factors = node.op === "RealDiv" ? values.map((value) => 1 / value) : values;
  return factors.every(Number.isFinite) ? scaled(view, linear, node.name, factors) : undefined;
}

/** `filter * (x * c)` is `(filter * c) * x`, where padding is zeros. */
export const foldFactorsBefore: Rule = {
  name: "foldFactorsBefore",
  match(view, node) {
    const linear = linearOf(view, node);
    const product = linear && view.sole(node.input[0]);
    if (!linear || product?.op !== "Mul" || !isFloat(product)) return undefined;
    const [a, b] = product.input;
    const weights = view.constant(linear.filter);
    const constant = view.constant(b) ?? view.constant(a);
    const x = view.constant(b) ? a : b;
    const inputs = linear.filterShape.at(-2) as number;
    if (!weights || !constant || x === undefined || (isMatMul(node) && flag(node, "transpose_b"))) return undefined;
    const shape = view.shape(x);
    // A factor for each channel could broadcast to more channels or dimensions.
    if (constant.values.length > 1 && shape?.at(-1) !== inputs) return undefined;
    const factors = perChannel(constant, inputs, shape?.length);
    if (!factors?.every(Number.isFinite)) return undefined;
    const filter = view.fresh(`${node.name}/filter`);
    return {
      nodes: [{ ...node, input: [x, filter, ...node.input.slice(2)] }],
      absorbed: [product],
      constants: new Map([[filter, scaledInputs(linear, weights, factors)]]),
    };
  },
};

function scaledInputs({ filterShape }: Linear, { values }: Constant, factors: Float32Array): Constant {
  const inputs = filterShape.at(-2) as number;
  const each = filterShape.at(-1) as number;
  // The last index but one is the input channel, in a depthwise filter too.
  return {
    shape: [...filterShape],
    dtype: "float32",
    values: Float32Array.from(values, (value, index) => value * (factors[Math.floor(index / each) % inputs] as number)),
  };
}
