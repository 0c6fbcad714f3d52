// Tests the features graph: its output equals that of the same layer of nsfwjs's Keras model.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { MobileNetV2Model } from "nsfwjs/models/mobilenet_v2";
import { afterAll, beforeAll, expect, it } from "vitest";
import { useWasm } from "../../../models/digits/wasm.js";
import { convert, SIDE } from "../../../models/features/convert.js";

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "insitu-features-"));
  await useWasm();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function ours(): Promise<tf.GraphModel> {
  const path = await convert(folder);
  const { weightsManifest, ...json } = JSON.parse(readFileSync(path, "utf8"));
  const [group] = weightsManifest;
  const weightData = new Uint8Array(readFileSync(join(dirname(path), group.paths[0]))).buffer;
  return tf.loadGraphModel({ load: async () => ({ ...json, weightSpecs: group.weights, weightData }) });
}

async function theirs(): Promise<tf.LayersModel> {
  const { modelTopology, weightsManifest } = (await MobileNetV2Model.modelJson()).default as unknown as {
    modelTopology: object;
    weightsManifest: { weights: tf.io.WeightsManifestEntry[] }[];
  };
  const bundles = await Promise.all(MobileNetV2Model.weightBundles.map((bundle) => bundle()));
  const bytes = Buffer.concat(bundles.map((bundle) => Buffer.from(bundle.default as string, "base64")));
  const weightSpecs = weightsManifest.flatMap(({ weights }) => weights);
  const model = await tf.loadLayersModel({
    load: async () => ({ modelTopology, weightSpecs, weightData: new Uint8Array(bytes).buffer }),
  });
  return tf.model({ inputs: model.inputs, outputs: model.getLayer("flatten_1").output });
}

it("is the same network, except for rounding", async () => {
  const picture = tf.randomUniform([1, SIDE, SIDE, 3], 0, 1, "float32", 7);
  const [graph, layers] = [await ours(), await theirs()];
  const mine = (await (graph.execute({ image: picture }, "features") as tf.Tensor).data()) as Float32Array;
  const right = (await (layers.predict(picture) as tf.Tensor).data()) as Float32Array;
  expect(mine.length).toBe(1280);
  // Features of 0 to 6 that are not all alike: an empty comparison would prove nothing.
  expect(Math.max(...right) - Math.min(...right)).toBeGreaterThan(0.5);
  const worst = mine.reduce((max, value, index) => Math.max(max, Math.abs(value - (right[index] as number))), 0);
  expect(worst).toBeLessThan(1e-4);
}, 60_000);
