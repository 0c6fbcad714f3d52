// Plain TensorFlow.js as one engine of a comparison: on the main thread, used as in its documentation.
import "@tensorflow/tfjs-backend-cpu";
import { getThreadsCount, setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import "@tensorflow/tfjs-backend-webgpu";
import { type GraphModel, loadGraphModel } from "@tensorflow/tfjs-converter";
import * as tf from "@tensorflow/tfjs-core";
import type { Manifest } from "../../src/shared/types/manifest.js";
import type { Backend, TensorData } from "../../src/shared/types/tensor.js";
import { toValue } from "../../src/worker/runtime/outputs.js";
import type { Side } from "./side.js";

/** Opens the model and compiles its kernels by a run on zeros. */
export async function loadPlain(base: string, backend: Backend): Promise<Side> {
  const plain = await openPlain(base, backend);
  await plain.outputs(new Float32Array(plain.size));
  return plain;
}

/** Loads the package's files over HTTP; `size` is the number of values of the input. */
export async function openPlain(base: string, backend: Backend): Promise<Side & { size: number }> {
  setWasmPaths("/dist/wasm/");
  if (!(await tf.setBackend(backend))) throw new Error(`plain tfjs could not start ${backend}`);
  const manifest = (await (await fetch(`${base}insitu.json`)).json()) as Manifest;
  const file = manifest.files.find(({ path }) => path.endsWith(".json"))?.path;
  const model = await loadGraphModel(`${base}${file}`);
  const shape = (manifest.inputs[0]?.shape ?? []).map((size) => Math.abs(size));
  return {
    size: shape.reduce((all, length) => all * length, 1),
    async predict(image) {
      const { input, placement } = tf.tidy(() => prepare(image, manifest));
      return toValue(manifest, await run(model, manifest, input), placement);
    },
    outputs: (input) => run(model, manifest, tf.tensor(input, shape)),
    ran() {
      const on = tf.getBackend();
      return { backend: on, threads: on === "wasm" ? getThreadsCount() : undefined };
    },
    dispose: async () => model.dispose(),
  };
}

/** Applies the manifest's `image` with tfjs operations: pixels, resize, a border for `contain`, scale. */
function prepare(image: HTMLImageElement, { inputs }: Manifest) {
  const [, height = 1, width = 1, channels = 3] = inputs[0]?.shape ?? [];
  const { border = [0, 0, 0], scale = 1, fit } = inputs[0]?.image ?? {};
  const pixels = tf.browser.fromPixels(image);
  const [fromHeight, fromWidth] = pixels.shape;
  const ratio = Math.min(width / fromWidth, height / fromHeight);
  const toHeight = fit === "stretch" ? height : Math.round(fromHeight * ratio);
  const toWidth = fit === "stretch" ? width : Math.round(fromWidth * ratio);
  const top = Math.floor((height - toHeight) / 2);
  const left = Math.floor((width - toWidth) / 2);
  const resized = tf.image.resizeBilinear(pixels, [toHeight, toWidth]);
  const around: [number, number][] = [[top, height - toHeight - top], [left, width - toWidth - left], [0, 0]]; // biome-ignore format: a pair an axis
  const padded = fit === "stretch" ? resized : tf.pad(resized, around, border[0]);
  const grey = channels === 1 ? tf.mean(padded, 2, true) : padded;
  const input = tf.expandDims(scale === 1 ? grey : tf.mul(grey, scale), 0);
  const [scaleX, scaleY] = [toWidth / fromWidth, toHeight / fromHeight];
  const placement = { scaleX, scaleY, offsetX: left, offsetY: top, width: fromWidth, height: fromHeight };
  return { input, placement };
}

async function run(model: GraphModel, manifest: Manifest, input: tf.Tensor): Promise<Record<string, TensorData>> {
  const names = manifest.outputs.map(({ name }) => name);
  const result = model.execute({ [manifest.inputs[0]?.name ?? ""]: input }, names);
  const tensors = Array.isArray(result) ? result : [result as tf.Tensor];
  const outputs: Record<string, TensorData> = {};
  for (const [index, tensor] of tensors.entries()) {
    const data = (await tensor.data()) as Float32Array;
    outputs[names[index] ?? ""] = { data, shape: tensor.shape, dtype: "float32" };
    tensor.dispose();
  }
  input.dispose();
  return outputs;
}
