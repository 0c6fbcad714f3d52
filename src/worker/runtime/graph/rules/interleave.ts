// Computes a transposed convolution without overlapping windows as a convolution of one pixel, whose channels are then rearranged in space.
import { perChannel, vector } from "../linear.js";
import { FLOAT, isFloat, numbers, onePixelAttributes, text } from "../nodes.js";
import type { Constant, GraphNode } from "../types.js";
import type { Replacement, Rule, View } from "../view.js";

const ACTIVATIONS = new Set(["Relu", "Relu6", "Sigmoid"]);
const SUMS = new Set(["Add", "AddV2", "BiasAdd"]);

/** A match: the transposed convolution, and the bias and the activation that follow it. */
interface Chain {
  convolution: GraphNode;
  bias?: string;
  activation?: string;
  absorbed: GraphNode[];
}

export const interleave: Rule = {
  name: "interleave",
  match(view, node) {
    const chain = chainOf(view, node);
    return chain && replacementOf(view, node, chain);
  },
};

function chainOf(view: View, node: GraphNode): Chain | undefined {
  if (!isFloat(node)) return undefined;
  if (ACTIVATIONS.has(node.op)) {
    const before = view.sole(node.input[0]);
    const chain = before && (biased(view, before) ?? alone(before));
    return chain && { ...chain, activation: node.op, absorbed: [before, ...chain.absorbed] };
  }
  // Where a bias or an activation follows, the rule matches on that node instead.
  const [reader] = view.readers(node);
  const isLast = view.work.outputs.has(node.name) || view.readers(node).length !== 1 || !reader || !isFloat(reader);
  if (!isLast && reader && ACTIVATIONS.has(reader.op)) return undefined;
  if (!isLast && reader && node.op === "Conv2DBackpropInput" && biased(view, reader)) return undefined;
  return biased(view, node) ?? alone(node);
}

function alone(node: GraphNode): Chain | undefined {
  return node.op === "Conv2DBackpropInput" ? { convolution: node, absorbed: [] } : undefined;
}

function biased(view: View, node: GraphNode): Chain | undefined {
  if (!SUMS.has(node.op) || !isFloat(node)) return undefined;
  const [a, b] = node.input;
  const [convolution, bias] = view.weight(b) ? [view.sole(a), b] : [view.sole(b), a];
  if (convolution?.op !== "Conv2DBackpropInput" || !view.constant(bias)) return undefined;
  return { convolution, ...(bias !== undefined && { bias }), absorbed: [convolution] };
}

function replacementOf(view: View, node: GraphNode, chain: Chain): Replacement | undefined {
  const { convolution } = chain;
  const [to, filter, x] = convolution.input;
  const [shape, weights] = [view.constant(to)?.values, view.constant(filter)];
  const strides = numbers(convolution, "strides");
  if (shape?.length !== 4 || weights?.shape.length !== 4 || !isFloat(convolution) || x === undefined) return undefined;
  const [high, wide, channels, inputs] = weights.shape as [number, number, number, number];
  const [batch, height, width] = Array.from(shape) as [number, number, number];
  if ((text(convolution, "data_format") ?? "NHWC") !== "NHWC" || strides?.join() !== `1,${high},${wide},1`)
    return undefined;
  if (text(convolution, "padding") === "EXPLICIT" || numbers(convolution, "dilations")?.some((rate) => rate !== 1))
    return undefined;
  if (height % high !== 0 || width % wide !== 0 || shape[3] !== channels || height <= 0 || width <= 0) return undefined;
  const bias =
    chain.bias === undefined ? new Float32Array(channels) : perChannel(view.constant(chain.bias), channels, 4);
  if (!bias) return undefined;
  const part = (name: string): string => view.fresh(`${node.name}/${name}`);
  const [pixels, planes, rows] = [part("pixels"), part("planes"), part("rows")];
  const [kernel, shift, split, order, whole] = [
    part("filter"),
    part("bias"),
    part("split"),
    part("order"),
    part("whole"),
  ];
  // With a batch of any size the number of rows is unknown too.
  const lines = batch < 0 ? -1 : (batch * height) / high;
  const attr = { T: FLOAT, Tshape: { type: "DT_INT32" } };
  return {
    nodes: [
      { name: pixels, op: "_FusedConv2D", input: [x, kernel, shift], attr: onePixelAttributes(chain.activation) },
      { name: planes, op: "Reshape", input: [pixels, split], attr },
      { name: rows, op: "Transpose", input: [planes, order], attr: { T: FLOAT, Tperm: { type: "DT_INT32" } } },
      { name: node.name, op: "Reshape", input: [rows, whole], attr },
    ],
    absorbed: chain.absorbed,
    constants: new Map<string, Constant>([
      [kernel, { shape: [1, 1, inputs, high * wide * channels], dtype: "float32", values: transposed(weights) }],
      [
        shift,
        vector(Float32Array.from({ length: high * wide * channels }, (_, index) => bias[index % channels] as number)),
      ],
      [split, ints(lines, width / wide, high, wide * channels)],
      [order, ints(0, 2, 1, 3)],
      [whole, ints(batch, height, width, channels)],
    ]),
  };
}

/** From [high, wide, channels, inputs] to [inputs, high * wide * channels]. */
function transposed({ shape, values }: Constant): Float32Array {
  const inputs = shape[3] as number;
  const outputs = values.length / inputs;
  const result = new Float32Array(values.length);
  for (let output = 0; output < outputs; output += 1)
    for (let input = 0; input < inputs; input += 1)
      result[input * outputs + output] = values[output * inputs + input] as number;
  return result;
}

const ints = (...values: number[]): Constant => ({
  shape: [values.length],
  dtype: "int32",
  values: Int32Array.from(values),
});
