// Computes a hard swish, `x * relu6(x + 3) / 6`, in two passes over the tensor instead of four.
import { linearOf, scaled, vector } from "../linear.js";
import { FLOAT, isConvolution, isFloat, onePixelAttributes } from "../nodes.js";
import type { Constant, GraphNode } from "../types.js";
import type { Rule, View } from "../view.js";

/**
 * The convolution before it computes `z = x / 6` at no cost; the gate `relu6(6 z + 3)` is a depthwise convolution of one pixel, and the
 * result is `z` times the gate. tfjs has no kernel for hard swish.
 */
export const fuseHardSwish: Rule = {
  name: "fuseHardSwish",
  match(view, node) {
    const found = node.op === "Mul" ? product(view, node) : undefined;
    if (!found) return undefined;
    const linear = linearOf(view, view.sole(found.x, 2));
    if (!linear || !isConvolution(linear.node)) return undefined;
    const { channels } = linear;
    const name = view.fresh(`${node.name}/scaled`);
    const small = scaled(view, linear, name, new Float32Array(channels).fill(found.factor));
    if (!small?.nodes || !small.constants) return undefined;
    const [gate, filter, bias] = ["gate", "gate_filter", "gate_bias"].map((part) =>
      view.fresh(`${node.name}/${part}`),
    ) as [string, string, string];
    const constants = new Map<string, Constant>([
      ...small.constants,
      [
        filter,
        { shape: [1, 1, channels, 1], dtype: "float32", values: new Float32Array(channels).fill(1 / found.factor) },
      ],
      [bias, vector(new Float32Array(channels).fill(3))],
    ]);
    return {
      nodes: [
        ...small.nodes,
        {
          name: gate,
          op: "FusedDepthwiseConv2dNative",
          input: [name, filter, bias],
          attr: onePixelAttributes("Relu6"),
        },
        { name: node.name, op: "Mul", input: [name, gate], attr: { T: FLOAT } },
      ],
      absorbed: [linear.node, ...found.absorbed],
      constants,
    };
  },
};

interface Found {
  x: string;
  factor: number;
  absorbed: GraphNode[];
}

/** The factors of nested products: a constant, `x`, and `relu6(x + 3)`, in any order. */
function product(view: View, root: GraphNode): Found | undefined {
  const absorbed: GraphNode[] = [];
  const factors: string[] = [];
  let factor = 1;
  const open = [root];
  while (open.length > 0) {
    const node = open.pop() as GraphNode;
    if (!isFloat(node)) return undefined;
    if (node !== root) absorbed.push(node);
    for (const [at, input] of node.input.entries()) {
      const value = scalar(view, input);
      const inner = view.sole(input);
      const isDivisor = node.op === "RealDiv" && at === 1;
      if (value !== undefined) factor = isDivisor ? factor / value : factor * value;
      else if (isDivisor) return undefined;
      else if (inner && (inner.op === "Mul" || inner.op === "RealDiv") && absorbed.length < 3) open.push(inner);
      else factors.push(input);
    }
  }
  const [a, b] = factors;
  // Outside this range scaling down and up again would lose precision.
  if (factors.length !== 2 || !(Math.abs(factor) > 0.01 && Math.abs(factor) < 100)) return undefined;
  const gate = gateOf(view, a, b) ?? gateOf(view, b, a);
  return gate && { x: gate.x, factor, absorbed: [...absorbed, ...gate.nodes] };
}

/** `reference` as `relu6(x + 3)`. */
function gateOf(
  view: View,
  reference: string | undefined,
  x: string | undefined,
): { x: string; nodes: GraphNode[] } | undefined {
  const relu6 = view.sole(reference);
  if (relu6?.op !== "Relu6" || x === undefined) return undefined;
  const sum = view.sole(relu6.input[0]);
  if ((sum?.op !== "Add" && sum?.op !== "AddV2") || !isFloat(sum)) return undefined;
  const [a, b] = sum.input;
  const isShifted = (a === x && scalar(view, b) === 3) || (b === x && scalar(view, a) === 3);
  return isShifted ? { x, nodes: [relu6, sum] } : undefined;
}

function scalar(view: View, reference: string | undefined): number | undefined {
  const constant = view.constant(reference);
  return constant?.shape.length === 0 && constant.dtype === "float32" ? constant.values[0] : undefined;
}
