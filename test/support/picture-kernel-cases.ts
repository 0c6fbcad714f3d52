// For each kernel of tfjs's wasm backend that works on pictures, volumes or matrices: random inputs and attributes that it takes.
import { type Dice, type Drawn, floats, ints, type KernelCase } from "./kernel-dice.js";

type Maker = (dice: Dice) => KernelCase;

const table: Record<string, Maker> = {};
const each = (names: string[], make: Maker) => {
  for (const name of names) table[name] = make;
};

// ---- matrices ------------------------------------------------------------------------------------------------------

const ACTIVATIONS = ["linear", "relu", "relu6", "sigmoid", "leakyrelu"];

each(["BatchMatMul"], (dice) => product(dice, dice.int(1, 3)));
each(["_FusedMatMul"], (dice) => {
  const { inputs, attrs } = product(dice, 1);
  const [, right] = [inputs.a, inputs.b as Drawn];
  const width = attrs?.transposeB ? right.shape[1] : right.shape[2];
  const bias: Record<string, Drawn> = dice.flip() ? { bias: floats([width as number]) } : {};
  return {
    inputs: { ...inputs, ...bias },
    attrs: { ...attrs, activation: dice.pick(ACTIVATIONS), leakyreluAlpha: 0.2 },
  };
});

function product(dice: Dice, batch: number): KernelCase {
  const [left, inner, right] = [dice.int(1, 6), dice.int(1, 6), dice.int(1, 6)];
  const [transposeA, transposeB] = [dice.flip(), dice.flip()];
  const a = floats(transposeA ? [batch, inner, left] : [batch, left, inner]);
  const b = floats(transposeB ? [batch, right, inner] : [batch, inner, right]);
  return { inputs: { a, b }, attrs: { transposeA, transposeB } };
}

// ---- convolutions --------------------------------------------------------------------------------------------------

interface Convolution {
  x: Drawn;
  filter: Drawn;
  channels: number;
  attrs: Record<string, unknown>;
}

function convolution(dice: Dice, isDepthwise = false): Convolution {
  const [height, width, depth] = [dice.int(4, 7), dice.int(4, 7), dice.int(1, 4)];
  const last = isDepthwise ? dice.int(1, 2) : dice.int(1, 5);
  const side = dice.pick([1, 2, 3]);
  const attrs = {
    strides: dice.pick([[1, 1], [2, 2]]), // biome-ignore format: a table
    pad: dice.pick(["same", "valid"]),
    dataFormat: "NHWC",
    dilations: [1, 1],
  };
  const channels = isDepthwise ? depth * last : last;
  return {
    x: floats([dice.int(1, 2), height, width, depth]),
    filter: floats([side, side, depth, last]),
    channels,
    attrs,
  };
}

each(["Conv2D"], (dice) => {
  const { x, filter, attrs } = convolution(dice);
  return { inputs: { x, filter }, attrs };
});
each(["DepthwiseConv2dNative"], (dice) => {
  const { x, filter, attrs } = convolution(dice, true);
  return { inputs: { x, filter }, attrs };
});
each(["FusedConv2D"], (dice) => fused(dice, convolution(dice)));
each(["FusedDepthwiseConv2D"], (dice) => fused(dice, convolution(dice, true)));

function fused(dice: Dice, { x, filter, channels, attrs }: Convolution): KernelCase {
  const activation = dice.pick([...ACTIVATIONS, "prelu"]);
  return {
    inputs: {
      x,
      filter,
      ...(dice.flip() && { bias: floats([channels]) }),
      ...(activation === "prelu" && { preluActivationWeights: floats([channels]) }),
    },
    attrs: { ...attrs, activation, leakyreluAlpha: 0.2 },
  };
}

each(["Conv2DBackpropInput"], (dice) => {
  const [height, width, depth, out] = [dice.int(2, 4), dice.int(2, 4), dice.int(1, 3), dice.int(1, 3)];
  const inputs = { dy: floats([1, height, width, out]), filter: floats([3, 3, depth, out]) };
  const attrs = { strides: [2, 2], pad: "same", dataFormat: "NHWC", inputShape: [1, height * 2, width * 2, depth] };
  return { inputs, attrs };
});

const VOLUME = { strides: [1, 1, 1], pad: "same", dilations: [1, 1, 1], dataFormat: "NDHWC" };

function volume(dice: Dice): { x: Drawn; filter: Drawn; dy: Drawn } {
  const [batch, sides, depth, out] = [dice.int(1, 2), [dice.int(2, 4), dice.int(2, 4), dice.int(2, 4)], dice.int(1, 3), dice.int(1, 3)]; // biome-ignore format: one line
  const filter = floats([2, 2, 2, depth, out]);
  return { x: floats([batch, ...sides, depth]), filter, dy: floats([batch, ...sides, out]) };
}

each(["Conv3D"], (dice) => {
  const { x, filter } = volume(dice);
  return { inputs: { x, filter }, attrs: VOLUME };
});
each(["Conv3DBackpropFilterV2"], (dice) => {
  const { x, filter, dy } = volume(dice);
  return { inputs: { x, dy }, attrs: { ...VOLUME, filterShape: filter.shape } };
});

