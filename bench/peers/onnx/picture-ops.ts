// Converts tfjs operators on images to ONNX: convolutions, pooling, resizing, all channels first.
import { type Build, permute, type Value } from "./build.js";
import { activate } from "./range.js";
import type { TfNode, Weight } from "./tfjs-graph.js";

export type Convert = (node: TfNode, inputs: Value[], build: Build) => Value;

type Pair = [height: number, width: number];

const SPATIAL = (list: number[]): Pair => [list[1] ?? 1, list[2] ?? 1];

interface Window {
  pads: number[];
  size: Pair;
}

/** TensorFlow's SAME adds the odd pixel at the end; ONNX needs all four paddings. */
function windowOf(node: TfNode, [height, width]: Pair, kernel: Pair, strides: Pair, dilations: Pair): Window {
  const padding = node.attributes.text("padding");
  if (padding !== "SAME" && padding !== "VALID") throw new Error(`${node.name}: padding ${padding} is not supported.`);
  const axes = [height, width].map((size, axis) => {
    const stride = strides[axis] ?? 1;
    const reach = ((kernel[axis] ?? 1) - 1) * (dilations[axis] ?? 1) + 1;
    if (padding === "VALID") return { begin: 0, end: 0, size: Math.floor((size - reach) / stride) + 1 };
    const out = Math.ceil(size / stride);
    const total = Math.max((out - 1) * stride + reach - size, 0);
    return { begin: Math.floor(total / 2), end: Math.ceil(total / 2), size: out };
  });
  return {
    pads: [...axes.map(({ begin }) => begin), ...axes.map(({ end }) => end)],
    size: axes.map(({ size }) => size) as Pair,
  };
}

function weightOf(value: Value | undefined, node: TfNode): Weight {
  if (!value?.constant) throw new Error(`${node.name}: only constant weights are supported.`);
  return value.constant;
}

function convolution(depthwise: boolean): Convert {
  return (node, [picture, filter, ...fused], build) => {
    const [batch = 1, height = 1, width = 1] = picture?.shape ?? [];
    const { data, shape } = weightOf(filter, node);
    const [kernelHeight = 1, kernelWidth = 1, from = 1, to = 1] = shape;
    const kernel: Pair = [kernelHeight, kernelWidth];
    const [strides, dilations] = (["strides", "dilations"] as const).map((name) =>
      SPATIAL(node.attributes.numbers(name)),
    ) as [Pair, Pair];
    const { pads, size } = windowOf(node, [height, width], kernel, strides, dilations);
    // [height, width, in, out] to [out, in, height, width]; a depthwise filter has its outputs within each channel.
    const order = depthwise ? [2, 3, 0, 1] : [3, 2, 0, 1];
    const channels = depthwise ? from * to : to;
    const weights = build.constant(permute(data, shape, order), [channels, depthwise ? 1 : from, ...kernel]);
    const ops = node.attributes.texts("fused_ops");
    const bias = ops[0] === "BiasAdd" ? [build.constant(weightOf(fused[0], node).data, [channels])] : [];
    const result = build.add(
      "Conv",
      [build.first(picture as Value), weights, ...bias],
      { shape: [batch, ...size, channels], channelsFirst: true },
      { kernel_shape: kernel, strides, dilations, pads, group: depthwise ? from : 1 },
    );
    return activate(result, ops, node, build);
  };
}

/** Its inputs are the output size, the filter [height, width, out, in] and the image. */
const transposedConvolution: Convert = (node, [sizes, filter, picture], build) => {
  const [batch = 1, height = 1, width = 1] = picture?.shape ?? [];
  const { data, shape } = weightOf(filter, node);
  const [kernelHeight = 1, kernelWidth = 1, to = 1, from = 1] = shape;
  const kernel: Pair = [kernelHeight, kernelWidth];
  const [, outHeight = 1, outWidth = 1] = weightOf(sizes, node).data;
  const strides = SPATIAL(node.attributes.numbers("strides"));
  // It is the transpose of a convolution of the output, and has that convolution's padding.
  const { pads, size } = windowOf(node, [outHeight, outWidth], kernel, strides, [1, 1]);
  if (size[0] !== height || size[1] !== width) throw new Error(`${node.name}: the output size does not match.`);
  const weights = build.constant(permute(data, shape, [3, 2, 0, 1]), [from, to, ...kernel]);
  const like = { shape: [batch, outHeight, outWidth, to], channelsFirst: true };
  return build.add("ConvTranspose", [build.first(picture as Value), weights], like, {
    kernel_shape: kernel,
    strides,
    pads,
  });
};

