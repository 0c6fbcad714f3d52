// Fine-tunes a packed digit model on new labelled digits, mixed half and half with the digits that it was first trained on.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { seeded } from "./augment.js";
import { type Digit, training } from "./data.js";
import { writeGraphModel } from "./graph-def.js";
import type { Weights } from "./network.js";
import { BATCH, decayed, shuffle, trainStep } from "./train.js";
import { useWasm } from "./wasm.js";

// Fixed, so that two runs on the same labels are equal on one machine.
const SEED = 20261128;
// A quarter of the rate of the first training: the weights are good already.
const RATE = 5e-4;
/** One digit in so many is new: with half of them the model forgot more of what it knew (README.md). */
const NEW_EVERY = 3;
const LOG_EVERY = 100;

export interface FineTuneOptions {
  /** Path of the model.json to start from. */
  base: string;
  /** New labelled digits, none of them held out. */
  digits: readonly Digit[];
  /** Folder for the new model.json. */
  folder: string;
  /** Batches of 32. */
  steps: number;
}

export interface FineTuned {
  /** Path of the new model.json. */
  model: string;
  /** Digits it was trained on, old and new. */
  images: number;
}

export async function fineTune(options: FineTuneOptions, log: (line: string) => void): Promise<FineTuned> {
  const { base, digits, folder, steps } = options;
  if (digits.length === 0) throw new Error("There are no new digits to train on.");
  await useWasm();
  const weights = readWeights(base);
  const random = seeded(SEED);
  const [fresh, old] = [endless([...digits], random), endless(training(), random)];
  const optimizer = tf.train.adam(RATE);
  const started = performance.now();
  let sum = 0;
  for (let step = 0; step < steps; step += 1) {
    (optimizer as unknown as { learningRate: number }).learningRate = decayed(RATE, step / steps);
    // Old digits are half of each batch, so that what the model knew is not forgotten.
    const batch = Array.from({ length: BATCH }, (_, i) => (i % NEW_EVERY === 0 ? fresh() : old()));
    sum += trainStep(batch, weights, optimizer, random);
    if ((step + 1) % LOG_EVERY !== 0) continue;
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    log(`fine-tuning, step ${step + 1}/${steps}: loss ${(sum / LOG_EVERY).toFixed(4)}, ${seconds} s`);
    sum = 0;
  }
  const model = await writeGraphModel(weights, folder);
  for (const variable of Object.values(weights) as tf.Variable[]) variable.dispose();
  return { model, images: digits.length + training().length };
}

/** Digit after digit, in a new order each time round. */
function endless(digits: Digit[], random: () => number): () => Digit {
  let next = digits.length;
  return () => {
    if (next >= digits.length) {
      shuffle(digits, random);
      next = 0;
    }
    next += 1;
    return digits[next - 1] as Digit;
  };
}

const NAMES = ["conv1", "bias1", "conv2", "bias2", "conv3", "bias3", "dense", "bias4"] as const;

/** The trainable constants of the graph that `writeGraphModel` wrote. */
function readWeights(path: string): Weights {
  const { weightsManifest } = JSON.parse(readFileSync(path, "utf8")) as {
    weightsManifest: { paths: string[]; weights: { name: string; shape: number[]; dtype: "float32" | "int32" }[] }[];
  };
  const [group] = weightsManifest;
  if (!group) throw new Error(`${path} has no weights.`);
  const bytes = Buffer.concat(group.paths.map((file) => readFileSync(join(dirname(path), file))));
  const values = tf.io.decodeWeights(new Uint8Array(bytes).buffer, group.weights);
  const variables = NAMES.map((name) => {
    const value = values[name];
    if (!value) throw new Error(`${path} has no weights named ${name}: it is not a model of models/digits.`);
    return [name, tf.variable(value)];
  });
  for (const value of Object.values(values)) value.dispose();
  return Object.fromEntries(variables) as unknown as Weights;
}
