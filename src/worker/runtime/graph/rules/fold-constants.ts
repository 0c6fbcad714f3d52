// Computes nodes that depend only on constants when the model is loaded.
import { evaluate } from "../evaluate.js";
import { size } from "../shapes.js";
import type { Rule } from "../view.js";

/** A larger result would use memory and be copied to the device, to save one small kernel. */
const LARGEST = 65_536;

export const foldConstants: Rule = {
  name: "foldConstants",
  match(view, node) {
    // An output stays a node: the caller would dispose of the constant.
    if (view.work.outputs.has(node.name) || node.op.startsWith("Placeholder")) return undefined;
    if (node.op === "Shape") {
      const shape = view.shape(node.input[0]);
      if (!shape || shape.some((length) => length < 0)) return undefined;
      return {
        constants: new Map([[node.name, { shape: [shape.length], dtype: "int32", values: Int32Array.from(shape) }]]),
      };
    }
    const inputs = node.input.map((input) => view.constant(input));
    if (inputs.length === 0 || inputs.some((input) => !input || size(input.shape) > LARGEST)) return undefined;
    const result = evaluate(node, inputs as NonNullable<(typeof inputs)[number]>[]);
    return result && size(result.shape) <= LARGEST ? { constants: new Map([[node.name, result]]) } : undefined;
  },
};
