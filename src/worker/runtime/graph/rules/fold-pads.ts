// Moves a Pad node into the padding of the convolution that follows.
import { isConvolution, numbers, text } from "../nodes.js";
import type { Rule } from "../view.js";

export const foldPads: Rule = {
  name: "foldPads",
  match(view, node) {
    if (!isConvolution(node) || text(node, "padding") !== "VALID") return undefined;
    if ((text(node, "data_format") ?? "NHWC") !== "NHWC" || numbers(node, "dilations")?.some((rate) => rate !== 1))
      return undefined;
    const pad = view.sole(node.input[0]);
    if (pad?.op !== "Pad" && pad?.op !== "PadV2") return undefined;
    if (pad.op === "PadV2" && view.constant(pad.input[2])?.values[0] !== 0) return undefined;
    const sides = view.constant(pad.input[1]);
    if (sides?.shape.join() !== "4,2") return undefined;
    const [a, b, top, bottom, left, right, c, d] = sides.values as unknown as number[];
    if (a !== 0 || b !== 0 || c !== 0 || d !== 0) return undefined;
    const paddings = [0, 0, top, bottom, left, right, 0, 0].map(String);
    return {
      nodes: [
        {
          ...node,
          input: [pad.input[0] as string, ...node.input.slice(1)],
          attr: { ...node.attr, padding: { s: btoa("EXPLICIT") }, explicit_paddings: { list: { i: paddings } } },
        },
      ],
      absorbed: [pad],
    };
  },
};
