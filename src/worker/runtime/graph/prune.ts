// Removes the nodes that no output needs.
import { targetOf } from "./nodes.js";
import type { GraphNode } from "./types.js";
import type { Work } from "./view.js";

/** Inputs stay even if nothing reads them: they are fed anyway, and tfjs refuses unknown inputs. */
export function prune(work: Work): { work: Work; count: number } {
  const byName = new Map(work.nodes.map((node) => [node.name, node]));
  const needed = new Set<GraphNode>();
  const stack = [...work.outputs, ...work.inputs];
  while (stack.length > 0) {
    const node = byName.get(targetOf(stack.pop() as string));
    if (!node || needed.has(node)) continue;
    needed.add(node);
    stack.push(...node.input);
  }
  const nodes = work.nodes.filter((node) => needed.has(node));
  const count = work.nodes.length - nodes.length;
  return count === 0 ? { work, count } : { work: { ...work, nodes }, count };
}
