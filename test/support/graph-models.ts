// Graphs as tfjs runs them, in Node or a page: before and after they are rewritten.
import { type GraphModel, loadGraphModel } from "@tensorflow/tfjs-converter";
import { io, type NamedTensorMap, type Tensor, tensor, tidy } from "@tensorflow/tfjs-core";
import { readable } from "../../src/worker/runtime/graph/readable.js";
import { type Rewritten, rewrite } from "../../src/worker/runtime/graph/rewrite.js";
import type { Constant, Graph } from "../../src/worker/runtime/graph/types.js";

export interface TestGraph {
  graph: Graph;
  /** Values of all weights. */
  values: Map<string, Constant>;
}

interface Signature {
  inputs: Record<string, { name: string }>;
  outputs: Record<string, { name: string }>;
}

export interface Feed {
  shape: number[];
  dtype?: "float32" | "int32";
  values: number[] | Float32Array | Int32Array;
}
export type Answers = Record<string, { shape: number[]; values: Float32Array }>;

/** A parsed model.json, with the bytes of each group of its weights; all weights become float32 or int32. */
export function graphFromJson(
  json: { signature?: Signature; userDefinedMetadata?: { signature: Signature } } & io.ModelJSON,
  groups: ArrayBuffer[],
  outputs?: string[],
): TestGraph {
  const signature = (json.signature ?? json.userDefinedMetadata?.signature) as Signature;
  const values = new Map<string, Constant>();
  for (const [index, { weights }] of json.weightsManifest.entries()) {
    for (const [name, weight] of Object.entries(io.decodeWeights(groups[index] as ArrayBuffer, weights))) {
      const dtype = weight.dtype as Constant["dtype"];
      values.set(name, { shape: weight.shape, dtype, values: weight.dataSync() as Constant["values"] });
      weight.dispose();
    }
  }
  const names = (entries: Record<string, { name: string }>) => Object.values(entries).map(({ name }) => name);
  const graph: Graph = {
    nodes: (json.modelTopology as { node: Graph["nodes"] }).node,
    inputs: names(signature.inputs),
    outputs: outputs ?? names(signature.outputs),
    weights: new Map([...values].map(([name, { shape, dtype }]) => [name, { shape, dtype }])),
  };
  return { graph, values };
}

/** The rewritten graph; the rewrite sees only the values that it may. */
export function rewriteGraph({ graph, values }: TestGraph): Rewritten {
  const may = readable(graph);
  return rewrite(graph, new Map([...values].filter(([name]) => may.has(name))));
}

/** As tfjs loads it. `rewritten` leaves out what is unused and brings its own constants. */
export async function loadGraph({ graph, values }: TestGraph, rewritten?: Rewritten): Promise<GraphModel> {
  const all = new Map([...values].filter(([name]) => !rewritten?.unused.has(name)));
  for (const [name, constant] of rewritten?.constants ?? []) all.set(name, constant);
  const tensors: NamedTensorMap = {};
  for (const [name, { shape, dtype, values: data }] of all) tensors[name] = tensor(data.slice(), shape, dtype);
  const entry = (name: string) => [name, { name }];
  const artifacts = {
    modelTopology: { node: rewritten?.nodes ?? graph.nodes, library: {}, versions: { producer: 1, minConsumer: 1 } },
    signature: {
      inputs: Object.fromEntries(graph.inputs.map(entry)),
      outputs: Object.fromEntries(graph.outputs.map(entry)),
    },
    weightSpecs: [],
    weightData: new ArrayBuffer(0),
  } as unknown as io.ModelArtifacts;
  return loadGraphModel({ load: async () => artifacts }, {}, { ...io, decodeWeights: () => tensors });
}

export function runGraph(model: GraphModel, outputs: string[], feeds: Record<string, Feed>): Answers {
  return tidy(() => {
    const inputs: NamedTensorMap = {};
    for (const [name, { shape, dtype = "float32", values }] of Object.entries(feeds))
      inputs[name] = tensor(values, shape, dtype);
    const results = [model.execute(inputs, outputs)].flat() as Tensor[];
    return Object.fromEntries(
      results.map((result, index) => [
        outputs[index] as string,
        { shape: result.shape, values: Float32Array.from(result.dataSync()) },
      ]),
    );
  });
}

/** The largest difference between the outputs of two graphs, relative to max(1, |value|). Infinity where shapes differ. */
export function difference(before: Answers, after: Answers): number {
  let largest = 0;
  for (const [name, expected] of Object.entries(before)) {
    const found = after[name];
    if (found?.shape.join() !== expected.shape.join()) return Number.POSITIVE_INFINITY;
    for (const [index, value] of expected.values.entries()) {
      const other = found.values[index] as number;
      if (Object.is(value, other) || value === other) continue;
      const error = Math.abs(value - other) / Math.max(1, Math.abs(value));
      largest = Math.max(largest, Number.isNaN(error) ? Number.POSITIVE_INFINITY : error);
    }
  }
  return largest;
}

/** Noise, the same in every run. `shape` has 1 where the model takes any length. */
export function noise(shape: number[], from: number, to: number, dtype: "float32" | "int32" = "float32"): Feed {
  let state = 0x9e3779b9;
  const length = shape.reduce((product, each) => product * each, 1);
  const values = dtype === "int32" ? new Int32Array(length) : new Float32Array(length);
  for (let index = 0; index < length; index += 1) {
    // Marsaglia's xorshift.
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const value = from + ((state >>> 0) / 2 ** 32) * (to - from);
    values[index] = dtype === "int32" ? Math.floor(value) : value;
  }
  return { shape, dtype, values };
}
