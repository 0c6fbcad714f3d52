// The network that reads digits, in operations whose gradients the wasm backend has.
import * as tf from "@tensorflow/tfjs";
import { SIDE } from "./data.js";

export const FILTERS = [16, 32] as const;
/** Units of the dense layer between features and classes. */
export const HIDDEN = 64;
export const CLASSES = 10;
const KERNEL = 3;

export interface Weights {
  conv1: tf.Variable<tf.Rank.R4>;
  bias1: tf.Variable<tf.Rank.R1>;
  conv2: tf.Variable<tf.Rank.R4>;
  bias2: tf.Variable<tf.Rank.R1>;
  dense1: tf.Variable<tf.Rank.R2>;
  bias3: tf.Variable<tf.Rank.R1>;
  dense2: tf.Variable<tf.Rank.R2>;
  bias4: tf.Variable<tf.Rank.R1>;
}

/** He's initialisation (He et al. 2015): deviation sqrt(2 / inputs), for layers that end in a rectifier. */
export function createWeights(seed: number): Weights {
  const [first, second] = FILTERS;
  const pooled = (SIDE / 4) ** 2 * second;
  const normal = <R extends tf.Rank>(shape: tf.ShapeMap[R], inputs: number, offset: number) =>
    tf.variable(tf.randomNormal(shape, 0, Math.sqrt(2 / inputs), "float32", seed + offset) as tf.Tensor<R>);
  const zeros = (length: number) => tf.variable(tf.zeros([length])) as tf.Variable<tf.Rank.R1>;
  return {
    conv1: normal<tf.Rank.R4>([KERNEL, KERNEL, 1, first], KERNEL ** 2, 1),
    bias1: zeros(first),
    conv2: normal<tf.Rank.R4>([KERNEL, KERNEL, first, second], KERNEL ** 2 * first, 2),
    bias2: zeros(second),
    dense1: normal<tf.Rank.R2>([pooled, HIDDEN], pooled, 3),
    bias3: zeros(HIDDEN),
    dense2: normal<tf.Rank.R2>([HIDDEN, CLASSES], HIDDEN, 4),
    bias4: zeros(CLASSES),
  };
}

/**
 * The 3 x 3 surroundings of each pixel of `batch` images, as rows of 9 for one matrix product: the first convolution sees
 * pixels, which need no gradient, so plain JavaScript may cut them out.
 */
export function patchesOf(pixels: Float32Array, batch: number): tf.Tensor2D {
  const patches = new Float32Array(batch * SIDE * SIDE * KERNEL ** 2);
  let to = 0;
  for (let image = 0; image < batch; image += 1) {
    for (let y = 0; y < SIDE; y += 1) {
      for (let x = 0; x < SIDE; x += 1) {
        for (let tap = 0; tap < KERNEL ** 2; tap += 1, to += 1) {
          const row = y + Math.floor(tap / KERNEL) - 1;
          const column = x + (tap % KERNEL) - 1;
          if (row < 0 || column < 0 || row >= SIDE || column >= SIDE) continue;
          patches[to] = pixels[(image * SIDE + row) * SIDE + column] as number;
        }
      }
    }
  }
  return tf.tensor2d(patches, [batch * SIDE * SIDE, KERNEL ** 2]);
}

/**
 * The second convolution with padding SAME as nine matrix products, one for each place of the kernel: tfjs's wasm backend
 * has no gradient kernel for Conv2D, but has those of slice and matMul. Rows are sliced with width and channels in one
 * dimension, since tfjs copies slices run by run, and runs of a few numbers made an epoch take a minute.
 */
function convolve(images: tf.Tensor4D, kernel: tf.Tensor4D): tf.Tensor2D {
  const [batch, height, width, channels] = images.shape;
  const filters = kernel.shape[3];
  const rows = images.reshape([batch, height, width * channels]).pad([
    [0, 0],
    [1, 1],
    [channels, channels],
  ]);
  const taps = kernel.reshape([KERNEL ** 2, channels * filters]);
  const products = Array.from({ length: KERNEL ** 2 }, (_, tap) => {
    const corner = [0, Math.floor(tap / KERNEL), (tap % KERNEL) * channels];
    const shifted = rows.slice(corner, [batch, height, width * channels]).reshape([batch * height * width, channels]);
    return shifted.matMul(taps.slice([tap, 0], [1, channels * filters]).reshape([channels, filters])) as tf.Tensor2D;
  });
  return products.reduce((sum, product) => sum.add(product));
}

/** The largest of each 2 x 2 pixels, from pairs of rows and then of columns: wasm has no gradient kernel for MaxPool. */
function pool(images: tf.Tensor4D): tf.Tensor4D {
  const [batch, height, width, channels] = images.shape;
  const rows = larger(images.reshape([(batch * height) / 2, 2 * width * channels]));
  const columns = larger(rows.reshape([(batch * height * width) / 4, 2 * channels]));
  return columns.reshape([batch, height / 2, width / 2, channels]) as tf.Tensor4D;
}

/** Of each row's two halves the larger number at each place. */
function larger(pairs: tf.Tensor): tf.Tensor {
  const [rows = 0, length = 0] = pairs.shape;
  return pairs.slice([0, 0], [rows, length / 2]).maximum(pairs.slice([0, length / 2], [rows, length / 2]));
}

/** `patches` of `batch` images to logits `[batch, 10]`. `drop` is the share of features left out, in training only. */
export function logits(patches: tf.Tensor2D, weights: Weights, drop: number, seed: number): tf.Tensor2D {
  const batch = patches.shape[0] / SIDE ** 2;
  const [first, second] = FILTERS;
  const seen = patches
    .matMul(weights.conv1.reshape([KERNEL ** 2, first]))
    .add(weights.bias1)
    .relu();
  const small = pool(seen.reshape([batch, SIDE, SIDE, first]));
  const found = convolve(small, weights.conv2).add(weights.bias2).relu();
  const features = pool(found.reshape([batch, SIDE / 2, SIDE / 2, second])).reshape([batch, -1]);
  const kept = drop > 0 ? tf.dropout(features, drop, undefined, seed) : features;
  const hidden = kept.matMul(weights.dense1).add(weights.bias3).relu();
  return hidden.matMul(weights.dense2).add(weights.bias4) as tf.Tensor2D;
}
