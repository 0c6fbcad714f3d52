// Removes nodes that return their input unchanged.
import { isFloat } from "../nodes.js";
import type { GraphNode } from "../types.js";
import type { Replacement, Rule, View } from "../view.js";

const PASSES = new Set(["Identity", "StopGradient", "Snapshot", "PreventGradient"]);
// These keep their names: tensors are fed to them by name.
const NAMED = new Set(["Const", "Placeholder", "PlaceholderWithDefault"]);

export const dropIdentities: Rule = {
  name: "dropIdentities",
  match(view, node) {
    const input = node.input[0];
    if (input === undefined || node.input.some((name) => name.startsWith("^"))) return undefined;
    if (PASSES.has(node.op)) return around(view, node, input);
    const kept = unchanged(view, node);
    return kept === undefined ? undefined : around(view, node, kept);
  },
};

function around(view: View, node: GraphNode, input: string): Replacement | undefined {
  if (!view.work.outputs.has(node.name)) return { alias: input };
  // An output keeps its name, so its producer takes that name.
  const producer = view.sole(input);
  if (!producer || NAMED.has(producer.op)) return undefined;
  return { nodes: [{ ...producer, name: node.name }], absorbed: [producer] };
}

/** The input that the node returns unchanged: it adds 0, multiplies by 1, or reshapes to the same shape. */
function unchanged(view: View, node: GraphNode): string | undefined {
  const [a, b] = node.input;
  const isScalar = (reference: string | undefined, value: number): boolean => {
    const constant = view.constant(reference);
    return constant?.shape.length === 0 && constant.dtype === "float32" && constant.values[0] === value;
  };
  if (node.op === "Reshape") {
    const [from, to] = [view.shape(a), view.constant(b)?.values];
    if (!from || to?.length !== from.length) return undefined;
    return from.every((length, at) => length >= 0 && length === to[at]) ? a : undefined;
  }
  if (!isFloat(node)) return undefined;
  switch (node.op) {
    case "Add":
    case "AddV2":
      return isScalar(b, 0) ? a : isScalar(a, 0) ? b : undefined;
    case "Sub":
      return isScalar(b, 0) ? a : undefined;
    case "Mul":
      return isScalar(b, 1) ? a : isScalar(a, 1) ? b : undefined;
    case "RealDiv":
      return isScalar(b, 1) ? a : undefined;
    default:
      return undefined;
  }
}
