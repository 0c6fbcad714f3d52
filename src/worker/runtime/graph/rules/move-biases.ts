// Moves a bias that is added after a sum into the convolution inside the sum, where it costs nothing.
import { fused, linearOf } from "../linear.js";
import { FLOAT, isFloat } from "../nodes.js";
import type { GraphNode } from "../types.js";
import type { Replacement, Rule, View } from "../view.js";

const isSum = ({ op, input }: GraphNode): boolean =>
  op === "Add" || op === "AddV2" || (op === "AddN" && input.length === 2);

/** `(convolution + y) + bias` is `(convolution + bias) + y`. */
export const moveBiases: Rule = {
  name: "moveBiases",
  match(view, node) {
    if (!isSum(node) || !isFloat(node)) return undefined;
    const [a, b] = node.input;
    return into(view, node, view.sole(a), b) ?? into(view, node, view.sole(b), a);
  },
};

function into(
  view: View,
  node: GraphNode,
  sum: GraphNode | undefined,
  bias: string | undefined,
): Replacement | undefined {
  const weight = view.weight(bias);
  if (!sum || !isSum(sum) || !isFloat(sum) || weight?.dtype !== "float32" || bias === undefined) return undefined;
  for (const [at, other] of [
    [0, 1],
    [1, 0],
  ] as const) {
    const linear = linearOf(view, view.sole(sum.input[at]));
    if (!linear || linear.bias !== undefined || weight.shape.join() !== `${linear.channels}`) continue;
    const name = view.fresh(`${node.name}/convolution`);
    const convolution = fused(linear.node, name, { bias });
    const rest = { name: node.name, op: "AddV2", input: [name, sum.input[other] as string], attr: { T: FLOAT } };
    return { nodes: [convolution, rest], absorbed: [sum, linear.node] };
  }
  return undefined;
}

/** AddN of two tensors as an addition: wasm's AddN copies one of them first, and takes twice as long. */
export const addPairs: Rule = {
  name: "addPairs",
  match(_view, node) {
    if (node.op !== "AddN" || node.input.length !== 2 || !isFloat(node)) return undefined;
    return { nodes: [{ ...node, op: "AddV2", attr: { T: FLOAT } }] };
  },
};
