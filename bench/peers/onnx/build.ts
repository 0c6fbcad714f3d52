// Builds an ONNX graph: nodes, constants, and values that record their memory layout.
import type { OnnxAttribute, OnnxGraph, OnnxNode } from "./proto.js";
import type { Weight } from "./tfjs-graph.js";

/**
 * A tensor of the new graph. Images stay channels first (NCHW, as ONNX's operators expect) from the input until the original order
 * of values matters; `shape` is the original's (NHWC) in both cases.
 */
export interface Value {
  name: string;
  shape: number[];
  channelsFirst: boolean;
  /** Set if the values are known. Such a tensor is added to the graph only when it is used. */
  constant?: Weight;
}

export interface Range {
  low: number;
  high: number;
}

export const TO_CHANNELS_FIRST = [0, 3, 1, 2];
const TO_CHANNELS_LAST = [0, 2, 3, 1];

export class Build {
  private readonly nodes: OnnxNode[] = [];
  private readonly initializers = new Map<string, OnnxGraph["initializers"][number]>();
  private readonly converted = new Map<string, Value>();
  private fresh = 0;
  /** The clipped value and its range, by the name of the result. */
  readonly cuts = new Map<string, Range & { from: Value }>();

  /** Adds a node with one output of this shape and returns the output. */
  add(
    op: string,
    inputs: string[],
    like: Pick<Value, "shape" | "channelsFirst">,
    attributes: Record<string, OnnxAttribute> = {},
  ): Value {
    const name = `${op}_${this.fresh++}`;
    this.nodes.push({ op, inputs, outputs: [name], attributes });
    return { name, shape: like.shape, channelsFirst: like.channelsFirst };
  }

  addMany(op: string, inputs: string[], outputs: number, attributes: Record<string, OnnxAttribute> = {}): string[] {
    const names = Array.from({ length: outputs }, (_, index) => `${op}_${this.fresh}_${index}`);
    this.fresh += 1;
    this.nodes.push({ op, inputs, outputs: names, attributes });
    return names;
  }

  /** Removes the node of a value that is no longer used. */
  takeBack({ name }: Value): OnnxNode {
    const at = this.nodes.findIndex(({ outputs }) => outputs[0] === name);
    const [node] = this.nodes.splice(at, 1);
    if (!node) throw new Error(`No node computes ${name}.`);
    return node;
  }

  constant(data: OnnxGraph["initializers"][number]["data"], shape: number[]): string {
    const name = `constant_${this.fresh++}`;
    this.initializers.set(name, { name, shape, data });
    return name;
  }

  integers(values: number[]): string {
    return this.constant(BigInt64Array.from(values, BigInt), [values.length]);
  }

  number(value: number): string {
    return this.constant(Float32Array.of(value), []);
  }

  /** Returns the value's name in the original order of values. */
  plain(value: Value): string {
    if (value.constant) return this.constant(value.constant.data, value.constant.shape);
    return value.channelsFirst ? this.turned(value, value.shape, TO_CHANNELS_LAST).name : value.name;
  }

  /** Returns the name of an image with its channels first. */
  first(value: Value): string {
    if (value.constant) return this.aligned(value.constant);
    if (value.channelsFirst) return value.name;
    if (value.shape.length !== 4) throw new Error(`${value.name} of shape [${value.shape}] is not an image.`);
    return this.turned(value, permuted(value.shape, TO_CHANNELS_FIRST), TO_CHANNELS_FIRST).name;
  }

  graph(name: string, inputs: OnnxGraph["inputs"], outputs: OnnxGraph["outputs"]): OnnxGraph {
    return { name, nodes: this.nodes, initializers: [...this.initializers.values()], inputs, outputs };
  }

  output(value: Value, name: string): void {
    this.nodes.push({ op: "Identity", inputs: [this.plain(value)], outputs: [name], attributes: {} });
  }

  private turned(value: Value, shape: number[], order: number[]): Value {
    const known = this.converted.get(value.name);
    if (known) return known;
    const [, height, width, channels] = value.shape;
    const like = { shape: value.shape, channelsFirst: !value.channelsFirst };
    // The order of values is the same in both layouts, so no transpose is needed.
    const same = channels === 1 || (height === 1 && width === 1);
    const made = same
      ? this.add("Reshape", [value.name, this.integers(shape)], like)
      : this.add("Transpose", [value.name], like, { perm: order });
    this.converted.set(value.name, made);
    return made;
  }

  /** A constant, transposed for arithmetic with an image whose channels are first. */
  private aligned({ data, shape }: Weight): string {
    if (data.length === 1) return this.constant(data, []);
    if (shape.length === 1) return this.constant(data, [data.length, 1, 1]);
    if (shape.length !== 4) throw new Error(`A constant of shape [${shape}] cannot be combined with an image.`);
    return this.constant(permute(data, shape, TO_CHANNELS_FIRST), permuted(shape, TO_CHANNELS_FIRST));
  }
}

export const permuted = (shape: number[], order: number[]): number[] => order.map((axis) => shape[axis] ?? 1);

/** Transposes the values of a tensor. */
export function permute<T extends Weight["data"]>(data: T, shape: number[], order: number[]): T {
  const to = permuted(shape, order);
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((all, size) => all * size, 1));
  const steps = permuted(strides, order);
  const result = data.slice() as T;
  const index = to.map(() => 0);
  for (let at = 0; at < data.length; at += 1) {
    const from = index.reduce((sum, place, axis) => sum + place * (steps[axis] ?? 0), 0);
    result[at] = data[from] ?? 0;
    for (let axis = to.length - 1; axis >= 0; axis -= 1) {
      index[axis] = (index[axis] ?? 0) + 1;
      if ((index[axis] ?? 0) < (to[axis] ?? 0)) break;
      index[axis] = 0;
    }
  }
  return result;
}
