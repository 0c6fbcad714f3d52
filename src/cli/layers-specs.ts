// Reads the inputs and outputs of a tfjs layers model, and computes the shape layer by layer as far as possible.

import type { DType } from "../shared/types/tensor.js";
import { isObject, own } from "../worker/package/json-fields.js";
import { layersConfig } from "../worker/package/topology.js";
import type { Guess, Guesses } from "./graph-specs.js";

type Json = Record<string, unknown>;
type Shape = number[] | undefined;

interface Layer {
  className: string;
  config: Json;
  name: string;
  /** Names of the layers whose outputs it takes; undefined in a sequential model. */
  from?: string[];
}

export function layersSpecs(json: Json): Guesses {
  const model = layersConfig(own(json, "modelTopology") as Json);
  return model ? specsOf(model) : { inputs: [], outputs: [] };
}

export function layerNames(json: Json): string[] {
  const model = layersConfig(own(json, "modelTopology") as Json);
  return model ? layersOf(own(model, "config")).map(({ name }) => name) : [];
}

function specsOf(model: Json, given?: Shape): Guesses {
  const config = own(model, "config");
  const layers = layersOf(config);
  const functional = isObject(config) ? config : {};
  const inputNames = endNames(own(functional, "input_layers"));
  const outputNames = endNames(own(functional, "output_layers"));
  const shapes = layerShapes(layers, given);
  const [first] = layers;
  const last = layers.at(-1);
  const outputs = outputNames.length > 0 ? outputNames : last ? [last.name] : [];
  return {
    inputs:
      inputNames.length > 0
        ? inputNames.map((name) => inputOf(layers.find((layer) => layer.name === name)) ?? { name })
        : [inputOf(first) ?? { name: "input" }],
    // All weights and activations of tfjs layers are float32.
    outputs: outputs.map((name): Guess => ({ name, dtype: "float32", shape: shapes.get(name) })),
  };
}

/** Old versions of Keras write the layers of a sequential model as the config itself. */
function layersOf(config: unknown): Layer[] {
  const items = isObject(config) ? own(config, "layers") : config;
  if (!Array.isArray(items)) return [];
  return items.filter(isObject).map((item): Layer => {
    const layer = own(item, "config");
    const inner = isObject(layer) ? layer : {};
    const inbound = own(item, "inbound_nodes");
    const name = String(own(item, "name") ?? own(inner, "name") ?? own(item, "class_name"));
    const from = Array.isArray(inbound) && inbound.length > 0 ? inboundNames(inbound[0]) : undefined;
    return { className: String(own(item, "class_name")), config: inner, name, ...(from && { from }) };
  });
}

/** Parses `[["conv", 0, 0, {}], …]`. Keras 3 writes another form; its shapes stay unknown. */
function inboundNames(value: unknown): string[] {
  return Array.isArray(value) ? value.map((entry) => (Array.isArray(entry) ? String(entry[0]) : "")) : [""];
}

/** `[["dense", 0, 0], …]`, or one such entry alone. */
function endNames(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  if (typeof value[0] === "string") return [value[0]];
  return value.filter(Array.isArray).map((entry) => String(entry[0]));
}

function inputOf(layer: Layer | undefined): Guess | undefined {
  if (!layer) return undefined;
  const shape = inputShape(layer);
  const dtype = own(layer.config, "dtype");
  const isInput = layer.className === "InputLayer";
  return {
    // The name that tfjs gives to the input which it adds before the first layer of a sequential model.
    name: isInput ? layer.name : `${layer.name}_input`,
    dtype: dtype === "int32" || dtype === "bool" ? (dtype satisfies DType) : "float32",
    ...(shape && { shape }),
  };
}

function inputShape({ config }: Layer): Shape {
  const value = own(config, "batch_input_shape") ?? own(config, "batchInputShape") ?? own(config, "batch_shape");
  return Array.isArray(value) ? value.map((size) => (typeof size === "number" ? size : -1)) : undefined;
}

