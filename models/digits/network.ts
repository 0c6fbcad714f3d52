// The digit network, built from operations with gradients that run on tfjs's wasm backend.
import * as tf from "@tensorflow/tfjs";

/** Filters of the three convolutions, each followed by a 2 x 2 max pooling. */
const FILTERS = [16, 32, 64] as const;
export const CLASSES = 10;
const KERNEL = 3;
const POOL = 2;
/** Inputs of the dense layer: 28 pixels halve to 14, 7 and 3. */
export const FEATURES = 3 * 3 * FILTERS[2];

/** Three convolutions and a dense layer; the names are those of the exported graph's constants. */
export interface Weights {
  conv1: tf.Variable<tf.Rank.R4>;
  bias1: tf.Variable<tf.Rank.R1>;
  conv2: tf.Variable<tf.Rank.R4>;
  bias2: tf.Variable<tf.Rank.R1>;
  conv3: tf.Variable<tf.Rank.R4>;
  bias3: tf.Variable<tf.Rank.R1>;
  dense: tf.Variable<tf.Rank.R2>;
  bias4: tf.Variable<tf.Rank.R1>;
}

/** He initialization (He et al. 2015): standard deviation sqrt(2 / inputs), for layers with ReLU. */
export function createWeights(seed: number): Weights {
  const [first, second, third] = FILTERS;
  const normal = <R extends tf.Rank>(shape: tf.ShapeMap[R], inputs: number, offset: number) =>
    tf.variable(tf.randomNormal(shape, 0, Math.sqrt(2 / inputs), "float32", seed + offset) as tf.Tensor<R>);
  const zeros = (length: number) => tf.variable(tf.zeros([length])) as tf.Variable<tf.Rank.R1>;
  return {
    conv1: normal<tf.Rank.R4>([KERNEL, KERNEL, 1, first], KERNEL ** 2, 1),
    bias1: zeros(first),
    conv2: normal<tf.Rank.R4>([KERNEL, KERNEL, first, second], KERNEL ** 2 * first, 2),
    bias2: zeros(second),
    conv3: normal<tf.Rank.R4>([KERNEL, KERNEL, second, third], KERNEL ** 2 * second, 3),
    bias3: zeros(third),
    dense: normal<tf.Rank.R2>([FEATURES, CLASSES], FEATURES, 4),
    bias4: zeros(CLASSES),
  };
}

/**
 * Maps images `[batch, 28, 28, 1]` to logits `[batch, 10]`. `drop` is the dropout rate, for training only. The exported graph applies
 * bias and ReLU before the max pooling, with the same result; here that would be four times the work.
 */
export function logits(images: tf.Tensor4D, weights: Weights, drop: number, seed: number): tf.Tensor2D {
  const active = (maps: tf.Tensor4D, bias: tf.Tensor1D) => tf.relu(tf.add(pool(maps), bias)) as tf.Tensor4D;
  const first = active(firstConvolution(images, weights.conv1), weights.bias1);
  const second = active(convolution(first, weights.conv2), weights.bias2);
  const third = active(convolution(second, weights.conv3), weights.bias3);
  const features = tf.reshape(third, [images.shape[0], FEATURES]);
  const kept = drop > 0 ? tf.dropout(features, drop, undefined, seed) : features;
  return tf.add(tf.matMul(kept, weights.dense), weights.bias4);
}

// ---- gradients that tfjs's wasm backend lacks --------------------------------------------------------------------

/** The last argument of a custom gradient: a function that saves tensors. tfjs types every argument as tensor or function. */
type Save = (tensors: tf.Tensor[]) => void;

/** A 3 x 3 convolution with SAME padding. wasm has no kernels for its gradients, but they are convolutions themselves. */
const convolution = tf.customGrad((images, kernel, save) => {
  const [x, k] = [images as tf.Tensor4D, kernel as tf.Tensor4D];
  (save as Save)([x, k]);
  return {
    value: tf.conv2d(x, k, 1, "same"),
    gradFunc: (dy, [input, taps]) => [
      imageGradient(dy as tf.Tensor4D, taps as tf.Tensor4D),
      kernelGradient(input as tf.Tensor4D, dy as tf.Tensor4D),
    ],
  };
}) as (images: tf.Tensor4D, kernel: tf.Tensor4D) => tf.Tensor4D;

/** The same for the input image, which needs no gradient. */
function firstConvolution(images: tf.Tensor4D, kernel: tf.Tensor4D): tf.Tensor4D {
  const apply = tf.customGrad((taps) => ({
    value: tf.conv2d(images, taps as tf.Tensor4D, 1, "same"),
    gradFunc: (dy) => kernelGradient(images, dy as tf.Tensor4D),
  }));
  return apply(kernel) as tf.Tensor4D;
}

/** The gradient of the input: a convolution with the kernel rotated by 180 degrees, from filters to channels. */
function imageGradient(dy: tf.Tensor4D, kernel: tf.Tensor4D): tf.Tensor4D {
  return tf.conv2d(dy, tf.transpose(tf.reverse(kernel, [0, 1]), [0, 1, 3, 2]), 1, "same");
}

/**
 * The gradient of the 3 x 3 kernel: a convolution of the padded input with `dy` as a kernel as large as the image and the batch as
 * its channels.
 */
function kernelGradient(images: tf.Tensor4D, dy: tf.Tensor4D): tf.Tensor4D {
  const edge: [number, number] = [(KERNEL - 1) / 2, (KERNEL - 1) / 2];
  const bordered = tf.pad(images, [[0, 0], edge, edge, [0, 0]]);
  const met = tf.conv2d(tf.transpose(bordered, [3, 1, 2, 0]), tf.transpose(dy, [1, 2, 0, 3]), 1, "valid");
  return tf.transpose(met, [1, 2, 0, 3]);
}

/** 2 x 2 max pooling; the gradient goes to the first maximum only. */
const pool = tf.customGrad((images, save) => {
  const x = images as tf.Tensor4D;
  const y = tf.maxPool(x, POOL, POOL, "valid");
  (save as Save)([x, y]);
  return {
    value: y,
    gradFunc: (dy, [input, largest]) => poolGradient(dy, input as tf.Tensor4D, largest as tf.Tensor4D),
  };
}) as (images: tf.Tensor4D) => tf.Tensor4D;

function poolGradient(dy: tf.Tensor, images: tf.Tensor4D, largest: tf.Tensor4D): tf.Tensor4D {
  const [batch, height, width, channels] = images.shape;
  const [, rows, columns] = largest.shape;
  const [x, y, flow] = [images.dataSync(), largest.dataSync(), dy.dataSync()] as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const gradient = new Float32Array(x.length);
  const taps = [0, channels, width * channels, (width + 1) * channels];
  let from = 0;
  for (let image = 0; image < batch; image += 1) {
    for (let row = 0; row < rows; row += 1) {
      for (let column = 0; column < columns; column += 1) {
        const corner = ((image * height + row * POOL) * width + column * POOL) * channels;
        for (let channel = 0; channel < channels; channel += 1, from += 1) {
          const tap = taps.find((step) => x[corner + channel + step] === y[from]) ?? 0;
          gradient[corner + channel + tap] = flow[from] as number;
        }
      }
    }
  }
  return tf.tensor4d(gradient, images.shape);
}
