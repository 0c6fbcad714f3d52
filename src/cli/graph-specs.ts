// Reads inputs and outputs out of a tfjs graph model: from its signature, else from its nodes.

import type { DType } from "../shared/types/tensor.js";
import { isObject, list, own } from "../worker/package/json-fields.js";

/** What the model itself says of a tensor; the shape is missing where the model does not say. */
export interface Guess {
  name: string;
  dtype?: DType;
  shape?: number[];
}

export interface Guesses {
  inputs: Guess[];
  outputs: Guess[];
}

type Json = Record<string, unknown>;

// What tfjs makes of TensorFlow's types; the rest (texts, complex numbers) cannot cross the public API.
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
  const byNodes = { inputs: placeholders(nodes), outputs: lastNodes(nodes) };
  if (!signature) return byNodes;
  const inputs = signed(own(signature, "inputs"), nodes);
  return { inputs: inputs.length > 0 ? inputs : byNodes.inputs, outputs: signed(own(signature, "outputs"), nodes) };
}

function nodesOf(json: Json): Json[] {
  return (list(own(own(json, "modelTopology") as Json, "node"), { url: "", field: "node" }) as Json[]).filter(isObject);
}

export function nodeNames(json: Json): unknown[] {
  return nodesOf(json).map((node) => own(node, "name"));
}

/** A signature's tensors by the name that the graph knows them under; the keys are only what the exporter called them. */
function signed(value: unknown, nodes: Json[]): Guess[] {
  if (!isObject(value)) return [];
  const found = new Map<string, Guess>();
  for (const [key, tensor] of Object.entries(value)) {
    if (!isObject(tensor)) continue;
    const stated = own(tensor, "name");
    const name = typeof stated === "string" && stated !== "" ? stated : key;
    const node = nodes.find((candidate) => own(candidate, "name") === name.split(":", 1)[0]) ?? {};
    // Signatures that were written by hand hold names only; the node itself knows its type.
    const dtype = dtypeOf(own(tensor, "dtype") ?? attribute(node, "dtype", "type") ?? attribute(node, "T", "type"));
    found.set(name, { name, dtype, shape: shapeOf(own(tensor, "tensorShape")) });
  }
  return [...found.values()];
}

function placeholders(nodes: Json[]): Guess[] {
  return nodes
    .filter((node) => own(node, "op") === "Placeholder" || own(node, "op") === "PlaceholderWithDefault")
    .map((node) => ({
      name: String(own(node, "name")),
      dtype: dtypeOf(attribute(node, "dtype", "type")),
      shape: shapeOf(attribute(node, "shape", "shape")),
    }));
}

/** Nodes that no other node reads; constants and inputs that nobody reads are leftovers, not results. */
function lastNodes(nodes: Json[]): Guess[] {
  const read = new Set<string>();
  for (const node of nodes) {
    const inputs = own(node, "input");
    // `^name` is a wish for an order, `name:1` the second result of a node.
    for (const input of Array.isArray(inputs) ? inputs : [])
      read.add(String(input).replace(/^\^/, "").split(":", 1)[0] ?? "");
  }
  const idle = new Set(["Const", "Placeholder", "PlaceholderWithDefault", "NoOp"]);
  return nodes
    .filter((node) => !read.has(String(own(node, "name"))) && !idle.has(String(own(node, "op"))))
    .map((node) => ({
      name: String(own(node, "name")),
      dtype: dtypeOf(attribute(node, "T", "type")),
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

function dtypeOf(value: unknown): DType | undefined {
  return typeof value === "string" && Object.hasOwn(DTYPES, value) ? DTYPES[value] : undefined;
}

/** TensorFlow's shape message; no `dim` is a single number, `unknownRank` is no shape at all. */
function shapeOf(value: unknown): number[] | undefined {
  if (!isObject(value) || own(value, "unknownRank")) return undefined;
  const dims = own(value, "dim") ?? [];
  if (!Array.isArray(dims)) return undefined;
  const sizes = dims.map((dim) => (isObject(dim) ? Number(own(dim, "size") ?? -1) : Number.NaN));
  return sizes.every((size) => Number.isSafeInteger(size)) ? sizes.map((size) => Math.max(size, -1)) : undefined;
}
