// Rewrites a graph that is opened for the first time, and checks that its outputs fit into a memory.
import type { ModelSource } from "../session/engine.js";
import { checkOutputSizes } from "./output-sizes.js";
import type { Preparation, Topology } from "./prepare.js";
import { readable } from "./readable.js";
import { type RewrittenGraph, rewrite } from "./rewrite.js";
import type { Constant, Graph, GraphNode } from "./types.js";

/** See `Rewriting`. */
export function beginRewrite(
  source: ModelSource,
  topology: Topology,
  mayRewrite: boolean,
): Omit<Preparation, "store" | "skip"> {
  const graph = attempt(() => graphOf(source, topology));
  const keep = graph && attempt(() => readable(graph));
  return {
    keep,
    finish(values) {
      const asItIs = { nodes: topology.node, constants: new Map(), unused: new Set<string>() };
      if (!graph || !keep) return asItIs;
      const rewritten = mayRewrite ? attempt(() => rewrite(graph, values)) : undefined;
      checkSizes(graph, values, rewritten);
      return rewritten ?? asItIs;
    },
  };
}

/** In the graph as it is, and in the rewritten one, where shapes that depend on other shapes have become constants. */
function checkSizes(graph: Graph, values: Map<string, Constant>, rewritten: RewrittenGraph | undefined): void {
  checkOutputSizes(graph, values);
  if (!rewritten) return;
  const { nodes, constants } = rewritten;
  const all = new Map([...values, ...constants]);
  checkOutputSizes({ ...graph, nodes, weights: new Map([...graph.weights, ...constants]) }, all);
}

function graphOf(source: ModelSource, { node }: Topology): Graph {
  const { model, inputs, outputs, embedding } = source;
  const names = outputs.map(({ name }) => name);
  return {
    // model.json leaves empty fields out.
    nodes: node.map((given) => ({ ...given, input: given.input ?? [], attr: given.attr ?? {} })),
    inputs: inputs.map(({ name }) => name),
    // The embedding's node must stay in the graph.
    outputs: embedding && isPart(source, node) ? [...names, embedding.node] : names,
    weights: new Map(model.weightSpecs.map(({ name, shape, dtype }) => [name, { shape, dtype }])),
  };
}

/** Whether the embedding's node exists. A missing one is reported by `embed`; predictions work without it. */
export function isPart({ embedding }: ModelSource, nodes: GraphNode[]): boolean {
  return nodes.some(({ name }) => name === embedding?.node);
}

/** A graph that makes a rewrite throw runs unchanged: tfjs's message says better what is wrong with it. */
function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}
