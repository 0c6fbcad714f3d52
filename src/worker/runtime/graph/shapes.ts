// Shapes of tensors in a graph (-1: any length), and the functions that all shape rules need.
import type { Constant, Graph, GraphNode } from "./types.js";

export type Shape = readonly number[];

/** The parts of a view that shapes follow from. */
export interface ShapeView {
  work: { nodes: readonly GraphNode[]; inputs: ReadonlySet<string>; weights: Graph["weights"] };
  producer(reference: string | undefined): GraphNode | undefined;
  constant(reference: string | undefined): Constant | undefined;
}

export function broadcast(a: Shape, b: Shape | undefined): Shape | undefined {
  if (!b) return undefined;
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, index) => {
    const [x, y] = [a[a.length - rank + index] ?? 1, b[b.length - rank + index] ?? 1];
    if (x === 1) return y;
    if (y === 1 || x === y) return x;
    // One is unknown: the result has the other length, which may be unknown too.
    return Math.max(x, y);
  });
}

export function size(shape: Shape): number {
  return shape.reduce((product, length) => product * length, 1);
}
