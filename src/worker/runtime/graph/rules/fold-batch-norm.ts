// Folds a batch norm into the filter and the bias of the convolution before it.
import { fused, linearOf, scaled, vector } from "../linear.js";
import { isFloat, number, text } from "../nodes.js";
import type { Rule } from "../view.js";

/** TensorFlow's default. */
const EPSILON = 0.001;

export const foldBatchNorm: Rule = {
  name: "foldBatchNorm",
  match(view, node) {
    if (!/^FusedBatchNorm(V[23])?$/.test(node.op) || !isFloat(node)) return undefined;
    if ((text(node, "data_format") ?? "NHWC") !== "NHWC") return undefined;
    const [x, ...statistics] = node.input;
    const linear = linearOf(view, view.sole(x));
    const values = statistics.map((name) => view.constant(name));
    if (!linear || values.length !== 4 || values.some((value) => value?.shape.join() !== `${linear.channels}`))
      return undefined;
    const [scale, offset, mean, variance] = values.map((value) => value?.values) as [
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    const epsilon = number(node, "epsilon") ?? EPSILON;
    const factors = scale.map((value, index) => value / Math.sqrt((variance[index] as number) + epsilon));
    const found = factors.every(Number.isFinite) ? scaled(view, linear, node.name, factors) : undefined;
    const [convolution] = found?.nodes ?? [];
    if (!found?.constants || !convolution) return undefined;
    const before = found.constants.get(convolution.input[2] ?? "")?.values ?? new Float32Array(linear.channels);
    const bias = view.fresh(`${node.name}/shift`);
    const shift = offset.map(
      (value, index) => value - (mean[index] as number) * (factors[index] as number) + (before[index] as number),
    );
    if (convolution.input[2] !== undefined) found.constants.delete(convolution.input[2]);
    found.constants.set(bias, vector(shift));
    return { ...found, nodes: [fused(convolution, node.name, { bias })] };
  },
};
