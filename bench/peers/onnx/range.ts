// Converts a chain of clipping activations to one ONNX node, which onnxruntime fuses into the preceding convolution.
import type { Build, Range, Value } from "./build.js";
import type { TfNode } from "./tfjs-graph.js";

const RANGES: Record<string, Range> = {
  Relu: { low: 0, high: Number.POSITIVE_INFINITY },
  Relu6: { low: 0, high: 6 },
};

/** `max(min(relu(x), 6), 0)`, as Keras writes a Relu6, is one Clip, as the exporters of other frameworks write it. */
export function clip(value: Value, { low, high }: Range, readers: number, build: Build): Value {
  const before = readers === 1 ? build.cuts.get(value.name) : undefined;
  if (before) build.takeBack(value);
  const clamp = (number: number) => Math.min(Math.max(number, low), high);
  const range = before ? { low: clamp(before.low), high: clamp(before.high) } : { low, high };
  const from = before?.from ?? value;
  const result = emit(from, range, build);
  build.cuts.set(result.name, { ...range, from });
  return result;
}

function emit(from: Value, { low, high }: Range, build: Build): Value {
  if (low === 0 && high === Number.POSITIVE_INFINITY) return build.add("Relu", [from.name], from);
  const bounds = [low, high].map((bound) => (Number.isFinite(bound) ? build.number(bound) : ""));
  return build.add("Clip", [from.name, ...(bounds[1] === "" ? bounds.slice(0, 1) : bounds)], from);
}

/** The fused operations after the bias: a range or nothing. */
export function activate(value: Value, ops: string[], node: TfNode, build: Build): Value {
  const [op, ...more] = ops.filter((each) => each !== "BiasAdd");
  if (!op) return value;
  const range = RANGES[op];
  if (!range || more.length > 0) throw new Error(`${node.name}: the fused ${ops.join(", ")} is not supported.`);
  return clip(value, range, 0, build);
}

export const rangeOf = (op: string): Range | undefined => RANGES[op];
