// Bias and activation go into the convolution or matrix product before them, and only where that is proven to be the same.
import { expect, test } from "vitest";
import {
  compare,
  convolution,
  input,
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

test.each([
  ["Conv2D", weight("filter", [3, 3, 3, 4]), "_FusedConv2D"],
  ["DepthwiseConv2dNative", weight("filter", [3, 3, 3, 2]), "FusedDepthwiseConv2dNative"],
])("%s with bias and each activation", async (op, kernel, fused) => {
  const channels = op === "Conv2D" ? 4 : 6;
  for (const activation of ["Relu", "Relu6", "Sigmoid", "LeakyRelu", "Prelu"]) {
    const extra = activation === "Prelu" ? ["slopes"] : [];
    const parts = [
      ...[x, kernel, weight("bias", [channels]), weight("slopes", [channels])],
      ...[convolution("convolution", ["x", "filter"], {}, op), node("sum", "AddV2", ["convolution", "bias"])],
      node("y", activation, ["sum", ...extra], activation === "LeakyRelu" ? { alpha: { f: 0.3 } } : {}),
    ];
    const { error, ops, applied } = await compare(parts, ["y"]);
    expect(error).toBeLessThan(1e-5);
    // tfjs does not read the slope of a fused depthwise convolution.
    if (activation === "LeakyRelu" && op !== "Conv2D") {
      expect(ops).toEqual({ x: "Placeholder", sum: fused, y: "LeakyRelu" });
      continue;
    }
    expect({ activation, ops }).toEqual({ activation, ops: { x: "Placeholder", y: fused } });
    expect(applied).toMatchObject({ fuseBias: 1, fuseActivation: 1 });
  }
});

test("a Prelu with slopes for each channel in three dimensions, and with one slope, is fused; one for each pixel is not", async () => {
  for (const [shape, op] of [
    [[1, 1, 4], "_FusedConv2D"],
    [[1], "_FusedConv2D"],
    [[6, 6, 1], "Prelu"],
  ] as const) {
    const parts = [x, filter, plain, weight("slopes", [...shape]), node("y", "Prelu", ["convolution", "slopes"])];
    const { error, ops } = await compare(parts, ["y"]);
    expect(ops.y).toBe(op);
    expect(error).toBeLessThan(1e-5);
  }
});

test("MatMul with bias and activation, its matrix as it is and transposed", async () => {
  for (const transposed of [false, true]) {
    const parts = [
      ...[input("x", [2, 5]), weight("matrix", transposed ? [4, 5] : [5, 4]), bias],
      node("product", "MatMul", ["x", "matrix"], { transpose_b: { b: transposed } }),
      ...[node("sum", "BiasAdd", ["product", "bias"]), node("y", "Relu6", ["sum"])],
    ];
    const { error, ops } = await compare(parts, ["y"]);
    expect(ops).toEqual({ x: "Placeholder", y: "_FusedMatMul" });
    expect(error).toBeLessThan(1e-5);
  }
});

test("an activation without a bias gets a bias of zeros: tfjs ignores a fused activation that stands alone", async () => {
  const { error, ops, constants } = await compare(
    [x, filter, convolution("convolution", ["x", "filter"]), node("y", "Relu", ["convolution"])],
    ["y"],
  );
  expect(ops).toEqual({ x: "Placeholder", y: "_FusedConv2D" });
  expect([...constants.values()].map(({ values }) => [...values])).toEqual([[0, 0, 0, 0]]);
  expect(error).toBeLessThan(1e-5);
});

test("biases of other forms: a scalar, one in four dimensions, subtracted, two in a row, on the left", async () => {
  const wide = weight("bias", [1, 1, 1, 4]);
  const forms: [Part, Part[]][] = [
    [scalar("bias", 0.7), [node("y", "AddV2", ["convolution", "bias"])]],
    [wide, [node("y", "AddV2", ["convolution", "bias"])]],
    [bias, [node("y", "Sub", ["convolution", "bias"])]],
    [bias, [node("first", "Add", ["convolution", "bias"]), node("y", "Add", ["bias", "first"])]],
  ];
  for (const [added, sums] of forms) {
    const { error, ops } = await compare(
      [x, filter, added, convolution("convolution", ["x", "filter"]), ...sums],
      ["y"],
    );
    expect(ops).toEqual({ x: "Placeholder", y: "_FusedConv2D" });
    expect(error).toBeLessThan(1e-5);
  }
});

test("a bias after a residual sum goes to the convolution in the sum; a sum of two is an addition", async () => {
  const parts = [
    ...[x, filter, bias, input("rest", [1, 6, 6, 4]), convolution("convolution", ["x", "filter"])],
    ...[node("sum", "AddN", ["convolution", "rest"], { N: { i: "2" } }), node("y", "AddV2", ["bias", "sum"])],
  ];
  const { error, ops, applied } = await compare(parts, ["y"]);
  expect(Object.values(ops).sort()).toEqual(["AddV2", "Placeholder", "Placeholder", "_FusedConv2D"]);
  expect(applied).toMatchObject({ moveBiases: 1 });
  expect(error).toBeLessThan(1e-5);

  const pair = await compare([x, input("z", [1, 6, 6, 3]), node("y", "AddN", ["x", "z"], { N: { i: "2" } })], ["y"]);
  expect(pair.ops.y).toBe("AddV2");
  expect(pair.error).toBe(0);
});

const sum = node("y", "AddV2", ["convolution", "bias"]);
test.each<[string, Part[], string[]?]>([
  ["two readers", [plain, sum, node("z", "Neg", ["convolution"])], ["y", "z"]],
  ["an output in the middle", [plain, sum], ["y", "convolution"]],
  ["dilations", [convolution("convolution", ["x", "filter"], { dilations: list(1, 2, 2, 1) }), sum]],
  ["a bias for each pixel", [weight("bias", [1, 6, 6, 4]), plain, sum]],
  ["a bias for each row", [weight("bias", [6, 1]), plain, sum]],
  ["a filter that is computed", [input("x2", [3, 3, 3, 4]), convolution("convolution", ["x", "x2"]), sum]],
  ["a type that nobody wrote down", [plain, { node: { ...sum.node, attr: {} } }]],
  ["a bias that is computed", [input("b", [4]), plain, node("y", "AddV2", ["convolution", "b"])]],
])("nothing is fused with %s", async (_, parts, outputs = ["y"]) => {
  const own = parts.some((part) => part.node.name === "bias") ? [] : [bias];
  const { error, applied } = await compare([x, filter, ...own, ...parts], outputs, ["cpu"]);
  expect(error).toBe(0);
  expect(applied.fuseBias).toBeUndefined();
});

test("nothing is fused across an explicit order", async () => {
  const parts = [x, filter, bias, plain, { node: { ...sum.node, input: [...sum.node.input, "^convolution"] } }];
  const { rewriteGraph } = await import("../../../../support/graph-models.js");
  const { graphOf } = await import("../../../../support/handmade.js");
  expect(rewriteGraph(graphOf(parts, ["y"])).applied).toEqual({});
});

test("other layouts stay as they are", async () => {
  const { rewriteGraph } = await import("../../../../support/graph-models.js");
  const { graphOf } = await import("../../../../support/handmade.js");
  const attr = { data_format: string("NCHW") };
  const parts = [input("x", [1, 3, 6, 6]), filter, bias, convolution("convolution", ["x", "filter"], attr)];
  expect(rewriteGraph(graphOf([...parts, node("y", "BiasAdd", ["convolution", "bias"], attr)], ["y"])).applied).toEqual(
    {},
  );
});

test("two activations in a row: only the first is fused", async () => {
  const { error, ops } = await compare(
    [x, filter, plain, node("a", "Sigmoid", ["convolution"]), node("y", "Sigmoid", ["a"])],
    ["y"],
  );
  expect(Object.values(ops).sort()).toEqual(["Placeholder", "Sigmoid", "_FusedConv2D"]);
  expect(error).toBeLessThan(1e-5);
});
