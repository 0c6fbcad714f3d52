// Nodes that change nothing go, names of inputs and outputs stay, and graphs that are no plain graphs are left alone.
import { expect, test } from "vitest";
import { readable } from "../../../../../src/worker/runtime/graph/readable.js";
import { rewriteGraph } from "../../../../support/graph-models.js";
import { compare, convolution, graphOf, input, ints, node, scalar, weight } from "../../../../support/handmade.js";

const x = input("x", [2, 3, 4]);

test("identities go, and an output keeps its name", async () => {
  const parts = [
    x,
    node("a", "Identity", ["x"]),
    node("b", "Relu", ["a:0"]),
    node("c", "StopGradient", ["b"]),
    node("y", "Identity", ["c"]),
  ];
  const { ops, error, applied } = await compare(parts, ["y:0"]);
  expect(ops).toEqual({ x: "Placeholder", y: "Relu" });
  expect([error, applied]).toEqual([0, { dropIdentities: 3 }]);
});

test("an identity that is an output stays where its input is one too, is fed, or is a weight", async () => {
  const parts = [
    x,
    weight("w", [3]),
    node("b", "Relu", ["x"]),
    node("y", "Identity", ["b"]),
    node("z", "Identity", ["x"]),
    node("v", "Identity", ["w"]),
  ];
  const { ops, error } = await compare(parts, ["y", "b", "z", "v"]);
  expect(ops).toEqual({ x: "Placeholder", b: "Relu", y: "Identity", z: "Identity", v: "Identity" });
  expect(error).toBe(0);
});

test("adding 0, multiplying with 1 and a shape that it has already change nothing", async () => {
  const parts = [
    ...[
      x,
      scalar("zero", 0),
      scalar("one", 1),
      ints("shape", 2, 3, 4),
      node("a", "AddV2", ["zero", "x"]),
      node("b", "Mul", ["a", "one"]),
    ],
    ...[
      node("c", "Sub", ["b", "zero"]),
      node("d", "RealDiv", ["c", "one"]),
      node("e", "Reshape", ["d", "shape"]),
      node("y", "Neg", ["e"]),
    ],
  ];
  const { ops, error } = await compare(parts, ["y"]);
  expect([ops, error]).toEqual([{ x: "Placeholder", y: "Neg" }, 0]);
});

test("a zero that broadcasts, a zero on the left of a difference, and a divided one stay", async () => {
  const parts = [
    ...[
      input("x", [3]),
      weight("zeros", [2, 1], [0, 0]),
      scalar("zero", 0),
      scalar("one", 1),
      node("a", "AddV2", ["x", "zeros"]),
    ],
    ...[node("b", "Sub", ["zero", "a"]), node("y", "RealDiv", ["one", "b"])],
  ];
  const { ops, error } = await compare(parts, ["y"]);
  expect(ops).toEqual({ x: "Placeholder", a: "AddV2", b: "Sub", y: "RealDiv" });
  expect(error).toBe(0);
});

test("what no wanted output needs goes, with its weights; inputs stay", async () => {
  const parts = [x, input("other", [1]), weight("w", [4]), node("dead", "AddV2", ["x", "w"]), node("y", "Relu", ["x"])];
  const { ops, unused, applied, error } = await compare(parts, ["y"]);
  expect(ops).toEqual({ x: "Placeholder", other: "Placeholder", y: "Relu" });
  expect([unused, applied, error]).toEqual([new Set(["w"]), { prune: 2 }, 0]);
});

test("transposes that undo each other go, also around activations; two in a row are one", async () => {
  const orders = [ints("there", 0, 2, 1), ints("back", 0, 2, 1), ints("other", 2, 0, 1)];
  const around = [
    node("a", "Transpose", ["x", "there"]),
    node("b", "Relu", ["a"]),
    node("c", "Sigmoid", ["b"]),
    node("y", "Transpose", ["c", "back"]),
  ];
  const first = await compare([x, ...orders, ...around], ["y"]);
  expect([first.ops, first.error]).toEqual([{ x: "Placeholder", b: "Relu", y: "Sigmoid" }, 0]);
  const bare = [
    node("a", "Transpose", ["x", "there"]),
    node("b", "Transpose", ["a", "back"]),
    node("y", "Relu", ["b"]),
  ];
  const second = await compare([x, ...orders, ...bare], ["y"]);
  expect([second.ops, second.error]).toEqual([{ x: "Placeholder", y: "Relu" }, 0]);
  const merged = [node("a", "Transpose", ["x", "there"]), node("y", "Transpose", ["a", "other"])];
  const third = await compare([x, ...orders, ...merged], ["y"]);
  expect([third.ops, third.error]).toEqual([{ x: "Placeholder", y: "Transpose" }, 0]);
});

