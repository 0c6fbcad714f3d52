// Writes the trained layers as a tfjs graph model: model.json and one weight file.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** `inputs * outputs` weights row by row, and one bias per output. */
export interface Layer {
  weights: Float32Array;
  bias: Float32Array;
}

const FLOAT = { type: "DT_FLOAT" };
const text = (value: string) => Buffer.from(value).toString("base64");
const dims = (...list: number[]) => ({ dim: list.map((size) => ({ size: String(size) })) });

const constant = (name: string) => ({ name, op: "Const", attr: { dtype: FLOAT } });

const dense = (name: string, input: string, index: number, isLast: boolean) => ({
  name,
  op: "_FusedMatMul",
  input: [input, `weights${index}`, `bias${index}`],
  attr: {
    T: FLOAT,
    transpose_a: { b: false },
    transpose_b: { b: false },
    fused_ops: { list: { s: ["BiasAdd", ...(isLast ? [] : ["Relu"])].map(text) } },
    num_args: { i: "1" },
    epsilon: { f: 0 },
  },
});

/** Writes `model.json` and `weights.bin` into `folder`; returns the path of `model.json`. */
export function writeGraphModel(layers: Layer[], folder: string): string {
  const width = (layer: Layer) => layer.weights.length / layer.bias.length;
  const nameOf = (index: number) => (index === layers.length - 1 ? "score" : `hidden${index}`);
  const tensors = layers.flatMap((layer, index) => [
    { name: `weights${index}`, shape: [width(layer), layer.bias.length], data: layer.weights },
    { name: `bias${index}`, shape: [layer.bias.length], data: layer.bias },
  ]);
  const shape = (...list: number[]) => ({ dtype: "DT_FLOAT", tensorShape: dims(...list) });
  const inputs = width(layers[0] as Layer);
  const model = {
    format: "graph-model",
    generatedBy: "insitu models/ranker",
    signature: {
      inputs: { features: { name: "features", ...shape(-1, inputs) } },
      outputs: { score: { name: "score", ...shape(-1, 1) } },
    },
    modelTopology: {
      node: [
        { name: "features", op: "Placeholder", attr: { dtype: FLOAT, shape: { shape: dims(-1, inputs) } } },
        ...tensors.map(({ name }) => constant(name)),
        ...layers.map((_, index) =>
          dense(nameOf(index), index === 0 ? "features" : nameOf(index - 1), index, index === layers.length - 1),
        ),
      ],
      library: {},
      versions: { producer: 0 },
    },
    weightsManifest: [
      { paths: ["weights.bin"], weights: tensors.map(({ name, shape }) => ({ name, shape, dtype: "float32" })) },
    ],
  };
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, "weights.bin"),
    Buffer.concat(tensors.map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength))),
  );
  const path = join(folder, "model.json");
  writeFileSync(path, JSON.stringify(model));
  return path;
}
