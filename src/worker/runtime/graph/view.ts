// The view of a graph that a rewrite rule matches on, and the application of its replacements to the graph.

import { shapesOf } from "./infer-shapes.js";
import { makeConst, plain, targetOf } from "./nodes.js";
import type { Shape } from "./shapes.js";
import type { Constant, Graph, GraphNode } from "./types.js";

/** A graph between two rewrites: `values` are the constants that may be read, `weights` has the shapes of all constants. */
export interface Work {
  readonly nodes: readonly GraphNode[];
  readonly inputs: ReadonlySet<string>;
  readonly outputs: ReadonlySet<string>;
  /** Nodes of which an output other than the first is an output of the graph. */
  readonly several: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, Constant>;
  readonly weights: Graph["weights"];
}

/** Replaces a node: by other nodes, the last of which has its name, or by an existing node that its readers read instead. */
export interface Replacement {
  nodes?: GraphNode[];
  alias?: string;
  /** Nodes without other readers, which are removed with it. */
  absorbed?: GraphNode[];
  constants?: Map<string, Constant>;
}

/** One rewrite: a pure function of a node and its surroundings. */
export interface Rule {
  name: string;
  match(view: View, node: GraphNode): Replacement | undefined;
}

export interface View {
  work: Work;
  /** The node whose first output `reference` is. */
  producer(reference: string | undefined): GraphNode | undefined;
  /** The same, where it has exactly `reads` readers (default 1), so that it may be changed or removed. */
  sole(reference: string | undefined, reads?: number): GraphNode | undefined;
  /** The constant, if its values may be read. */
  constant(reference: string | undefined): Constant | undefined;
  weight(reference: string | undefined): { shape: number[]; dtype: Constant["dtype"] } | undefined;
  /** Whether only the first output of this node is used by others. */
  free(node: GraphNode): boolean;
  readers(node: GraphNode): readonly GraphNode[];
  /** The shape of the node's first output, where it follows from the model (-1: any length). */
  shape(reference: string | undefined): Shape | undefined;
  /** A name that no other node has. */
  fresh(base: string): string;
}

// Most rules change nothing, so the next rule can use the same view.
const views = new WeakMap<Work, View>();

export function viewOf(work: Work): View {
  const known = views.get(work) ?? makeView(work);
  views.set(work, known);
  return known;
}

function makeView(work: Work): View {
  const byName = new Map(work.nodes.map((node) => [node.name, node]));
  const readers = new Map<string, GraphNode[]>();
  // Nodes that are fed, read by an output other than the first, or part of a control dependency are not changed.
  const pinned = new Set<string>([...work.inputs, ...work.several]);
  for (const node of work.nodes)
    for (const input of node.input) {
      const target = targetOf(input);
      if (input !== target) pinned.add(target);
      if (input.startsWith("^")) pinned.add(node.name);
      const known = readers.get(target);
      if (known) known.push(node);
      else readers.set(target, [node]);
    }
  const given = new Set<string>();
  const producer = (reference: string | undefined) => (reference === undefined ? undefined : byName.get(reference));
  let shapes: Map<string, Shape> | undefined;
  const view: View = {
    work,
    producer,
    sole(reference, reads = 1) {
      const node = producer(reference);
      if (!node || pinned.has(node.name) || work.outputs.has(node.name) || node.op === "Const") return undefined;
      return readers.get(node.name)?.length === reads ? node : undefined;
    },
    constant: (reference) => (producer(reference)?.op === "Const" ? work.values.get(reference as string) : undefined),
    weight: (reference) => (producer(reference)?.op === "Const" ? work.weights.get(reference as string) : undefined),
    free: (node) => !pinned.has(node.name),
    readers: (node) => readers.get(node.name) ?? [],
    shape(reference) {
      // Computed at the first request: few rules need it.
      shapes ??= shapesOf(view);
      return shapes.get(reference ?? "");
    },
    fresh(base) {
      let name = base;
      for (let count = 1; byName.has(name) || given.has(name); count += 1) name = `${base}_${count}`;
      given.add(name);
      return name;
    },
  };
  return view;
}

/** Applies `rule` wherever it matches. A node takes part in at most one match a round. */
export function applyRule(work: Work, rule: Rule): { work: Work; count: number } {
  const view = viewOf(work);
  const taken = new Set<string>();
  const replaced = new Map<string, GraphNode[]>();
  const aliases = new Map<string, string>();
  const made = new Map<string, Constant>();
  let count = 0;
  for (const node of work.nodes) {
    if (node.op === "Const" || taken.has(node.name) || !view.free(node)) continue;
    const found = rule.match(view, node);
    if (!found || found.absorbed?.some(({ name }) => taken.has(name))) continue;
    if (found.alias !== undefined && taken.has(targetOf(found.alias))) continue;
    count += 1;
    taken.add(node.name);
    for (const { name } of found.absorbed ?? []) {
      taken.add(name);
      replaced.set(name, []);
    }
    const constants = [...(found.constants ?? [])];
    for (const [name, constant] of constants) made.set(name, constant);
    replaced.set(node.name, [
      ...constants.map(([name, constant]) => makeConst(name, constant)),
      ...(found.nodes ?? []),
    ]);
    if (found.alias !== undefined) {
      aliases.set(node.name, found.alias);
      // The node that readers now refer to must not be removed in the same round.
      taken.add(targetOf(found.alias));
    }
  }
  if (count === 0) return { work, count };
  const nodes = rebuild(work, replaced, aliases);
  const [values, weights] =
    made.size === 0 ? [work.values, work.weights] : [new Map(work.values), new Map(work.weights)];
  for (const [name, constant] of made) {
    (values as Map<string, Constant>).set(name, constant);
    (weights as Work["weights"]).set(name, constant);
  }
  return { work: { ...work, nodes, values, weights }, count };
}

function rebuild(work: Work, replaced: Map<string, GraphNode[]>, aliases: Map<string, string>): GraphNode[] {
  const follow = (reference: string): string => {
    let end = reference;
    while (aliases.has(end)) end = aliases.get(end) as string;
    return end;
  };
  return work.nodes
    .flatMap((node) => replaced.get(node.name) ?? [node])
    .map((node) =>
      node.input.some((input) => aliases.has(input)) ? { ...node, input: node.input.map(follow) } : node,
    );
}

/** The graph in normal form: `name:0` is written `name`, and every node has all fields. */
export function workOf(graph: Graph, values: Map<string, Constant>): Work {
  return {
    nodes: graph.nodes.map((node) => ({
      ...node,
      input: (node.input ?? []).map(plain),
      attr: node.attr ?? {},
    })),
    inputs: new Set(graph.inputs.map(targetOf)),
    outputs: new Set(graph.outputs.map(targetOf)),
    several: new Set(graph.outputs.filter((name) => plain(name).includes(":")).map(targetOf)),
    values,
    weights: graph.weights,
  };
}
