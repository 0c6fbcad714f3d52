// Recognises Relu and Relu6 that are written as Minimum and Maximum, or applied twice.
import { FLOAT, isFloat } from "../nodes.js";
import type { GraphNode } from "../types.js";
import type { Rule, View } from "../view.js";

export const recogniseActivations: Rule = {
  name: "recogniseActivations",
  match(view, node) {
    if (!isFloat(node)) return undefined;
    const found = clamp(view, node);
    return (
      found && {
        nodes: [{ name: node.name, op: found.op, input: [found.input], attr: { T: FLOAT } }],
        absorbed: found.absorbed,
      }
    );
  },
};

interface Found {
  op: "Relu" | "Relu6";
  input: string;
  absorbed: GraphNode[];
}

function clamp(view: View, node: GraphNode): Found | undefined {
  // max(min(x, 6), 0), min(max(x, 0), 6), and the same around a Relu.
  const outer = bound(view, node);
  if (!outer) return undefined;
  const inner = view.sole(outer.input);
  const within = inner && isFloat(inner) ? bound(view, inner) : undefined;
  if (inner && within) {
    const kinds = `${outer.kind} ${within.kind}`;
    const absorbed = [inner];
    if (["low high", "high low", "both low", "low both", "both high", "high both", "both both"].includes(kinds))
      return { op: "Relu6", input: within.input, absorbed };
    if (kinds === "low low") return { op: "Relu", input: within.input, absorbed };
  }
  // A maximum with 0 alone is a Relu, which every backend has a kernel for.
  return outer.kind === "low" && node.op !== "Relu" ? { op: "Relu", input: outer.input, absorbed: [] } : undefined;
}

type Bound = { kind: "low" | "high" | "both"; input: string };

/** The bounds that the node applies to its input: 0 below, 6 above, or both. */
function bound(view: View, node: GraphNode): Bound | undefined {
  const [a, b] = node.input;
  if (a === undefined) return undefined;
  if (node.op === "Relu") return { kind: "low", input: a };
  if (node.op === "Relu6") return { kind: "both", input: a };
  if (b === undefined || (node.op !== "Maximum" && node.op !== "Minimum")) return undefined;
  const limit = node.op === "Maximum" ? 0 : 6;
  const isLimit = (reference: string): boolean => {
    const constant = view.constant(reference);
    return constant?.shape.length === 0 && constant.dtype === "float32" && constant.values[0] === limit;
  };
  const kind = node.op === "Maximum" ? "low" : "high";
  if (isLimit(b)) return { kind, input: a };
  return isLimit(a) ? { kind, input: b } : undefined;
}
