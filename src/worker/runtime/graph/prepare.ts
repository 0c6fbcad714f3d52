// The graph of a model as it runs: rewritten to be cheaper, and stored for the next load.
import type { ModelJson } from "../../package/topology.js";
import { type ModelSource, NO_REWRITES } from "../session/engine.js";
import { checkOutputSizes } from "./output-sizes.js";
import { readable } from "./readable.js";
import { type Rewritten, rewrite } from "./rewrite.js";
import type { Constant, Graph, GraphNode } from "./types.js";

export interface Topology {
  node: GraphNode[];
  library?: { function?: unknown[] };
}

export type RewrittenGraph = Omit<Rewritten, "applied">;

export interface Preparation {
  /** Weights whose values `finish` needs. */
  keep?: ReadonlySet<string>;
  /** Weights that nobody needs. */
  skip?: ReadonlySet<string>;
  /** The graph to run. One that cannot be rewritten runs as it is. Throws `model_too_large` where an output of it could be in no memory. */
  finish(values: Map<string, Constant>): RewrittenGraph;
  /** Stores what `finish` returned for the next load, where it is new. To be called when its constants have been copied. */
  store(): void;
}

export async function prepareGraph(source: ModelSource, topology: Topology): Promise<Preparation> {
  const { model, rewrites } = source;
  const stored = await rewrites?.read();
  const graph = attempt(() => graphOf(source, topology));
  const wanted = graph && attempt(() => readable(graph));
  const cached = rewrites && fromRow(stored, model);
  const isRewritten = rewrites !== undefined && stored !== NO_REWRITES;
  let fresh: RewrittenGraph | undefined;
  return {
    keep: cached ? undefined : wanted,
    skip: cached?.unused,
    finish(values) {
      const asItIs = { nodes: topology.node, constants: new Map(), unused: new Set<string>() };
      if (!graph || !wanted) return asItIs;
      if (cached) return cached;
      fresh = isRewritten ? attempt(() => rewrite(graph, values)) : undefined;
      checkSizes(graph, values, fresh);
      return fresh ?? asItIs;
    },
    store() {
      if (fresh) void rewrites?.write(toRow(fresh));
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

// ---- stored between loads ----------------------------------------------------------------------------------------

/** Raised whenever a rewrite changes: rows that an earlier version of the library stored are ignored. */
const REWRITES = 1;

interface Row {
  version: number;
  nodes: GraphNode[];
  constants: [name: string, constant: Constant][];
  unused: string[];
}

const toRow = ({ nodes, constants, unused }: RewrittenGraph): Row => ({
  version: REWRITES,
  nodes,
  constants: [...constants],
  unused: [...unused],
});

function fromRow(stored: unknown, { weightSpecs }: ModelJson): RewrittenGraph | undefined {
  const row = stored as Partial<Row> | undefined;
  if (row?.version !== REWRITES || !row.nodes || !row.constants || !row.unused) return undefined;
  const given = new Set(weightSpecs.map(({ name }) => name));
  // The row is damaged or from another model if it names weights that this model does not have.
  if (!row.unused.every((name) => given.has(name))) return undefined;
  return { nodes: row.nodes, constants: new Map(row.constants), unused: new Set(row.unused) };
}
