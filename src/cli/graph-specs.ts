// Reads the inputs and outputs of a tfjs graph model from its signature, or from its nodes if it has none.

import { isObject, list, own } from "../shared/json-fields.js";
import type { DType } from "../shared/types/tensor.js";
import { type Guess, type Guesses, guessesOf } from "./guess.js";

type Json = Record<string, unknown>;

// tfjs's type for each TensorFlow type. The others (strings, complex numbers) are not supported by the public API.
const DTYPES: Record<string, DType> = {
  DT_FLOAT: "float32",
  DT_HALF: "float32",
  DT_DOUBLE: "float32",
  DT_INT32: "int32",
  DT_INT64: "int32",
  DT_INT16: "int32",
  DT_INT8: "int32",
  DT_UINT8: "int32",
  DT_BOOL: "bool",
};

export function graphSpecs(json: Json): Guesses {
  const metadata = own(json, "userDefinedMetadata");
  const candidates = [own(json, "signature"), isObject(metadata) ? own(metadata, "signature") : undefined];
  const signature = candidates.find((value): value is Json => isObject(value) && isObject(own(value, "outputs")));
  const nodes = nodesOf(json);
  if (!signature) return guessesOf(placeholders(nodes), lastNodes(nodes));
  const inputs = signatureTensors(own(signature, "inputs"), nodes);
  const outputs = signatureTensors(own(signature, "outputs"), nodes);
  return guessesOf(inputs.tensors.length > 0 ? inputs.tensors : placeholders(nodes), outputs.tensors, {
    inputs: inputs.keys,
    outputs: outputs.keys,
  });
}

function nodesOf(json: Json): Json[] {
  return (list(own(own(json, "modelTopology") as Json, "node"), { url: "", field: "node" }) as Json[]).filter(isObject);
}

export function nodeNames(json: Json): unknown[] {
  return nodesOf(json).map((node) => own(node, "name"));
}

/** A signature's tensors under the graph's names; the signature's keys are only the exporter's names. */
function signatureTensors(value: unknown, nodes: Json[]): { tensors: Guess[]; keys: Map<string, string> } {
  const found = new Map<string, Guess>();
  const keys = new Map<string, string>();
  if (!isObject(value)) return { tensors: [], keys };
  for (const [key, tensor] of Object.entries(value)) {
    if (!isObject(tensor)) continue;
    const declared = own(tensor, "name");
    const name = typeof declared === "string" && declared !== "" ? declared : key;
    const node = nodes.find((candidate) => own(candidate, "name") === name.split(":", 1)[0]) ?? {};
    // A signature written by hand may hold names only; then the node's own type is used.
    const dtype = own(tensor, "dtype") ?? attribute(node, "dtype", "type") ?? attribute(node, "T", "type");
    found.set(name, { name, ...dtypeOf(dtype), shape: shapeOf(own(tensor, "tensorShape")) });
    keys.set(key, name);
  }
  return { tensors: [...found.values()], keys };
}

function placeholders(nodes: Json[]): Guess[] {
  return nodes
    .filter((node) => own(node, "op") === "Placeholder" || own(node, "op") === "PlaceholderWithDefault")
    .map((node) => ({
      name: String(own(node, "name")),
      ...dtypeOf(attribute(node, "dtype", "type")),
      shape: shapeOf(attribute(node, "shape", "shape")),
    }));
}

/** Nodes that no other node reads, except unused constants and inputs, which are not results. */
function lastNodes(nodes: Json[]): Guess[] {
  const read = new Set<string>();
  for (const node of nodes) {
    const inputs = own(node, "input");
    // `^name` is a control dependency, `name:1` the second output of a node.
    for (const input of Array.isArray(inputs) ? inputs : [])
      read.add(String(input).replace(/^\^/, "").split(":", 1)[0] ?? "");
  }
  const unusedOps = new Set(["Const", "Placeholder", "PlaceholderWithDefault", "NoOp"]);
  return nodes
    .filter((node) => !read.has(String(own(node, "name"))) && !unusedOps.has(String(own(node, "op"))))
    .map((node) => ({
      name: String(own(node, "name")),
      ...dtypeOf(attribute(node, "T", "type")),
      shape: shapeOf(firstShape(attribute(node, "_output_shapes", "list"))),
    }));
}

function attribute(node: Json, name: string, kind: string): unknown {
  const attributes = own(node, "attr");
  const value = isObject(attributes) ? own(attributes, name) : undefined;
  return isObject(value) ? own(value, kind) : undefined;
}

function firstShape(value: unknown): unknown {
  const shapes = isObject(value) ? own(value, "shape") : undefined;
  return Array.isArray(shapes) ? shapes[0] : undefined;
}

function dtypeOf(value: unknown): Pick<Guess, "dtype" | "unsupported"> {
  if (typeof value !== "string") return {};
  return Object.hasOwn(DTYPES, value) ? { dtype: DTYPES[value] } : { unsupported: value };
}

/** Parses TensorFlow's shape message. Without `dim` it is a scalar; with `unknownRank` the shape is unknown. */
function shapeOf(value: unknown): number[] | undefined {
  if (!isObject(value) || own(value, "unknownRank")) return undefined;
  const dims = own(value, "dim") ?? [];
  if (!Array.isArray(dims)) return undefined;
  const sizes = dims.map((dim) => (isObject(dim) ? Number(own(dim, "size") ?? -1) : Number.NaN));
  return sizes.every((size) => Number.isSafeInteger(size)) ? sizes.map((size) => Math.max(size, -1)) : undefined;
}
