// What a rewrite is: a rule that looks at one node and what surrounds it, and says what takes its place.
import type { Constant, Graph, GraphNode } from "./graph.js";

export type Shape = readonly number[];

/** A graph between two rewrites: values are those that may be read, `weights` has the shapes of all constants, new ones too. */
export interface Work {
  readonly nodes: readonly GraphNode[];
  readonly inputs: ReadonlySet<string>;
  readonly outputs: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, Constant>;
  readonly weights: Graph["weights"];
}

/** What takes a node's place: other nodes, the last of which has its name, or the node that its readers read from now on. */
export interface Replacement {
  nodes?: GraphNode[];
  alias?: string;
  /** Nodes that nobody else reads, and that are gone with it. */
  absorbed?: GraphNode[];
  constants?: Map<string, Constant>;
}

/** One rewrite: a pure function of a node and what surrounds it. */
export interface Rule {
  name: string;
  match(view: View, node: GraphNode): Replacement | undefined;
}

export interface View {
  work: Work;
  /** The node whose first output `reference` is. */
  producer(reference: string | undefined): GraphNode | undefined;
  /** The same, where only `reads` reads of it exist (default one), so that it may be changed or taken away. */
  sole(reference: string | undefined, reads?: number): GraphNode | undefined;
  /** The constant that is read, if its values may be. */
  constant(reference: string | undefined): Constant | undefined;
  weight(reference: string | undefined): { shape: number[]; dtype: Constant["dtype"] } | undefined;
  /** Whether nothing is known to others of this node but its first output. */
  free(node: GraphNode): boolean;
  readers(node: GraphNode): readonly GraphNode[];
  /** The shape of the node's first output, where it follows from the model (-1: any length). */
  shape(reference: string | undefined): Shape | undefined;
  /** A name that no node has. */
  fresh(base: string): string;
}
