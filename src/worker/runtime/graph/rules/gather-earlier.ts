// Gathers rows before a convolution of one pixel instead of after it, so that only those rows are computed.
import { isPixelwise, linearOf } from "../linear.js";
import { FLOAT, isFloat, number } from "../nodes.js";
import { size } from "../shapes.js";
import type { Constant, GraphNode } from "../types.js";
import type { Rule } from "../view.js";

/** `gather(reshape(convolution(x)), rows)` is `gather(reshape(x), rows) * matrix`, pixels being rows. */
export const gatherEarlier: Rule = {
  name: "gatherEarlier",
  match(view, node) {
    if (node.op !== "GatherV2" || !isFloat(node, "Tparams") || (number(node, "batch_dims") ?? 0) !== 0)
      return undefined;
    const [rows, indices, axis] = node.input as [string, string, string | undefined];
    const reshape = view.sole(rows);
    if (reshape?.op !== "Reshape" || view.constant(axis)?.values[0] !== 0) return undefined;
    const linear = linearOf(view, view.sole(reshape.input[0]));
    if (!linear?.bias || !isPixelwise(linear)) return undefined;
    const [image, picked] = [view.shape(linear.node.input[0]), view.shape(indices)];
    const count = picked && size(picked);
    if (!image?.every((length) => length > 0) || picked?.length !== 1 || !count || count < 0) return undefined;
    const [pixels, inputs] = [size(image.slice(0, 3)), image[3] as number];
    if (view.shape(reshape.name)?.join() !== `${pixels},${linear.channels}` || count >= pixels) return undefined;
    const filter = view.constant(linear.filter);
    if (!filter) return undefined;
    const [flat, few] = [view.fresh(`${node.name}/pixels`), view.fresh(`${node.name}/picked`)];
    const [shape, matrix] = [view.fresh(`${node.name}/shape`), view.fresh(`${node.name}/matrix`)];
    const { fused_ops, num_args, epsilon } = linear.node.attr;
    const nodes: GraphNode[] = [
      { ...reshape, name: flat, input: [linear.node.input[0] as string, shape] },
      { ...node, name: few, input: [flat, indices, axis as string] },
      {
        name: node.name,
        op: "_FusedMatMul",
        input: [few, matrix, linear.bias],
        attr: { T: FLOAT, transpose_a: { b: false }, transpose_b: { b: false }, fused_ops, num_args, epsilon },
      },
    ];
    const constants = new Map<string, Constant>([
      [shape, { shape: [2], dtype: "int32", values: Int32Array.of(pixels, inputs) }],
      [matrix, { ...filter, shape: [inputs, linear.channels] }],
    ]);
    return { nodes, absorbed: [reshape, linear.node], constants };
  },
};
