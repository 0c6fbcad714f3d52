// Reads a tfjs graph model: nodes with decoded attributes, and weights as typed arrays.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { decodeFloat16 } from "../../../src/worker/runtime/read-weights.js";

export interface TfNode {
  name: string;
  op: string;
  /** Data inputs only: `name` or `name:1`. */
  inputs: string[];
  attributes: Attributes;
}

export interface Weight {
  shape: number[];
  data: Float32Array | Int32Array;
}

export interface TfGraph {
  nodes: Map<string, TfNode>;
  weights: Map<string, Weight>;
}

/** Decodes attributes of tfjs's JSON: strings are in base64, integers are strings. */
interface RawAttribute {
  s?: string;
  i?: string | number;
  b?: boolean;
  type?: string;
  shape?: { dim?: { size: string }[] };
  list?: { i?: (string | number)[]; s?: string[] };
}

export class Attributes {
  constructor(private readonly raw: Record<string, RawAttribute>) {}
  text = (name: string): string => decode(this.raw[name]?.s ?? "");
  texts = (name: string): string[] => (this.raw[name]?.list?.s ?? []).map(decode);
  number = (name: string): number => Number(this.raw[name]?.i ?? 0);
  numbers = (name: string): number[] => (this.raw[name]?.list?.i ?? []).map(Number);
  flag = (name: string): boolean => this.raw[name]?.b ?? false;
  type = (name: string): string => this.raw[name]?.type ?? "";
  shape = (name: string): number[] => (this.raw[name]?.shape?.dim ?? []).map(({ size }) => Number(size));
}

const decode = (base64: string): string => Buffer.from(base64, "base64").toString();

interface WeightSpec {
  name: string;
  shape: number[];
  dtype: string;
  quantization?: { dtype: string };
}

interface ModelJson {
  modelTopology: { node: { name: string; op: string; input?: string[]; attr?: Record<string, RawAttribute> }[] };
  weightsManifest: { paths: string[]; weights: WeightSpec[] }[];
}

export function readTfGraph(path: string): TfGraph {
  const json = JSON.parse(readFileSync(path, "utf8")) as ModelJson;
  const weights = new Map<string, Weight>();
  for (const { paths, weights: specs } of json.weightsManifest) {
    const bytes = Buffer.concat(paths.map((file) => readFileSync(join(dirname(path), file))));
    let at = 0;
    for (const spec of specs) {
      const size = spec.shape.reduce((all, length) => all * length, 1) * (spec.quantization ? 2 : 4);
      weights.set(spec.name, { shape: spec.shape, data: decodeWeight(spec, bytes.subarray(at, at + size)) });
      at += size;
    }
  }
  const nodes = json.modelTopology.node.map(({ name, op, input = [], attr = {} }): [string, TfNode] => [
    name,
    { name, op, inputs: input.filter((from) => !from.startsWith("^")), attributes: new Attributes(attr) },
  ]);
  return { nodes: new Map(nodes), weights };
}

/** Supports the types that human-models and models/ use. */
function decodeWeight({ name, dtype, quantization }: WeightSpec, bytes: Uint8Array): Weight["data"] {
  // A copy, since a Float32Array must start at a multiple of four bytes.
  const own = Uint8Array.from(bytes);
  if (quantization?.dtype === "float16") return decodeFloat16(own);
  if (quantization) throw new Error(`${name}: weights quantized as ${quantization.dtype} are not supported.`);
  if (dtype === "float32") return new Float32Array(own.buffer);
  if (dtype === "int32") return new Int32Array(own.buffer);
  throw new Error(`${name}: weights of type ${dtype} are not supported.`);
}
