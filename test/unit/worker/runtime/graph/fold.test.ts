// Constants are folded into filters or computed at load, and only where that is proven to be the same.
import { expect, test } from "vitest";
import { rewriteGraph } from "../../../../support/graph-models.js";
import {
  compare,
  convolution,
  graphOf,
  input,
  ints,
  list,
  node,
  type Part,
  scalar,
  string,
  weight,
} from "../../../../support/handmade.js";

const x = input("x", [1, 6, 6, 3]);
const filter = weight("filter", [3, 3, 3, 4]);
const bias = weight("bias", [4]);
const plain = convolution("convolution", ["x", "filter"]);
const only = (ops: Record<string, string>): string[] =>
  Object.values(ops)
    .filter((op) => op !== "Placeholder")
    .sort();

test("a factor a channel, one for all, and a divisor go into the filter and the bias", async () => {
  const factor = weight("factor", [4], [0.5, -2, 3, 0.1]);
  const forms: Part[][] = [
    [factor, node("y", "Mul", ["sum", "factor"])],
    [factor, node("y", "Mul", ["factor", "sum"])],
    [scalar("factor", 0.25), node("y", "Mul", ["factor", "sum"])],
    [factor, node("y", "RealDiv", ["sum", "factor"])],
    [weight("factor", [1, 1, 1, 4]), node("y", "Mul", ["sum", "factor"])],
  ];
  for (const form of forms) {
    const { error, ops, applied, unused } = await compare(
      [x, filter, bias, plain, node("sum", "Add", ["convolution", "bias"]), ...form],
      ["y"],
    );
    expect(only(ops)).toEqual(["_FusedConv2D"]);
    expect(applied.foldFactors).toBe(1);
    expect(unused).toEqual(new Set(["filter", "bias", "factor"]));
    expect(error).toBeLessThan(1e-5);
  }
});

test("a factor goes into depthwise filters and matrices, also transposed ones", async () => {
  const depthwise = [
    ...[
      x,
      weight("filter", [3, 3, 3, 2]),
      weight("factor", [6]),
      convolution("c", ["x", "filter"], {}, "DepthwiseConv2dNative"),
    ],
    node("y", "Mul", ["c", "factor"]),
  ];
  const matrices = [false, true].map((transposed) => [
    ...[input("x", [2, 5]), weight("matrix", transposed ? [4, 5] : [5, 4]), weight("factor", [4])],
    ...[node("p", "MatMul", ["x", "matrix"], { transpose_b: { b: transposed } }), node("y", "Mul", ["p", "factor"])],
  ]);
  for (const parts of [depthwise, ...matrices]) {
    const { error, ops } = await compare(parts, ["y"]);
    expect(only(ops)).toHaveLength(1);
    expect(error).toBeLessThan(1e-5);
  }
});

test("a factor before a convolution goes into its filter, a factor for each input channel too", async () => {
  for (const [op, kernel] of [
    ["Conv2D", weight("filter", [3, 3, 3, 4])],
    ["DepthwiseConv2dNative", weight("filter", [3, 3, 3, 2])],
  ] as const)
    for (const factor of [scalar("factor", 0.3), weight("factor", [3])]) {
      const parts = [x, kernel, factor, node("m", "Mul", ["x", "factor"]), convolution("y", ["m", "filter"], {}, op)];
      const { error, ops, applied } = await compare(parts, ["y"]);
      expect([only(ops), applied]).toEqual([[op], { foldFactorsBefore: 1 }]);
      expect(error).toBeLessThan(1e-5);
    }
});

test("a batch norm goes into the convolution before it", async () => {
  const statistics = ["scale", "offset", "mean"].map((name) => weight(name, [4]));
  const norm = node("y", "FusedBatchNormV3", ["sum", "scale", "offset", "mean", "variance"], {
    epsilon: { f: 0.01 },
    is_training: { b: false },
  });
  const shared = [x, filter, bias, ...statistics, weight("variance", [4], [0.5, 1, 2, 0.1]), plain];
  const { error, ops } = await compare([...shared, node("sum", "Add", ["convolution", "bias"]), norm], ["y"]);
  expect(only(ops)).toEqual(["_FusedConv2D"]);
  expect(error).toBeLessThan(1e-5);
  const bare = { node: { ...norm.node, input: ["convolution", ...norm.node.input.slice(1)] } };
  const second = await compare([...shared, bare, node("z", "Relu", ["y"])], ["z"]);
  expect(only(second.ops)).toEqual(["_FusedConv2D"]);
  expect(second.error).toBeLessThan(1e-5);
});

