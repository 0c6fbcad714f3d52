// Fuses a convolution or a matrix product with the bias and the activation that follow it.

import { fused, type Linear, linearOf, perChannel, vector } from "../linear.js";
import { isDepthwise, isFloat, isMatMul, number, text } from "../nodes.js";
import type { Constant, GraphNode } from "../types.js";
import type { Replacement, Rule, View } from "../view.js";

export const fuseBias: Rule = {
  name: "fuseBias",
  match(view, node) {
    if (!["Add", "AddV2", "BiasAdd", "Sub"].includes(node.op) || !isFloat(node)) return undefined;
    if (node.op === "BiasAdd" && (text(node, "data_format") ?? "NHWC") !== "NHWC") return undefined;
    const [a, b] = node.input;
    const linear = linearOf(view, view.sole(a));
    if (linear) return withBias(view, node, linear, b);
    const other = node.op === "Add" || node.op === "AddV2" ? linearOf(view, view.sole(b)) : undefined;
    return other && withBias(view, node, other, a);
  },
};

function withBias(view: View, node: GraphNode, linear: Linear, added: string | undefined): Replacement | undefined {
  const weight = view.weight(added);
  if (weight?.dtype !== "float32" || added === undefined) return undefined;
  const absorbed = [linear.node];
  const isPlain = weight.shape.length === 1 && weight.shape[0] === linear.channels;
  if (isPlain && linear.bias === undefined && node.op !== "Sub") {
    return { nodes: [fused(linear.node, node.name, { bias: added })], absorbed };
  }
  const constant = view.constant(added);
  const rank = weight.shape.length > 1 ? view.shape(linear.node.name)?.length : undefined;
  const values = perChannel(constant, linear.channels, rank);
  const before = linear.bias === undefined ? new Float32Array(linear.channels) : view.constant(linear.bias)?.values;
  if (!values || !before) return undefined;
  const sign = node.op === "Sub" ? -1 : 1;
  const bias = view.fresh(`${node.name}/bias`);
  return {
    nodes: [fused(linear.node, node.name, { bias })],
    absorbed,
    constants: new Map([[bias, vector(values.map((value, index) => sign * value + (before[index] as number)))]]),
  };
}

// Supported by the fused kernels of webgpu, wasm and cpu. Without Elu, for which tfjs has no test on wasm.
const ACTIVATIONS = new Set(["Relu", "Relu6", "Sigmoid", "LeakyRelu", "Prelu"]);

export const fuseActivation: Rule = {
  name: "fuseActivation",
  match(view, node) {
    const linear = ACTIVATIONS.has(node.op) ? linearOf(view, view.sole(node.input[0])) : undefined;
    if (!linear || (node.op !== "Prelu" && !isFloat(node))) return undefined;
    // tfjs-converter 4.22 does not read the slope of a fused depthwise convolution: cpu returns NaN, wasm uses 0.
    if (node.op === "LeakyRelu" && isDepthwise(linear.node)) return undefined;
    const constants = new Map<string, Constant>();
    const extra: string[] = [];
    if (node.op === "Prelu") {
      // One slope for each channel is the only form that all backends read in the same way.
      const values = isMatMul(linear.node) ? undefined : perChannel(view.constant(node.input[1]), linear.channels, 3);
      if (!values) return undefined;
      const slopes = view.fresh(`${node.name}/slopes`);
      constants.set(slopes, vector(values));
      extra.push(slopes);
    }
    const bias = linear.bias ?? view.fresh(`${node.name}/bias`);
    if (!linear.bias) constants.set(bias, vector(new Float32Array(linear.channels)));
    const alpha = node.op === "LeakyRelu" ? (number(node, "alpha") ?? 0.2) : undefined;
    return {
      nodes: [fused(linear.node, node.name, { bias, extra, activation: node.op, alpha })],
      absorbed: [linear.node],
      constants,
    };
  },
};
