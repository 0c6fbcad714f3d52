// Infers the shapes of nodes' first outputs, as far as they follow from the model alone.
import { targetOf } from "./nodes.js";
import { shapeOf } from "./shape-rules.js";
import type { Shape, ShapeView } from "./shapes.js";

/** Shapes by node name; no entry where the shape is unknown. */
export function shapesOf(view: ShapeView): Map<string, Shape> {
  const known = new Map<string, Shape>();
  const visited = new Set<string>();
  const at = (input: string): Shape | undefined => {
    const second = input.endsWith(":1") ? targetOf(input) : undefined;
    // Both outputs of TopKV2 have one shape. Second outputs of other ops are not followed.
    return second && view.producer(second)?.op === "TopKV2" ? known.get(second) : known.get(input);
  };
  const visit = (start: string): void => {
    // A stack of its own: recursion would overflow on a chain of thousands of nodes.
    const stack = [start];
    while (stack.length > 0) {
      const name = stack.at(-1) as string;
      const node = view.producer(name);
      const inputs = visited.has(name) ? [] : (node?.input ?? []).map(targetOf);
      const missing = inputs.filter((input) => !visited.has(input) && view.producer(input));
      visited.add(name);
      if (missing.length > 0) {
        stack.push(...missing);
        continue;
      }
      stack.pop();
      const shape = node && !known.has(name) ? shapeOf(view, node, (input) => at(input ?? "")) : undefined;
      if (shape) known.set(name, shape);
    }
  };
  for (const { name } of view.work.nodes) if (!visited.has(name)) visit(name);
  return known;
}
