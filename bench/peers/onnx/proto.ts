// Writes ONNX models as protobuf, with the field numbers of onnx.proto3.

export interface OnnxTensor {
  name: string;
  shape: number[];
  data: Float32Array | Int32Array | BigInt64Array;
}

export type OnnxAttribute = number | number[] | string;

export interface OnnxNode {
  op: string;
  inputs: string[];
  outputs: string[];
  /** Numbers are integers: no supported operator has a float attribute. */
  attributes: Record<string, OnnxAttribute>;
}

export interface OnnxGraph {
  name: string;
  nodes: OnnxNode[];
  initializers: OnnxTensor[];
  inputs: { name: string; shape: number[] }[];
  outputs: { name: string; shape: number[] }[];
}

// ONNX 1.12 (2022) has every operator that is needed, and all runtimes support it.
const OPSET = 17;
const IR_VERSION = 8;

/** Data types of TensorProto. */
export const FLOAT = 1;
export const INT32 = 6;
export const INT64 = 7;
export const BOOL = 9;

/** A ModelProto; every input and output is float32. */
export function encodeModel(graph: OnnxGraph): Uint8Array {
  const opset = int(2, OPSET);
  const model = [int(1, IR_VERSION), text(2, "insitu bench"), message(7, encodeGraph(graph)), message(8, opset)];
  return concat(model);
}

function encodeGraph({ name, nodes, initializers, inputs, outputs }: OnnxGraph): Uint8Array {
  return concat([
    ...nodes.map((node) => message(1, encodeNode(node))),
    text(2, name),
    ...initializers.map((tensor) => message(5, encodeTensor(tensor))),
    ...inputs.map((value) => message(11, encodeValue(value))),
    ...outputs.map((value) => message(12, encodeValue(value))),
  ]);
}

function encodeNode({ op, inputs, outputs, attributes }: OnnxNode): Uint8Array {
  return concat([
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(3, outputs[0] ?? ""),
    text(4, op),
    ...Object.entries(attributes).map(([name, value]) => message(5, encodeAttribute(name, value))),
  ]);
}

/** `type` (field 20) selects the field that holds the value. */
function encodeAttribute(name: string, value: OnnxAttribute): Uint8Array {
  if (typeof value === "number") return concat([text(1, name), int(3, value), int(20, 2)]);
  if (typeof value === "string") return concat([text(1, name), text(4, value), int(20, 3)]);
  return concat([text(1, name), ...value.map((each) => int(8, each)), int(20, 7)]);
}

function encodeTensor({ name, shape, data }: OnnxTensor): Uint8Array {
  const type = data instanceof Float32Array ? FLOAT : data instanceof Int32Array ? INT32 : INT64;
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return concat([...shape.map((size) => int(1, size)), int(2, type), text(8, name), message(9, raw)]);
}

function encodeValue({ name, shape }: { name: string; shape: number[] }): Uint8Array {
  const dimensions = shape.map((size) => message(1, int(1, size)));
  const tensor = concat([int(1, FLOAT), message(2, concat(dimensions))]);
  return concat([text(1, name), message(2, message(1, tensor))]);
}

// ---- protobuf's wire format --------------------------------------------------------------------------------------

const VARINT = 0;
const LENGTH_DELIMITED = 2;

/** Seven bits per byte, low bits first. A negative number takes ten bytes, as an int64. */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  return Uint8Array.from([...bytes, Number(rest)]);
}

const int = (field: number, value: number): Uint8Array => concat([varint(field * 8 + VARINT), varint(value)]);

const message = (field: number, body: Uint8Array): Uint8Array =>
  concat([varint(field * 8 + LENGTH_DELIMITED), varint(body.length), body]);

const text = (field: number, value: string): Uint8Array => message(field, new TextEncoder().encode(value));

function concat(parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
