// Removes transposes that cancel each other, with nothing or only elementwise ops between them.
import type { GraphNode } from "../types.js";
import type { Replacement, Rule, View } from "../view.js";

const PER_NUMBER = new Set("Relu Relu6 Sigmoid Tanh Elu Neg Abs Exp Sqrt Square LeakyRelu Identity".split(" "));

export const cancelTransposes: Rule = {
  name: "cancelTransposes",
  match(view, node) {
    const outer = orderOf(view, node);
    if (!outer) return undefined;
    const chain: GraphNode[] = [];
    let inner = view.sole(node.input[0]);
    while (inner && PER_NUMBER.has(inner.op)) {
      chain.push(inner);
      inner = view.sole(inner.input[0]);
    }
    const first = orderOf(view, inner);
    if (!inner || !first || first.length !== outer.length) return undefined;
    const both = outer.map((axis) => first[axis] as number);
    if (both.every((axis, at) => axis === at)) return without(view, node, chain, inner);
    if (chain.length > 0) return undefined;
    const order = view.fresh(`${node.name}/order`);
    return {
      nodes: [{ ...node, input: [inner.input[0] as string, order] }],
      absorbed: [inner],
      constants: new Map([[order, { shape: [both.length], dtype: "int32", values: Int32Array.from(both) }]]),
    };
  },
};

/** The nodes between both transposes; the last of them takes the name of `node`. */
function without(view: View, node: GraphNode, chain: GraphNode[], inner: GraphNode): Replacement | undefined {
  const [last, ...rest] = chain;
  const from = inner.input[0] as string;
  // An output keeps its name, and a name needs a node.
  if (!last) return view.work.outputs.has(node.name) ? undefined : { alias: from, absorbed: [inner] };
  const first = rest.at(-1) ?? last;
  const rebuilt = [...chain].reverse().map((each) => ({
    ...each,
    name: each === last ? node.name : each.name,
    input: each === first ? [from, ...each.input.slice(1)] : each.input,
  }));
  // Nodes that keep their names are created again here, so they are removed from their old positions.
  return { nodes: rebuilt, absorbed: [inner, ...chain] };
}

function orderOf(view: View, node: GraphNode | undefined): number[] | undefined {
  const order = node?.op === "Transpose" ? view.constant(node.input[1]) : undefined;
  return order?.shape.length === 1 ? Array.from(order.values) : undefined;
}