function layerShapes(layers: Layer[], given: Shape): Map<string, Shape> {
  const shapes = new Map<string, Shape>();
  let before = given;
  for (const layer of layers) {
    const sources = layer.from ? layer.from.map((name) => shapes.get(name)) : [inputShape(layer) ?? before];
    const [first] = sources;
    const same = sources.every((shape) => String(shape) === String(first));
    before =
      layer.className === "InputLayer" ? inputShape(layer) : first && same ? shapeAfter(layer, first) : undefined;
    shapes.set(layer.name, before);
  }
  return shapes;
}

// Layers that keep the shape. Those that merge take inputs of equal shapes.
const SHAPE_PRESERVING = new Set([
  ...["Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "ThresholdedReLU", "Softmax", "Rescaling", "Masking"],
  ...["Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "AlphaDropout", "BatchNormalization"],
  ...["LayerNormalization", "Add", "Multiply", "Average", "Maximum", "Minimum"],
]);

/** The output shape of a layer; undefined for an unsupported layer, since a wrong shape would be worse than none. */
function shapeAfter({ className, config }: Layer, shape: number[]): Shape {
  if (SHAPE_PRESERVING.has(className)) return shape;
  const units = own(config, "units");
  switch (className) {
    case "Dense":
      return typeof units === "number" ? [...shape.slice(0, -1), units] : undefined;
    case "LSTM":
    case "GRU":
    case "SimpleRNN":
      if (typeof units !== "number") return undefined;
      return own(config, "return_sequences") === true ? [...shape.slice(0, 2), units] : [shape[0] ?? -1, units];
    case "Flatten":
      return [shape[0] ?? -1, product(shape.slice(1))];
    case "Reshape":
      return reshaped(own(config, "target_shape"), shape);
    case "GlobalAveragePooling1D":
    case "GlobalAveragePooling2D":
    case "GlobalMaxPooling1D":
    case "GlobalMaxPooling2D":
      return channelsLast(config) ? [shape[0] ?? -1, shape.at(-1) ?? -1] : undefined;
    case "Conv1D":
    case "Conv2D":
    case "SeparableConv2D":
      return windowed(config, shape, "kernel_size", own(config, "filters"));
    case "DepthwiseConv2D":
      return windowed(config, shape, "kernel_size", (shape.at(-1) ?? 0) * Number(own(config, "depth_multiplier") ?? 1));
    case "MaxPooling1D":
    case "MaxPooling2D":
    case "AveragePooling1D":
    case "AveragePooling2D":
      return windowed(config, shape, "pool_size", shape.at(-1));
    case "Sequential":
      return specsOf({ class_name: className, config }, shape).outputs[0]?.shape;
    default:
      return undefined;
  }
}

const product = (sizes: number[]): number => (sizes.includes(-1) ? -1 : sizes.reduce((all, size) => all * size, 1));

const channelsLast = (config: Json): boolean => own(config, "data_format") !== "channels_first";

function reshaped(target: unknown, shape: number[]): Shape {
  if (!Array.isArray(target)) return undefined;
  const sizes = target.map((size) => (typeof size === "number" ? size : -1));
  const rest = product(shape.slice(1));
  const known = product(sizes.filter((size) => size !== -1));
  const open = rest === -1 ? -1 : rest / known;
  return [shape[0] ?? -1, ...sizes.map((size) => (size === -1 ? open : size))];
}

/** The output shape of a window that slides over all axes but the first and the last. */
function windowed(config: Json, shape: number[], windowKey: string, channels: unknown): Shape {
  const padding = own(config, "padding");
  if (!channelsLast(config) || typeof channels !== "number" || (padding !== "same" && padding !== "valid"))
    return undefined;
  const axis = (key: string, index: number): number | undefined => {
    const value = own(config, key);
    const size = Array.isArray(value) ? value[index] : value;
    return typeof size === "number" ? size : undefined;
  };
  const sizes = shape.slice(1, -1).map((size, index) => {
    const window = axis(windowKey, index);
    const stride = axis("strides", index) ?? (windowKey === "pool_size" ? window : 1);
    if (size === -1 || window === undefined || !stride) return -1;
    const reach = (window - 1) * (axis("dilation_rate", index) ?? 1) + 1;
    return padding === "same" ? Math.ceil(size / stride) : Math.floor((size - reach) / stride) + 1;
  });
  return [shape[0] ?? -1, ...sizes, channels];
}
