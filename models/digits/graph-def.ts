// Writes the trained network as a tfjs graph model: model.json and one weight file.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CLASSES, FEATURES, type Weights } from "./network.js";

const FLOAT = { type: "DT_FLOAT" };
const text = (value: string) => ({ s: Buffer.from(value).toString("base64") });
const sizes = (...list: number[]) => ({ list: { i: list.map(String) } });
const dims = (...list: number[]) => ({ dim: list.map((size) => ({ size: String(size) })) });

interface Node {
  name: string;
  op: string;
  input?: string[];
  attr: Record<string, unknown>;
}

const constant = (name: string, type = "DT_FLOAT"): Node => ({ name, op: "Const", attr: { dtype: { type } } });

const conv = (name: string, input: string, kernel: string, bias: string): Node => ({
  name,
  op: "_FusedConv2D",
  input: [input, kernel, bias],
  attr: {
    T: FLOAT,
    strides: sizes(1, 1, 1, 1),
    dilations: sizes(1, 1, 1, 1),
    padding: text("SAME"),
    data_format: text("NHWC"),
    fused_ops: { list: { s: [text("BiasAdd").s, text("Relu").s] } },
    num_args: { i: "1" },
    epsilon: { f: 0 },
    explicit_paddings: { list: {} },
    use_cudnn_on_gpu: { b: true },
  },
});

const pool = (name: string, input: string): Node => ({
  name,
  op: "MaxPool",
  input: [input],
  attr: {
    T: FLOAT,
    ksize: sizes(1, 2, 2, 1),
    strides: sizes(1, 2, 2, 1),
    padding: text("VALID"),
    data_format: text("NHWC"),
  },
});

function nodes(names: string[]): Node[] {
  return [
    { name: "image", op: "Placeholder", attr: { dtype: FLOAT, shape: { shape: dims(-1, 28, 28, 1) } } },
    ...names.map((name) => constant(name)),
    constant("flat_shape", "DT_INT32"),
    conv("features1", "image", "conv1", "bias1"),
    pool("pooled1", "features1"),
    conv("features2", "pooled1", "conv2", "bias2"),
    pool("pooled2", "features2"),
    conv("features3", "pooled2", "conv3", "bias3"),
    pool("pooled3", "features3"),
    { name: "flat", op: "Reshape", input: ["pooled3", "flat_shape"], attr: { T: FLOAT, Tshape: { type: "DT_INT32" } } },
    {
      name: "logits",
      op: "_FusedMatMul",
      input: ["flat", "dense", "bias4"],
      attr: {
        T: FLOAT,
        transpose_a: { b: false },
        transpose_b: { b: false },
        fused_ops: { list: { s: [text("BiasAdd").s] } },
        num_args: { i: "1" },
        epsilon: { f: 0 },
      },
    },
    { name: "probabilities", op: "Softmax", input: ["logits"], attr: { T: FLOAT } },
  ];
}

const tensorInfo = (name: string, ...shape: number[]) => ({ name, dtype: "DT_FLOAT", tensorShape: dims(...shape) });

/** Writes `model.json` and `weights.bin` into `folder`; returns the path of `model.json`. */
export async function writeGraphModel(weights: Weights, folder: string): Promise<string> {
  const specs: { name: string; shape: number[]; dtype: string }[] = [];
  const parts: Buffer[] = [];
  for (const [name, variable] of Object.entries(weights)) {
    specs.push({ name, shape: variable.shape, dtype: "float32" });
    const data = (await variable.data()) as Float32Array;
    parts.push(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  }
  specs.push({ name: "flat_shape", shape: [2], dtype: "int32" });
  parts.push(Buffer.from(Int32Array.of(-1, FEATURES).buffer));
  const model = {
    format: "graph-model",
    generatedBy: "insitu models/digits",
    signature: {
      inputs: { image: tensorInfo("image", -1, 28, 28, 1) },
      outputs: { probabilities: tensorInfo("probabilities", -1, CLASSES) },
    },
    modelTopology: { node: nodes(Object.keys(weights)), library: {}, versions: { producer: 0 } },
    weightsManifest: [{ paths: ["weights.bin"], weights: specs }],
  };
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "weights.bin"), Buffer.concat(parts));
  const path = join(folder, "model.json");
  writeFileSync(path, JSON.stringify(model));
  return path;
}
