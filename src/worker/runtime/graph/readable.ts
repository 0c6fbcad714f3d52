// Finds, before any weight has arrived, the weights that rewrites may read or change.
import { isConvolution, targetOf } from "./nodes.js";
import type { Graph, GraphNode } from "./types.js";

/** Biases, axes, shapes and scalars are far smaller; a larger filter is included only where it may be scaled. */
const SMALL = 16_384;

// Ops that may stand between a filter and a factor that can be folded into it.
const STEPS = new Set(["Add", "AddV2", "AddN", "BiasAdd", "Sub", "Identity", "ResizeBilinear"]);
const FACTORS = new Set(["Mul", "RealDiv", "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"]);

/** The weights whose values `rewrite` may read or replace. All others can be moved to the device as they arrive. */
export function readable(graph: Graph): Set<string> {
  const found = new Set<string>();
  const readers = new Map<string, GraphNode[]>();
  const nodes = new Map<string, GraphNode>();
  for (const node of graph.nodes) {
    nodes.set(node.name, node);
    // model.json omits empty fields.
    for (const input of node.input ?? []) {
      const target = targetOf(input);
      const known = readers.get(target);
      if (known) known.push(node);
      else readers.set(target, [node]);
    }
  }
  for (const [name, { shape }] of graph.weights) {
    const size = shape.reduce((product, length) => product * length, 1);
    const read = readers.get(name) ?? [];
    if (size <= SMALL || read.some((node) => maybeScaled(node, name, readers, nodes))) found.add(name);
  }
  return found;
}

/** Whether `node` is a convolution whose filter is `weight`, with a factor before or shortly after it. */
function maybeScaled(
  node: GraphNode,
  weight: string,
  readers: Map<string, GraphNode[]>,
  nodes: Map<string, GraphNode>,
): boolean {
  if (node.op === "Conv2DBackpropInput") return true;
  if (!isConvolution(node) || targetOf(node.input[1] ?? "") !== weight) return false;
  const before = nodes.get(targetOf(node.input[0] ?? ""));
  if (before && FACTORS.has(before.op)) return true;
  // Four steps: bias, residual sum, resize, and the factor.
  let reached = [node];
  for (let step = 0; step < 4 && reached.length > 0; step += 1) {
    const next = reached.flatMap(({ name }) => readers.get(name) ?? []);
    if (next.some(({ op }) => FACTORS.has(op))) return true;
    reached = next.filter(({ op }) => STEPS.has(op));
  }
  return false;
}
