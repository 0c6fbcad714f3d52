// Which calls of tfjs's binary the library's own kernels can compute, and with what they are called.
import type { Step } from "../steps.js";

type CallStep = Extract<Step, { kind: "call" }>;

/** What a kernel is called with, tensors by their ids. */
export interface OwnCall {
  kernel: "multiply" | "convolve" | "depthwise";
  x: number;
  weights: number;
  /** 0 where there are none. */
  biases: number;
  out: number;
  /** The sides of the pictures and the window, as the fields of `Convolution` in convolution.h follow each other. */
  sides: number[];
  low: number;
  high: number;
  /** tfjs's kernel that computes the activation, where the own one does not. */
  after?: "Sigmoid";
  /** Of the weights as a matrix, and of a panel of them. */
  inner: number;
  columns: number;
  panel: number;
  /** Items that can be computed apart: pixels of the output, or its rows. */
  items: number;
  /** Bytes that the kernel needs for itself. */
  scratch: number;
}

/** Sizes of tensors, in elements, and whether they stay as they are. Undefined where there is no such tensor of floats. */
export type TensorOf = (id: number) => { size: number; isFixed: boolean } | undefined;

const SIGMOID = 5;
/** Of linear, relu, relu6 and, before it, sigmoid. Others stay with tfjs. */
const CLAMPS: Record<number, [low: number, high: number]> = {
  0: [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
  1: [0, Number.POSITIVE_INFINITY],
  2: [0, 6],
  [SIGMOID]: [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
};
/** As tile.h and depthwise.c have them. */
const PANEL = 8;
const QUAD = 4;
const TILE = 6;
const ACROSS = 4;
const BYTES = 4;
/** No product of sides reaches 32 bits below it; the sizes of tensors are compared too. */
const MAX_SIDE = 2 ** 15;
/** A window whose packed weights for one panel would not fit the first cache. */
const MAX_WINDOW = 64;

/** Undefined where tfjs's kernel must compute the call. */
export function ownCall(step: CallStep, tensorOf: TensorOf): OwnCall | undefined {
  const call = callOf(step);
  if (!call) return undefined;
  const [x, weights, biases, out] = [call.x, call.weights, call.biases, call.out].map(tensorOf);
  const [batch = 0, height = 0, width = 0, from = 0, outHeight = 0, outWidth = 0, to = 0] = call.sides;
  const isRight =
    x?.size === batch * height * width * from &&
    out?.size === batch * outHeight * outWidth * to &&
    weights?.size === call.inner * call.columns &&
    (call.biases === 0 || biases?.size === to);
  // What was packed once must stay right.
  const isFixed = weights?.isFixed === true && (call.biases === 0 || biases?.isFixed === true);
  return isRight && isFixed ? call : undefined;
}

function callOf({ name, args }: CallStep): OwnCall | undefined {
  // Tables are bytes, all else are numbers.
  const numbers = args as number[];
  switch (name) {
    case "FusedConv2D":
    case "FusedDepthwiseConv2D": {
      const activation = numbers[19] as number;
      const rest = [...numbers.slice(0, 7), ...numbers.slice(8, 19), ...numbers.slice(22)];
      return convolution(name.includes("Depthwise"), rest, numbers[7] as number, activation);
    }
    case "Conv2D":
    case "DepthwiseConv2dNative":
      return convolution(name.includes("Depthwise"), numbers, 0, 0);
    case "_FusedMatMul":
      return product(args);
    default:
      return undefined;
  }
}

function convolution(isDepthwise: boolean, args: number[], biases: number, activation: number): OwnCall | undefined {
  const [x = 0, batch = 0, height = 0, width = 0, weights = 0, rows = 0, columns = 0, ...padded] = args;
  const [above = 0, right = 0, below = 0, before = 0, isSame, down = 0, across = 0, ...strided] = padded;
  const [strideDown = 0, strideAcross = 0, from = 0, to = 0, out = 0] = strided;
  const clamp = CLAMPS[activation];
  const all = [batch, height, width, rows, columns, above, right, below, before, down, across, strideDown, strideAcross, from, to]; // biome-ignore format: one line
  const least = [batch, height, width, rows, columns, down, across, strideDown, strideAcross, from, to];
  const isUsual = all.every((side) => Number.isInteger(side) && side >= 0 && side <= MAX_SIDE) && Math.min(...least) > 0; // biome-ignore format: one line
  if (!clamp || !isUsual || across !== 1 || rows > MAX_WINDOW || columns > MAX_WINDOW) return undefined;
  const vertical = axis(height, rows, down, strideDown, above, below, isSame === 1);
  const horizontal = axis(width, columns, across, strideAcross, before, right, isSame === 1);
  const [outHeight, top, outWidth, left] = [...vertical, ...horizontal] as [number, number, number, number];
  const sides = [batch, height, width, from, outHeight, outWidth, to, rows, columns, strideDown, strideAcross, down, across, top, left]; // biome-ignore format: one line
  const [low, high] = clamp;
  const after = activation === SIGMOID ? ({ after: "Sigmoid" } as const) : {};
  const shared = { x, weights, biases, out, sides, low, high, ...after };
  const pixels = batch * outHeight * outWidth;
  if (isDepthwise) {
    const isFitting = from === to && from % QUAD === 0 && down === 1 && [3, 5].includes(columns) && strideAcross <= 2;
    const row = ((ACROSS - 1) * strideAcross + columns) * from * BYTES;
    const [inner, scratch] = [rows * columns, rows * (BYTES + row)];
    if (!isFitting) return undefined;
    return { ...shared, kernel: "depthwise", inner, columns: to, panel: QUAD, items: batch * outHeight, scratch };
  }
  const isPixel = rows * columns * strideDown * strideAcross === 1 && outHeight === height && outWidth === width && top + left === 0; // biome-ignore format: one line
  const inner = rows * columns * from;
  // Pointers, and windows that reach beyond the picture.
  const scratch = TILE * BYTES * (rows + inner);
  return { ...shared, kernel: isPixel ? "multiply" : "convolve", inner, columns: to, panel: PANEL, items: pixels, scratch }; // biome-ignore format: one line
}

/** Sides of the output, and the padding before the input. As XNNPACK computes them. */
function axis(
  side: number,
  window: number,
  dilation: number,
  stride: number,
  before: number,
  after: number,
  isSame: boolean,
): [number, number] {
  // biome-ignore format: one line
  const reach = (window - 1) * dilation + 1;
  if (!isSame) return [Math.floor(Math.max(0, side + before + after - reach) / stride) + 1, before];
  const out = Math.ceil(side / stride);
  return [out, Math.max(0, (out - 1) * stride + reach - side) >> 1];
}

function product(args: CallStep["args"]): OwnCall | undefined {
  const [x, left, , weights, right, , isTurnedX, isTurned, activation, biases, , , out] = args;
  const [batch = 0, rows = 0, inner = 0] = tableOf(left);
  const [batches = 0, same = 0, columns = 0] = tableOf(right);
  const clamp = CLAMPS[activation as number];
  if (!clamp || isTurnedX || isTurned || batches !== 1 || same !== inner) return undefined;
  if (![batch * rows, inner, columns].every((side) => side > 0 && side <= MAX_SIDE)) return undefined;
  const sides = [1, batch * rows, 1, inner, batch * rows, 1, columns, 1, 1, 1, 1, 1, 1, 0, 0];
  const [low, high] = clamp;
  const [xId, weightsId, biasesId, outId] = [x, weights, biases, out] as [number, number, number, number];
  const after = activation === SIGMOID ? ({ after: "Sigmoid" } as const) : {};
  return { kernel: "multiply", ...after, x: xId, weights: weightsId, biases: biasesId, out: outId, sides, low, high, inner, columns, panel: PANEL, items: batch * rows, scratch: TILE * BYTES }; // biome-ignore format: one line
}

const tableOf = (arg: CallStep["args"][number] | undefined): number[] =>
  arg instanceof Uint8Array && arg.length === 12 ? [...new Int32Array(arg.slice().buffer)] : [];
