// Reads the inputs and outputs of a tfjs layers model: from its description, and with their shapes from tfjs itself.

import { InsituError } from "../shared/errors.js";
import { isObject, own } from "../shared/json-fields.js";
import type { DType } from "../shared/types/tensor.js";
import { layerOutputNames } from "../worker/package/layer-outputs.js";
import { layersConfig } from "../worker/package/topology.js";
import { SAVED_MODEL_WAY } from "./conversions.js";
import { type Guess, type Guesses, guessesOf } from "./guess.js";

type Json = Record<string, unknown>;

interface Layer {
  className: string;
  config: Json;
  name: string;
  inbound: unknown;
}

/** Without the shapes of outputs, which only tfjs can compute. */
export function layersSpecs(json: Json): Guesses {
  const model = modelOf(json);
  const config = model && own(model, "config");
  const layers = layersOf(config);
  const functional = isObject(config) ? config : {};
  const inputs = endNames(own(functional, "input_layers"));
  const outputs = endNames(own(functional, "output_layers"));
  const last = layers.at(-1);
  const names = outputs.length > 0 ? outputs : last ? [last.name] : [];
  return guessesOf(
    inputs.length > 0
      ? inputs.map((name) => inputOf(layers.find((layer) => layer.name === name)) ?? { name })
      : [inputOf(layers[0]) ?? { name: "input" }],
    // All weights and activations of tfjs layers are float32.
    layerOutputNames(names, layerNames(json)).map((name): Guess => ({ name, dtype: "float32" })),
  );
}

export function layerNames(json: Json): string[] {
  const model = modelOf(json);
  return model ? layersOf(own(model, "config")).map(({ name }) => name) : [];
}

const modelOf = (json: Json): Json | undefined => layersConfig(own(json, "modelTopology") as Json);

/** Old versions of Keras write the layers of a sequential model as the config itself. */
function layersOf(config: unknown): Layer[] {
  const items = isObject(config) ? own(config, "layers") : config;
  if (!Array.isArray(items)) return [];
  return items.filter(isObject).map((item): Layer => {
    const layer = own(item, "config");
    const inner = isObject(layer) ? layer : {};
    const name = String(own(item, "name") ?? own(inner, "name") ?? own(item, "class_name"));
    return { className: String(own(item, "class_name")), config: inner, name, inbound: own(item, "inbound_nodes") };
  });
}

/** `[["dense", 0, 0], …]`, or one such entry alone. */
function endNames(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  if (typeof value[0] === "string") return [value[0]];
  return value.filter(Array.isArray).map((entry) => String(entry[0]));
}

function inputOf(layer: Layer | undefined): Guess | undefined {
  if (!layer) return undefined;
  const { config, className, name } = layer;
  const value = own(config, "batch_input_shape") ?? own(config, "batchInputShape") ?? own(config, "batch_shape");
  const shape = Array.isArray(value) ? value.map((size) => (typeof size === "number" ? size : -1)) : undefined;
  const dtype = own(config, "dtype");
  return {
    // The name that tfjs gives to the input which it adds before the first layer of a sequential model.
    name: className === "InputLayer" ? name : `${name}_input`,
    dtype: dtype === "int32" || dtype === "bool" ? (dtype satisfies DType) : "float32",
    ...(shape && { shape }),
  };
}

// ---- models that tfjs cannot load --------------------------------------------------------------------------------

/** `model_format` that names the layer at which tfjs stopped, and the way out. */
export function unloadable(json: Json, path: string, cause: unknown): InsituError {
  const model = modelOf(json);
  const layers = model ? layersOf(own(model, "config")) : [];
  const keras3 = layers.find(isOfKeras3);
  const detail = (cause instanceof Error ? cause.message : String(cause)).split("\n", 1)[0] ?? "";
  const named = keras3 ?? layers.find(({ name, className }) => mentions(detail, name) || mentions(detail, className));
  const layer = named && `${named.name} (${named.className})`;
  const what = keras3
    ? `Keras 3 wrote this model.json, and TensorFlow.js 4.22 reads the format of Keras 2 only: it stops at the layer ${layer}. ${SAVED_MODEL_WAY}`
    : `TensorFlow.js 4.22 stops ${layer ? `at the layer ${layer}` : "while it loads the layers"}: ${detail.replace(/\.$/, "")}. ${wayOut(detail)}`;
  const message = `${path} cannot be used: ${what}`;
  return new InsituError("model_format", message, { url: path, field: "modelTopology", layer: named?.name }, { cause });
}

/** A class that tfjs does not have is there in another format; anything else is wrong in every format. */
function wayOut(detail: string): string {
  // generic_utils.js, deserializeKerasObject.
  return /^Unknown /.test(detail)
    ? `If it is a layer of your own, or one that TensorFlow.js does not have, convert the model as a graph: ${SAVED_MODEL_WAY}`
    : "The file describes a model that cannot exist: it is damaged, was edited, or its weights belong to another model. Save or convert the model again, and copy all of its files.";
}

const mentions = (text: string, word: string): boolean => word !== "" && text.includes(word);

/** Keras 3 writes `batch_shape` for inputs, and what a layer takes as objects. */
function isOfKeras3({ config, inbound }: Layer): boolean {
  const isObjects = Array.isArray(inbound) && inbound.some((node) => isObject(node) && "args" in node);
  return isObjects || (own(config, "batch_shape") !== undefined && own(config, "batch_input_shape") === undefined);
}
