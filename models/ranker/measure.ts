// Runs an exported base ranker in Node, for its evaluation and for the benchmark.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { useWasm } from "../digits/wasm.js";

/** Returns one score per row of features, from the graph model at `path` (its model.json). */
export async function predictWith(path: string, rows: Float32Array[]): Promise<Float32Array> {
  await useWasm();
  const { weightsManifest, ...json } = JSON.parse(readFileSync(path, "utf8"));
  const [group] = weightsManifest;
  const weightData = new Uint8Array(readFileSync(join(dirname(path), group.paths[0]))).buffer;
  const model = await tf.loadGraphModel({ load: async () => ({ ...json, weightSpecs: group.weights, weightData }) });
  const scores = tf.tidy(() => {
    const width = rows[0]?.length ?? 0;
    const all = new Float32Array(rows.length * width);
    for (const [index, row] of rows.entries()) all.set(row, index * width);
    return (model.execute({ features: tf.tensor2d(all, [rows.length, width]) }, "score") as tf.Tensor).dataSync();
  });
  model.dispose();
  return Float32Array.from(scores);
}
