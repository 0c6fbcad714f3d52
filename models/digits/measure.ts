// Measures the accuracy of an exported digit model.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { type Digit, SIDE } from "./data.js";
import { useWasm } from "./wasm.js";

const PIXELS = SIDE * SIDE;
// The batch size affects speed only.
const BATCH = 100;

/** Accuracy of the graph model at `path` (its model.json) on `digits`, on tfjs's wasm backend. */
export async function measure(path: string, digits: Digit[]): Promise<number> {
  const classes = await classify(path, digits);
  return classes.filter((best, i) => best === digits[i]?.label).length / digits.length;
}

/** The class that the model gives each digit. */
export async function classify(path: string, digits: Digit[]): Promise<number[]> {
  await useWasm();
  const { weightsManifest, ...json } = JSON.parse(readFileSync(path, "utf8"));
  const [group] = weightsManifest;
  const bytes = readFileSync(join(dirname(path), group.paths[0]));
  const weightData = new Uint8Array(bytes).buffer;
  const model = await tf.loadGraphModel({ load: async () => ({ ...json, weightSpecs: group.weights, weightData }) });
  const classes: number[] = [];
  for (let from = 0; from < digits.length; from += BATCH) {
    const batch = digits.slice(from, from + BATCH);
    const best = tf.tidy(() => {
      const pixels = new Float32Array(batch.length * PIXELS);
      for (const [index, digit] of batch.entries()) pixels.set(digit.pixels, index * PIXELS);
      const images = tf.tensor4d(pixels, [batch.length, SIDE, SIDE, 1]);
      return tf.argMax(model.execute({ image: images }, "probabilities") as tf.Tensor2D, 1).dataSync();
    });
    classes.push(...best);
  }
  model.dispose();
  return classes;
}