test.each<[string, Part[], string[]?]>([
  ["a factor a pixel", [weight("factor", [1, 6, 6, 1]), plain, node("y", "Mul", ["convolution", "factor"])]],
  ["a divisor of zero", [weight("factor", [4], [1, 0, 1, 1]), plain, node("y", "RealDiv", ["convolution", "factor"])]],
  ["one divided by the convolution", [weight("factor", [4]), plain, node("y", "RealDiv", ["factor", "convolution"])]],
  [
    "an activation between",
    [weight("factor", [4]), plain, node("r", "Sigmoid", ["convolution"]), node("y", "Mul", ["r", "factor"])],
  ],
  [
    "more dimensions than the image",
    [weight("factor", [2, 1, 1, 1, 4]), plain, node("y", "Mul", ["convolution", "factor"])],
  ],
  [
    "another reader",
    [weight("factor", [4]), plain, node("y", "Mul", ["convolution", "factor"]), node("z", "Neg", ["convolution"])],
    ["y", "z"],
  ],
])("no factor is folded with %s", async (_, parts, outputs = ["y"]) => {
  const { applied } = rewriteGraph(graphOf([x, filter, ...parts], outputs));
  expect(applied.foldFactors).toBeUndefined();
});

test("a factor that makes many channels of one stays before the convolution", async () => {
  const parts = [
    input("x", [1, 6, 6, 1]),
    filter,
    weight("factor", [3]),
    node("m", "Mul", ["x", "factor"]),
    convolution("y", ["m", "filter"]),
  ];
  const { applied, error } = await compare(parts, ["y"]);
  expect([applied, error]).toEqual([{}, 0]);
});

test("padding of zeros goes into the convolution", async () => {
  const pads = weight("pads", [4, 2], [0, 0, 1, 2, 0, 3, 0, 0], "int32");
  for (const [op, kernel] of [
    ["Conv2D", filter],
    ["DepthwiseConv2dNative", weight("filter", [3, 3, 3, 1])],
  ] as const)
    for (const stride of [1, 2]) {
      const attr = { padding: string("VALID"), strides: list(1, stride, stride, 1) };
      const parts = [
        x,
        pads,
        kernel,
        node("p", "Pad", ["x", "pads"]),
        convolution("c", ["p", "filter"], attr, op),
        node("y", "Relu", ["c"]),
      ];
      const { error, applied } = await compare(parts, ["y"]);
      expect(applied).toEqual({ foldPads: 1, fuseActivation: 1 });
      expect(error).toBeLessThan(1e-5);
    }
});

test("padding of channels, of another value, or before a convolution that pads stays", () => {
  const valid = { padding: string("VALID") };
  const pads = (...values: number[]) => weight("pads", [4, 2], values, "int32");
  const cases: Part[][] = [
    [pads(0, 0, 1, 1, 1, 1, 0, 1), node("p", "Pad", ["x", "pads"]), convolution("y", ["p", "filter"], valid)],
    [
      pads(0, 0, 1, 1, 1, 1, 0, 0),
      scalar("one", 1),
      node("p", "PadV2", ["x", "pads", "one"]),
      convolution("y", ["p", "filter"], valid),
    ],
    [pads(0, 0, 1, 1, 1, 1, 0, 0), node("p", "Pad", ["x", "pads"]), convolution("y", ["p", "filter"])],
  ];
  for (const parts of cases) expect(rewriteGraph(graphOf([x, filter, ...parts], ["y"])).applied).toEqual({});
});

test("what depends on constants alone is computed at load", async () => {
  const parts = [
    ...[
      input("x", [2, 3]),
      weight("a", [2, 1]),
      weight("b", [3]),
      ints("order", 1, 0),
      ints("two", 2),
      ints("three", 3),
      scalar("four", 4),
    ],
    ...[
      node("sum", "AddV2", ["a", "b"]),
      node("scaled", "Mul", ["sum", "four"]),
      node("half", "RealDiv", ["scaled", "b"]),
    ],
    ...[
      node("turned", "Transpose", ["half", "order"]),
      node("root", "Square", ["turned"]),
      weight("zero", [], [0], "int32"),
    ],
    ...[
      node("shape", "ConcatV2", ["two", "three", "zero"], { N: { i: "2" } }),
      node("back", "Reshape", ["root", "shape"]),
    ],
    node("y", "AddV2", ["x", "back"]),
  ];
  const { error, ops, applied, unused, constants } = await compare(parts, ["y"]);
  expect(ops).toEqual({ x: "Placeholder", y: "AddV2" });
  expect(applied.foldConstants).toBe(7);
  expect([...constants.keys()]).toEqual(["back"]);
  expect(unused).toContain("a");
  expect(error).toBeLessThan(1e-5);
});

test("a known shape is a constant; one with a length that is not known is not", async () => {
  const parts = (length: number) => [
    ...[
      input("x", [length, 3]),
      node("shape", "Shape", ["x"]),
      input("z", [2, 3]),
      node("flat", "Reshape", ["z", "shape"]),
    ],
    node("y", "AddV2", ["flat", "x"]),
  ];
  const known = await compare(parts(2), ["y"]);
  expect([known.ops.shape, known.error]).toEqual([undefined, 0]);
  expect(rewriteGraph(graphOf(parts(-1), ["y"])).applied).toEqual({});
});

test("an output that depends on constants alone stays a node", async () => {
  const { ops, error } = await compare(
    [input("x", [1]), scalar("a", 2), scalar("b", 3), node("y", "AddV2", ["a", "b"])],
    ["y"],
  );
  expect([ops.y, error]).toEqual(["AddV2", 0]);
});
