// Computes the local maxima of a heat map, `x * (x == maxPool(x))`, without a comparison, which is slow on wasm.
import { FLOAT, isFloat, numbers, text, texts } from "../nodes.js";
import type { GraphNode } from "../types.js";
import type { Rule, View } from "../view.js";

/** Large enough that two different float scores differ by more than 1 when multiplied by it, small enough to stay finite. */
const HUGE = 1e38;

/** `relu(x - (maxPool(x) - x) * huge)`: exactly `x` where both are equal, 0 elsewhere. Valid for scores from 0 to 1. */
export const keepPeaks: Rule = {
  name: "keepPeaks",
  match(view, node) {
    if (node.op !== "Mul" || !isFloat(node)) return undefined;
    const [a, b] = node.input;
    const found = mask(view, b, a) ?? mask(view, a, b);
    if (!found || !isScore(view.producer(found.x))) return undefined;
    const part = (name: string): string => view.fresh(`${node.name}/${name}`);
    const [below, far, left, huge] = [part("below"), part("far"), part("left"), part("huge")];
    const { x, pool } = found;
    const attr = { T: FLOAT };
    return {
      nodes: [
        { name: below, op: "Sub", input: [pool, x], attr },
        { name: far, op: "Mul", input: [below, huge], attr },
        { name: left, op: "Sub", input: [x, far], attr },
        { name: node.name, op: "Relu", input: [left], attr },
      ],
      absorbed: found.absorbed,
      constants: new Map([[huge, { shape: [], dtype: "float32", values: Float32Array.of(HUGE) }]]),
    };
  },
};

/** `reference` as `cast(x == maxPool(x))`. */
function mask(
  view: View,
  reference: string | undefined,
  x: string | undefined,
): { x: string; pool: string; absorbed: GraphNode[] } | undefined {
  const cast = view.sole(reference);
  const equal = cast?.op === "Cast" && isFloat(cast, "DstT") ? view.sole(cast.input[0]) : undefined;
  if (!cast || equal?.op !== "Equal" || x === undefined || !equal.input.includes(x)) return undefined;
  const pool = view.producer(equal.input.find((input) => input !== x));
  if (pool?.op !== "MaxPool" || pool.input[0] !== x || text(pool, "padding") !== "SAME") return undefined;
  if ((text(pool, "data_format") ?? "NHWC") !== "NHWC" || numbers(pool, "strides")?.some((stride) => stride !== 1))
    return undefined;
  return { x, pool: pool.name, absorbed: [cast, equal] };
}

function isScore(node: GraphNode | undefined): boolean {
  return node?.op === "Sigmoid" || (node !== undefined && texts(node, "fused_ops").at(-1) === "Sigmoid");
}
