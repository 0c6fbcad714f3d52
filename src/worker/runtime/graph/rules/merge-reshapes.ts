// Replaces several reshapes in a row by one.
import type { GraphNode } from "../types.js";
import type { Rule } from "../view.js";

const RESHAPES = new Set(["Reshape", "Squeeze", "ExpandDims"]);

export const mergeReshapes: Rule = {
  name: "mergeReshapes",
  match(view, node) {
    const inner = RESHAPES.has(node.op) ? view.sole(node.input[0]) : undefined;
    if (!inner || !RESHAPES.has(inner.op)) return undefined;
    const from = inner.input[0] as string;
    if (node.op === "Reshape")
      return { nodes: [{ ...node, input: [from, ...node.input.slice(1)] }], absorbed: [inner] };
    const shape = view.shape(node.name);
    // One unknown length can be derived from the others.
    if (!shape || shape.filter((length) => length < 0).length > 1) return undefined;
    const name = view.fresh(`${node.name}/shape`);
    const { T, Tdim: _ } = node.attr as { T?: unknown; Tdim?: unknown };
    const reshaped: GraphNode = {
      name: node.name,
      op: "Reshape",
      input: [from, name],
      attr: { T, Tshape: { type: "DT_INT32" } },
    };
    const values = Int32Array.from(shape);
    return {
      nodes: [reshaped],
      absorbed: [inner],
      constants: new Map([[name, { shape: [shape.length], dtype: "int32", values }]]),
    };
  },
};
