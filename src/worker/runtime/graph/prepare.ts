// The graph of a model as it runs: rewritten to be cheaper, and stored for the next load.
import type { ModelJson } from "../../package/topology.js";
import { type ModelSource, NO_REWRITES } from "../session/engine.js";
import type { RewrittenGraph } from "./rewrite.js";
import type { Constant, GraphNode } from "./types.js";

export interface Topology {
  node: GraphNode[];
  library?: { function?: unknown[] };
}

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

/** The code that rewrites, which is not needed where the rewritten graph is stored. */
export interface Rewriting {
  /** `mayRewrite` is false where the graph must run as it is. */
  beginRewrite(source: ModelSource, topology: Topology, mayRewrite: boolean): Omit<Preparation, "store" | "skip">;
}

export async function prepareGraph(
  source: ModelSource,
  topology: Topology,
  rewriting: () => Promise<Rewriting>,
): Promise<Preparation> {
  const { model, rewrites } = source;
  const stored = await rewrites?.read();
  const cached = rewrites && fromRow(stored, model);
  if (cached) return { skip: cached.unused, finish: () => cached, store: () => undefined };
  const { beginRewrite } = await rewriting();
  const { keep, finish } = beginRewrite(source, topology, rewrites !== undefined && stored !== NO_REWRITES);
  let fresh: RewrittenGraph | undefined;
  return {
    keep,
    finish(values) {
      fresh = finish(values);
      return fresh;
    },
    store() {
      // The graph as it is needs no row.
      if (fresh && fresh.nodes !== topology.node) void rewrites?.write(toRow(fresh));
    },
  };
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