function pool(op: "AveragePool" | "MaxPool"): Convert {
  return (node, [picture], build) => {
    const [batch = 1, height = 1, width = 1, channels = 1] = picture?.shape ?? [];
    const kernel = SPATIAL(node.attributes.numbers("ksize"));
    const strides = SPATIAL(node.attributes.numbers("strides"));
    const { pads, size } = windowOf(node, [height, width], kernel, strides, [1, 1]);
    const like = { shape: [batch, ...size, channels], channelsFirst: true };
    const input = build.first(picture as Value);
    const whole = kernel[0] === height && kernel[1] === width && pads.every((pad) => pad === 0);
    if (whole) return build.add(`Global${op}`, [input], like);
    return build.add(op, [input], like, { kernel_shape: kernel, strides, pads });
  };
}

const mean: Convert = (node, [picture, axes], build) => {
  const [batch = 1, , , channels = 1] = picture?.shape ?? [];
  if (picture?.shape.length !== 4 || Array.from(weightOf(axes, node).data).sort().join() !== "1,2")
    throw new Error(`${node.name}: only the mean over height and width is supported.`);
  const pooled = build.add("GlobalAveragePool", [build.first(picture)], {
    shape: [batch, 1, 1, channels],
    channelsFirst: true,
  });
  if (node.attributes.flag("keep_dims")) return pooled;
  return build.add("Flatten", [pooled.name], { shape: [batch, channels], channelsFirst: false }, { axis: 1 });
};

const resize: Convert = (node, [picture, sizes], build) => {
  const [batch = 1, , , channels = 1] = picture?.shape ?? [];
  const [height = 1, width = 1] = weightOf(sizes, node).data;
  const { attributes } = node;
  const corners = attributes.flag("align_corners") ? "align_corners" : undefined;
  const mode = corners ?? (attributes.flag("half_pixel_centers") ? "half_pixel" : "asymmetric");
  const like = { shape: [batch, height, width, channels], channelsFirst: true };
  const target = build.integers([batch, channels, height, width]);
  // Region and scales stay empty, since the size is given.
  return build.add("Resize", [build.first(picture as Value), "", "", target], like, {
    mode: "linear",
    coordinate_transformation_mode: mode,
  });
};

const concat: Convert = (node, inputs, build) => {
  const parts = inputs.slice(0, -1);
  const rank = parts[0]?.shape.length ?? 0;
  const given = Number(weightOf(inputs.at(-1), node).data[0]);
  const axis = given < 0 ? given + rank : given;
  const channelsFirst = parts.some((part) => part.channelsFirst);
  const shape = (parts[0]?.shape ?? []).map((size, at) =>
    at === axis ? parts.reduce((sum, part) => sum + (part.shape[at] ?? 0), 0) : size,
  );
  const names = parts.map((part) => (channelsFirst ? build.first(part) : build.plain(part)));
  // The axis in channels-first order.
  const place = channelsFirst ? ([0, 2, 3, 1][axis] ?? axis) : axis;
  return build.add("Concat", names, { shape, channelsFirst }, { axis: place });
};

export const PICTURE_OPS: Record<string, Convert> = {
  Conv2D: convolution(false),
  _FusedConv2D: convolution(false),
  DepthwiseConv2dNative: convolution(true),
  FusedDepthwiseConv2dNative: convolution(true),
  Conv2DBackpropInput: transposedConvolution,
  AvgPool: pool("AveragePool"),
  MaxPool: pool("MaxPool"),
  Mean: mean,
  ResizeBilinear: resize,
  ConcatV2: concat,
};
