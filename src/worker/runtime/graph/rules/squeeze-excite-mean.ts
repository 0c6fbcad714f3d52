// Computes the mean over height and width as an average pool, which is seven to fifteen times as fast on wasm.
import { FLOAT, flag, isFloat } from "../nodes.js";
import type { GraphNode } from "../types.js";
import type { Rule } from "../view.js";

/** From 8 MB on, wasm's pool over the whole plane takes three times as long as a 16x16 pool followed by a pool over the result. */
const LARGE = 2 ** 21;
const BLOCK = 16;

export const squeezeExciteMean: Rule = {
  name: "squeezeExciteMean",
  match(view, node) {
    if (node.op !== "Mean" || !isFloat(node)) return undefined;
    const [x, axes] = node.input;
    const shape = view.shape(x);
    const over = Array.from(view.constant(axes)?.values ?? [], (axis) => (axis < 0 ? axis + 4 : axis)).sort();
    if (shape?.length !== 4 || over.join() !== "1,2" || x === undefined) return undefined;
    const [batch, height, width, channels] = shape as [number, number, number, number];
    if (height <= 0 || width <= 0) return undefined;
    const nodes: GraphNode[] = [];
    const keeps = flag(node, "keep_dims");
    const whole = keeps ? node.name : view.fresh(`${node.name}/pool`);
    if (Math.abs(batch) * height * width * channels >= LARGE && height % BLOCK === 0 && width % BLOCK === 0) {
      const blocks = view.fresh(`${node.name}/blocks`);
      nodes.push(pool(blocks, x, BLOCK, BLOCK), pool(whole, blocks, height / BLOCK, width / BLOCK));
    } else nodes.push(pool(whole, x, height, width));
    if (!keeps) {
      const attr = { T: FLOAT, squeeze_dims: { list: { i: ["1", "2"] } } };
      nodes.push({ name: node.name, op: "Squeeze", input: [whole], attr });
    }
    return { nodes };
  },
};

function pool(name: string, input: string, height: number, width: number): GraphNode {
  const window = { list: { i: ["1", `${height}`, `${width}`, "1"] } };
  const attr = {
    T: FLOAT,
    ksize: window,
    strides: window,
    padding: { s: btoa("VALID") },
    data_format: { s: btoa("NHWC") },
  };
  return { name, op: "AvgPool", input: [input], attr };
}
