// Small graphs written by hand, run before and after they are rewritten, on cpu and wasm.
import "@tensorflow/tfjs-backend-cpu";
import { setThreadsCount, setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { ready, setBackend } from "@tensorflow/tfjs-core";
import type { Rewritten } from "../../src/worker/runtime/graph/rewrite.js";
import type { Constant, GraphNode } from "../../src/worker/runtime/graph/types.js";
import { difference, loadGraph, noise, rewriteGraph, runGraph, type TestGraph } from "./graph-models.js";

export interface Part {
  node: GraphNode;
  constant?: Constant;
}

const type = (dtype: Constant["dtype"]) => ({
  type: { float32: "DT_FLOAT", int32: "DT_INT32", bool: "DT_BOOL" }[dtype],
});
const sizes = (shape: number[]) => ({ dim: shape.map((length) => ({ size: `${length}` })) });

export const list = (...values: (number | string)[]) => ({ list: { i: values.map(String) } });
export const string = (value: string) => ({ s: btoa(value) });

export function input(name: string, shape: number[]): Part {
  return {
    node: { name, op: "Placeholder", input: [], attr: { dtype: type("float32"), shape: { shape: sizes(shape) } } },
  };
}

export function weight(
  name: string,
  shape: number[],
  values?: number[] | Float32Array,
  dtype: Constant["dtype"] = "float32",
): Part {
  const data = values ?? (noise(shape, -1, 1).values as Float32Array);
  const constant: Constant = {
    shape,
    dtype,
    values: dtype === "float32" ? Float32Array.from(data) : Int32Array.from(data),
  };
  const value = { tensor: { dtype: type(dtype).type, tensorShape: sizes(shape) } };
  return { node: { name, op: "Const", input: [], attr: { dtype: type(dtype), value } }, constant };
}

export const ints = (name: string, ...values: number[]): Part => weight(name, [values.length], values, "int32");
export const scalar = (name: string, value: number): Part => weight(name, [], [value]);

export function node(name: string, op: string, inputs: string[], attr: Record<string, unknown> = {}): Part {
  return { node: { name, op, input: inputs, attr: { T: type("float32"), ...attr } } };
}

/** A Conv2D, or what is named, with strides of 1 and zeros around. */
export function convolution(name: string, inputs: string[], attr: Record<string, unknown> = {}, op = "Conv2D"): Part {
  const attrs = {
    strides: list(1, 1, 1, 1),
    dilations: list(1, 1, 1, 1),
    padding: string("SAME"),
    data_format: string("NHWC"),
  };
  return node(name, op, inputs, { ...attrs, ...attr });
}

export function graphOf(parts: Part[], outputs: string[]): TestGraph {
  const values = new Map(
    parts.flatMap(({ node: { name }, constant }) => (constant ? [[name, constant] as const] : [])),
  );
  return {
    graph: {
      nodes: parts.map((part) => part.node),
      inputs: parts.filter((part) => part.node.op === "Placeholder").map((part) => part.node.name),
      outputs,
      weights: new Map([...values].map(([name, { shape, dtype }]) => [name, { shape, dtype }])),
    },
    values,
  };
}

export async function useWasm(): Promise<void> {
  setWasmPaths(`${process.cwd()}/node_modules/@tensorflow/tfjs-backend-wasm/dist/`);
  setThreadsCount(1);
  await setBackend("wasm");
  await ready();
}

export interface Compared extends Rewritten {
  /** The largest difference of any output on any backend, relative to max(1, |value|). */
  error: number;
  /** What is left, without constants, by name. */
  ops: Record<string, string>;
}

/** Runs the graph as it is and rewritten. Inputs are noise from -8 to 8, beyond all bounds that activations have. */
export async function compare(parts: Part[], outputs: string[], backends = ["cpu", "wasm"]): Promise<Compared> {
  const test = graphOf(parts, outputs);
  const before = JSON.stringify(test.graph.nodes);
  const rewritten = rewriteGraph(test);
  if (JSON.stringify(test.graph.nodes) !== before) throw new Error("The rewrite changed the graph that it was given.");
  let error = 0;
  for (const backend of backends) {
    if (backend === "wasm") await useWasm();
    else await setBackend(backend);
    const feeds = Object.fromEntries(
      parts
        .filter((part) => part.node.op === "Placeholder")
        .map(({ node: { name, attr } }) => {
          const { dim } = (attr.shape as { shape: ReturnType<typeof sizes> }).shape;
          return [
            name,
            noise(
              dim.map(({ size }) => Math.abs(Number(size))),
              -8,
              8,
            ),
          ];
        }),
    );
    const models = [await loadGraph(test), await loadGraph(test, rewritten)] as const;
    error = Math.max(error, difference(runGraph(models[0], outputs, feeds), runGraph(models[1], outputs, feeds)));
    for (const model of models) model.dispose();
  }
  const ops = Object.fromEntries(rewritten.nodes.filter(({ op }) => op !== "Const").map(({ name, op }) => [name, op]));
  return { ...rewritten, error, ops };
}
