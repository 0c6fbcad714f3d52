// Enlarges an image after the convolution of one pixel that follows instead of before it: there are fewer pixels to convolve.
import { isPixelwise, linearOf } from "../linear.js";
import { size } from "../shapes.js";
import type { Rule } from "../view.js";

/** Both are linear, and the weights of an interpolation sum to 1, so the bias is unchanged. */
export const resizeLater: Rule = {
  name: "resizeLater",
  match(view, node) {
    const linear = linearOf(view, node);
    if (!linear || !isPixelwise(linear) || linear.channels > (linear.filterShape[2] as number)) return undefined;
    const resize = view.sole(node.input[0]);
    if (resize?.op !== "ResizeBilinear" && resize?.op !== "ResizeNearestNeighbor") return undefined;
    const [from, to] = [view.shape(resize.input[0])?.slice(1, 3), view.shape(resize.name)?.slice(1, 3)];
    if (!from || !to || from.some((length) => length < 0) || size(from) >= size(to)) return undefined;
    const name = view.fresh(`${node.name}/small`);
    return {
      nodes: [
        { ...node, name, input: [resize.input[0] as string, ...node.input.slice(1)] },
        { ...resize, name: node.name, input: [name, ...resize.input.slice(1)] },
      ],
      absorbed: [resize],
    };
  },
};