test("transposes around what does not treat every number alike stay", async () => {
  const parts = [
    x,
    ints("there", 0, 2, 1),
    node("a", "Transpose", ["x", "there"]),
    node("b", "Softmax", ["a"]),
    node("y", "Transpose", ["b", "there"]),
  ];
  const { ops, error } = await compare(parts, ["y"]);
  expect([Object.keys(ops).length, error]).toEqual([4, 0]);
});

test("reshapes in a row are one", async () => {
  const parts = [
    ...[
      x,
      ints("flat", 2, -1),
      ints("wide", 1, 2, 6, 2),
      weight("axis", [], [0], "int32"),
      node("a", "Reshape", ["x", "flat"]),
    ],
    ...[
      node("b", "ExpandDims", ["a", "axis"]),
      node("c", "Squeeze", ["b"], { squeeze_dims: { list: { i: ["0"] } } }),
      node("y", "Reshape", ["c", "wide"]),
    ],
  ];
  const { ops, error } = await compare(parts, ["y"]);
  expect([ops, error]).toEqual([{ x: "Placeholder", y: "Reshape" }, 0]);
});

test("graphs with loops, branches or functions are left as they are", () => {
  for (const op of ["Switch", "While", "StatelessIf", "TensorListReserve", "HashTableV2", "PartitionedCall"]) {
    const test = graphOf([x, node("i", "Identity", ["x"]), node("l", op, ["i"]), node("y", "Identity", ["l"])], ["y"]);
    expect(rewriteGraph(test)).toEqual({
      nodes: test.graph.nodes,
      constants: new Map(),
      unused: new Set(),
      applied: {},
    });
  }
});

test("a node whose second output is read, and one that is fed, stay as they are", async () => {
  const parts = [
    ...[input("x", [2, 6]), weight("k", [], [2], "int32"), node("top", "TopKV2", ["x", "k"], { sorted: { b: true } })],
    ...[node("v", "Identity", ["top"]), node("i", "Identity", ["top:1"])],
  ];
  const { ops, error } = await compare(parts, ["v", "i"]);
  expect([ops, error]).toEqual([{ x: "Placeholder", top: "TopKV2", v: "Identity", i: "Identity" }, 0]);
  const norm = node("n", "FusedBatchNormV3", ["c", "s", "s", "s", "s"]);
  const wanted = [
    input("x", [1, 4, 4, 3]),
    weight("f", [1, 1, 3, 4]),
    weight("s", [4], [1, 2, 3, 4]),
    convolution("c", ["x", "f"]),
    norm,
  ];
  expect(rewriteGraph(graphOf(wanted, ["n"])).applied).toEqual({ foldBatchNorm: 1 });
  expect(rewriteGraph(graphOf(wanted, ["n", "n:1"])).applied).toEqual({});
  const fed = graphOf([x, node("a", "Identity", ["x"]), node("y", "Relu", ["a"])], ["y"]);
  fed.graph.inputs = ["a"];
  expect(rewriteGraph(fed).nodes.map(({ name }) => name)).toEqual(["x", "a", "y"]);
});

test("only small weights, and filters with a factor near them, are read", () => {
  const parts = [
    ...[
      weight("table", [20_000, 1]),
      input("ids", [1]),
      weight("axis", [], [0], "int32"),
      node("rows", "GatherV2", ["table", "ids", "axis"]),
    ],
    ...[
      input("x", [1, 4, 4, 64]),
      weight("plain", [3, 3, 64, 64]),
      weight("scaled", [3, 3, 64, 64]),
      weight("factor", [64]),
    ],
    ...[convolution("a", ["x", "plain"]), convolution("b", ["a", "scaled"]), node("y", "Mul", ["b", "factor"])],
  ];
  expect(readable(graphOf(parts, ["y", "rows"]).graph)).toEqual(new Set(["axis", "scaled", "factor"]));
});
