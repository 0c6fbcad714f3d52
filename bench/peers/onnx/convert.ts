// Converts a tfjs graph model to ONNX: the same network and weights in the layout of ONNX runtimes.
import { Build, type Range, type Value } from "./build.js";
import { NUMBER_OPS, topK } from "./number-ops.js";
import { PICTURE_OPS } from "./picture-ops.js";
import { encodeModel, type OnnxGraph } from "./proto.js";
import { clip, rangeOf } from "./range.js";
import { readTfGraph, type TfGraph, type TfNode } from "./tfjs-graph.js";

/** Converts the model at `path` for a batch of one. Only these outputs remain; they keep their names (such as `scores:0`). */
export function convertToOnnx(path: string, outputs: string[]): Uint8Array {
  return encodeModel(convertGraph(readTfGraph(path), outputs));
}

export function convertGraph(graph: TfGraph, outputs: string[]): OnnxGraph {
  const build = new Build();
  const done = new Map<string, Value[]>();
  const inputs: OnnxGraph["inputs"] = [];
  const nodes = inOrder(graph, outputs);
  const readers = countReaders(nodes, outputs);
  const valueAt = (reference: string): Value => {
    const [name = "", index = "0"] = reference.split(":");
    const found = done.get(name)?.[Number(index)];
    if (!found) throw new Error(`No node computes ${reference}.`);
    return found;
  };
  for (const node of nodes) {
    const weight = graph.weights.get(node.name);
    if (weight) {
      done.set(node.name, [{ name: node.name, shape: weight.shape, channelsFirst: false, constant: weight }]);
    } else if (node.op === "Placeholder") {
      const shape = node.attributes.shape("shape").map((size) => Math.abs(size));
      inputs.push({ name: node.name, shape });
      done.set(node.name, [{ name: node.name, shape, channelsFirst: false }]);
    } else {
      const read = node.inputs.map(valueAt);
      const count = readers.get(node.inputs.find((_, at) => !read[at]?.constant) ?? "") ?? 0;
      done.set(node.name, convertNode(node, read, count, build));
    }
  }
  const results = outputs.map((name) => ({ name, value: valueAt(name) }));
  for (const { name, value } of results) build.output(value, name);
  const described = results.map(({ name, value }) => ({ name, shape: value.shape }));
  return build.graph("network", inputs, described);
}

/** `readers`: the number of nodes that use the computed input. */
function convertNode(node: TfNode, inputs: Value[], readers: number, build: Build): Value[] {
  if (node.op === "TopKV2") return topK(node, inputs, build);
  const range = rangeOf(node.op) ?? bound(node, inputs);
  const computed = inputs.find(({ constant }) => !constant);
  if (range && computed) return [clip(computed, range, readers, build)];
  const convert = PICTURE_OPS[node.op] ?? NUMBER_OPS[node.op];
  if (!convert) throw new Error(`${node.name}: the operator ${node.op} is not supported.`);
  return [convert(node, inputs, build)];
}

/** The range of a minimum or maximum with a constant. */
function bound({ op }: TfNode, inputs: Value[]): Range | undefined {
  const [number, ...more] = inputs.filter(({ constant }) => constant?.data.length === 1);
  const value = number?.constant?.data[0];
  if (value === undefined || more.length > 0) return undefined;
  if (op === "Minimum") return { low: Number.NEGATIVE_INFINITY, high: value };
  if (op === "Maximum") return { low: value, high: Number.POSITIVE_INFINITY };
  return undefined;
}

/** The nodes that the outputs depend on, in topological order. */
function inOrder({ nodes }: TfGraph, outputs: string[]): TfNode[] {
  const seen = new Set<string>();
  const order: TfNode[] = [];
  const visit = (reference: string) => {
    const [name = ""] = reference.split(":");
    if (seen.has(name)) return;
    seen.add(name);
    const node = nodes.get(name);
    if (!node) throw new Error(`The graph has no node ${name}.`);
    node.inputs.forEach(visit);
    order.push(node);
  };
  outputs.forEach(visit);
  return order;
}

function countReaders(nodes: TfNode[], outputs: string[]): Map<string, number> {
  const counts = new Map<string, number>();
  const references = [...nodes.flatMap(({ inputs }) => inputs), ...outputs.map((name) => name.replace(/:0$/, ""))];
  for (const reference of references) counts.set(reference, (counts.get(reference) ?? 0) + 1);
  return counts;
}