function dilation(dice: Dice) {
  const [height, width, depth] = [dice.int(3, 5), dice.int(3, 5), dice.int(1, 3)];
  const x = floats([1, height, width, depth]);
  const attrs = { strides: [1, 1], pad: "same", dilations: [1, 1] };
  return { x, filter: floats([2, 2, depth]), dy: floats(x.shape), attrs };
}

each(["Dilation2D"], (dice) => {
  const { x, filter, attrs } = dilation(dice);
  return { inputs: { x, filter }, attrs };
});
each(["Dilation2DBackpropFilter", "Dilation2DBackpropInput"], (dice) => {
  const { x, filter, dy, attrs } = dilation(dice);
  return { inputs: { x, filter, dy }, attrs };
});

// ---- pools ---------------------------------------------------------------------------------------------------------

const picture = (dice: Dice): Drawn => floats([dice.int(1, 2), dice.int(3, 6), dice.int(3, 6), dice.int(1, 4)]);
const POOL = { filterSize: [2, 2], strides: [1, 1], pad: "same" };
const POOL_3D = { filterSize: [2, 2, 2], strides: [1, 1, 1], pad: "same", dataFormat: "NDHWC" };

each(["AvgPool", "MaxPool"], (dice) => {
  const side = dice.int(1, 3);
  const attrs = { filterSize: [side, side], strides: dice.pick([[1, 1], [2, 2]]), pad: dice.pick(["same", "valid"]) }; // biome-ignore format: one line
  return { inputs: { x: picture(dice) }, attrs };
});
each(["MaxPoolWithArgmax"], (dice) => ({ inputs: { x: picture(dice) }, attrs: { ...POOL, includeBatchInIndex: dice.flip() } })); // biome-ignore format: one line
each(["AvgPoolGrad", "MaxPoolGrad"], (dice) => {
  const input = picture(dice);
  return { inputs: { dy: floats(input.shape), input, output: floats(input.shape) }, attrs: POOL };
});
each(["AvgPool3D", "MaxPool3D"], (dice) => ({ inputs: { x: volume(dice).x }, attrs: POOL_3D }));
each(["AvgPool3DGrad", "MaxPool3DGrad"], (dice) => {
  const { x } = volume(dice);
  return { inputs: { dy: floats(x.shape), input: x, output: floats(x.shape) }, attrs: POOL_3D };
});

// ---- norms ---------------------------------------------------------------------------------------------------------

const LRN = { depthRadius: 2, bias: 1, alpha: 0.1, beta: 0.5 };

each(["FusedBatchNorm"], (dice) => {
  const x = picture(dice);
  const channels = x.shape.slice(-1);
  const inputs = { x, mean: floats(channels), variance: floats(channels, 0.1, 2) };
  const [offset, scale] = [dice.flip() && { offset: floats(channels) }, dice.flip() && { scale: floats(channels) }];
  return { inputs: { ...inputs, ...offset, ...scale }, attrs: { varianceEpsilon: 0.001 } };
});
each(["LRN"], (dice) => ({ inputs: { x: picture(dice) }, attrs: LRN }));
each(["LRNGrad"], (dice) => {
  const x = picture(dice);
  return { inputs: { x, y: floats(x.shape), dy: floats(x.shape) }, attrs: LRN };
});

// ---- pictures ------------------------------------------------------------------------------------------------------

each(["ResizeBilinear", "ResizeNearestNeighbor"], (dice) => {
  const attrs = { alignCorners: dice.flip(), halfPixelCenters: false, size: [dice.int(1, 8), dice.int(1, 8)] };
  return { inputs: { images: picture(dice) }, attrs: attrs.alignCorners ? attrs : { ...attrs, halfPixelCenters: dice.flip() } }; // biome-ignore format: one line
});
each(["ResizeBilinearGrad", "ResizeNearestNeighborGrad"], (dice) => {
  const images = picture(dice);
  const [batch = 1, , , channels = 1] = images.shape;
  return { inputs: { images, dy: floats([batch, dice.int(2, 8), dice.int(2, 8), channels]) }, attrs: { alignCorners: dice.flip() } }; // biome-ignore format: one line
});
each(["CropAndResize"], (dice) => {
  const image = picture(dice);
  const count = dice.int(1, 3);
  const inputs = { image, boxes: floats([count, 4], 0, 1), boxInd: ints([count], 0, (image.shape[0] as number) - 1) };
  const attrs = { method: dice.pick(["bilinear", "nearest"]), extrapolationValue: 0.5, cropSize: [dice.int(1, 4), dice.int(1, 4)] }; // biome-ignore format: one line
  return { inputs, attrs };
});
each(["FlipLeftRight"], (dice) => ({ inputs: { image: picture(dice) } }));
each(["RotateWithOffset"], (dice) => ({
  inputs: { image: picture(dice) },
  attrs: { radians: dice.float(-2, 2), fillValue: dice.pick([0, 0.5]), center: 0.5 },
}));
each(["Transform"], (dice) => {
  const image = picture(dice);
  const attrs = { interpolation: dice.pick(["nearest", "bilinear"]), fillMode: dice.pick(["constant", "reflect", "wrap", "nearest"]), fillValue: 0.5, outputShape: [dice.int(2, 5), dice.int(2, 5)] }; // biome-ignore format: one line
  return { inputs: { image, transforms: floats([image.shape[0] as number, 8], -1, 1) }, attrs };
});

export const PICTURE_KERNEL_CASES: Readonly<Record<string, Maker>> = table;
