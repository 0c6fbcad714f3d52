// Converts the MobileNetV2 of the npm package nsfwjs, a Keras model, to a graph model without its last layers.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MobileNetV2Model } from "nsfwjs/models/mobilenet_v2";

interface Layer {
  class_name: string;
  name: string;
  config: Record<string, unknown>;
  inbound_nodes: [string, ...unknown[]][][];
}

interface WeightSpec {
  name: string;
  shape: number[];
  dtype: string;
  quantization?: { dtype: "uint8" | "uint16"; min: number; scale: number };
}

interface Node {
  name: string;
  op: string;
  input?: string[];
  attr: Record<string, unknown>;
}

/** The last layer of the backbone; the following layers classify nsfwjs's five classes. */
const LAST = "out_relu";
export const SIDE = 224;

const FLOAT = { type: "DT_FLOAT" };
const text = (value: string) => ({ s: Buffer.from(value).toString("base64") });
const sizes = (...list: number[]) => ({ list: { i: list.map(String) } });
const dims = (...list: number[]) => ({ dim: list.map((size) => ({ size: String(size) })) });
const constant = (name: string, type = "DT_FLOAT"): Node => ({ name, op: "Const", attr: { dtype: { type } } });

/** Writes `model.json` and `weights.bin` into `folder`; returns the path of `model.json`. */
export async function convert(folder: string): Promise<string> {
  const json = (await MobileNetV2Model.modelJson()).default as unknown as {
    modelTopology: { model_config: { config: { layers: Layer[] } } };
    weightsManifest: { weights: WeightSpec[] }[];
  };
  const bundles = await Promise.all(MobileNetV2Model.weightBundles.map((bundle) => bundle()));
  const bytes = Buffer.concat(bundles.map((bundle) => Buffer.from(bundle.default as string, "base64")));
  const { layers } = json.modelTopology.model_config.config;
  const used = layers.slice(0, layers.findIndex(({ name }) => name === LAST) + 1);
  const specs = json.weightsManifest.flatMap(({ weights }) => weights);
  const { kept, weights } = selectWeights(specs, bytes, new Set(used.map(({ name }) => name)));
  const nodes = [...kept.map(({ name }) => constant(name)), ...nodesOf(used, kept)];
  const axes: WeightSpec = { name: "height_and_width", shape: [2], dtype: "int32" };
  const model = {
    format: "graph-model",
    generatedBy: "insitu models/features",
    signature: {
      inputs: { image: { name: "image", dtype: "DT_FLOAT", tensorShape: dims(-1, SIDE, SIDE, 3) } },
      outputs: { features: { name: "features", dtype: "DT_FLOAT", tensorShape: dims(-1, 1280) } },
    },
    modelTopology: { node: nodes, library: {}, versions: { producer: 0 } },
    weightsManifest: [{ paths: ["weights.bin"], weights: [...kept, axes] }],
  };
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "weights.bin"), Buffer.concat([...weights, Buffer.from(Int32Array.of(1, 2).buffer)]));
  const path = join(folder, "model.json");
  writeFileSync(path, JSON.stringify(model));
  return path;
}

/** The weights of these layers and their bytes, unchanged: one byte per weight. */
function selectWeights(specs: WeightSpec[], bytes: Buffer, layers: ReadonlySet<string>) {
  const kept: WeightSpec[] = [];
  const weights: Buffer[] = [];
  let at = 0;
  for (const spec of specs) {
    const each = spec.quantization ? (spec.quantization.dtype === "uint8" ? 1 : 2) : 4;
    const size = spec.shape.reduce((product, length) => product * length, each);
    if (layers.has(spec.name.split("/", 1)[0] ?? "")) {
      kept.push(spec);
      weights.push(bytes.subarray(at, at + size));
    }
    at += size;
  }
  if (at !== bytes.length) throw new Error(`The weights end at byte ${at}, the file has ${bytes.length}.`);
  return { kept, weights };
}

function nodesOf(layers: Layer[], weights: WeightSpec[]): Node[] {
  const names = new Set(weights.map(({ name }) => name));
  const has = (name: string) => {
    if (!names.has(name)) throw new Error(`The model has no weight named ${name}.`);
    return name;
  };
  /** For layers without a node of their own: the node that their readers use instead. */
  const instead = new Map<string, string>();
  const nodes: Node[] = [];
  for (const { class_name: kind, name, config, inbound_nodes } of layers) {
    const inputs = (inbound_nodes[0] ?? []).map(([from]) => instead.get(from) ?? from);
    const [input = ""] = inputs;
    switch (kind) {
      case "InputLayer":
        nodes.push({
          name: "image",
          op: "Placeholder",
          attr: { dtype: FLOAT, shape: { shape: dims(-1, SIDE, SIDE, 3) } },
        });
        instead.set(name, "image");
        break;
      case "ZeroPadding2D":
        // Padding below and right before a stride of 2 equals SAME for an even size.
        if (JSON.stringify(config.padding) !== "[[0,1],[0,1]]") throw new Error(`${name} has an unsupported padding.`);
        instead.set(name, input);
        break;
      case "Conv2D":
        nodes.push(convolution("Conv2D", name, [input, has(`${name}/kernel`)], config));
        break;
      case "DepthwiseConv2D":
        nodes.push(convolution("DepthwiseConv2dNative", name, [input, has(`${name}/depthwise_kernel`)], config));
        break;
      case "BatchNormalization": {
        const own = ["gamma", "beta", "moving_mean", "moving_variance"].map((part) => has(`${name}/${part}`));
        nodes.push({ name, op: "FusedBatchNormV3", input: [input, ...own], attr: batchNormAttributes(config) });
        break;
      }
      case "ReLU":
        if (config.max_value !== 6)
          throw new Error(`${name} has the maximum ${config.max_value}; only 6 is supported.`);
        nodes.push({ name, op: "Relu6", input: [input], attr: { T: FLOAT } });
        break;
      case "Add":
        nodes.push({ name, op: "AddV2", input: inputs, attr: { T: FLOAT } });
        break;
      default:
        throw new Error(`${name} is a ${kind}, which is not supported.`);
    }
  }
  const mean = { T: FLOAT, Tidx: { type: "DT_INT32" }, keep_dims: { b: false } };
  return [
    ...nodes,
    constant("height_and_width", "DT_INT32"),
    { name: "features", op: "Mean", input: [LAST, "height_and_width"], attr: mean },
  ];
}

function batchNormAttributes({ epsilon }: Record<string, unknown>): Node["attr"] {
  return {
    T: FLOAT,
    U: FLOAT,
    epsilon: { f: epsilon },
    is_training: { b: false },
    data_format: text("NHWC"),
  };
}

function convolution(op: string, name: string, input: string[], { strides }: Record<string, unknown>): Node {
  const [height = 1, width = 1] = strides as number[];
  const attr = {
    T: FLOAT,
    strides: sizes(1, height, width, 1),
    dilations: sizes(1, 1, 1, 1),
    padding: text("SAME"),
    data_format: text("NHWC"),
    explicit_paddings: { list: {} },
  };
  return { name, op, input, attr };
}
