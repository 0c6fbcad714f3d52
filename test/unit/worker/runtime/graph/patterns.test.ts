// Patterns that span several nodes become cheaper ones, and only where that is proven to be the same.
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

const x = input("x", [1, 8, 8, 3]);
const filter = weight("filter", [3, 3, 3, 4]);
const bias = weight("bias", [4]);
const plain = convolution("convolution", ["x", "filter"]);
const only = (ops: Record<string, string>): string[] => Object.values(ops).filter((op) => op !== "Placeholder");

test("Relu6 and Relu are recognised where they are written out, in every order, and where they stand twice", async () => {
  const bounds = [scalar("zero", 0), scalar("six", 6)];
  const low = (name: string, from: string) => node(name, "Maximum", [from, "zero"]);
  const high = (name: string, from: string) => node(name, "Minimum", ["six", from]);
  const cases: [Part[], string][] = [
    [[low("a", "x"), high("y", "a")], "Relu6"],
    [[high("a", "x"), low("y", "a")], "Relu6"],
    [[node("r", "Relu", ["x"]), high("a", "r"), low("y", "a")], "Relu6"],
    [[node("r", "Relu", ["x"]), high("y", "r")], "Relu6"],
    [[node("r", "Relu6", ["x"]), node("y", "Relu", ["r"])], "Relu6"],
    [[node("r", "Relu", ["x"]), low("y", "r")], "Relu"],
    [[low("y", "x")], "Relu"],
    [[high("y", "x")], "Minimum"],
  ];
  for (const [parts, op] of cases) {
    const { error, ops } = await compare([x, ...bounds, ...parts], ["y"]);
    expect([only(ops), error]).toEqual([[op], 0]);
  }
});

test("other bounds, and bounds for each channel, are no Relu", async () => {
  for (const [zero, six] of [
    [scalar("zero", 0), scalar("six", 5)],
    [scalar("zero", -1), scalar("six", 6)],
    [weight("zero", [2, 1, 1, 1, 1], [0, 0]), scalar("six", 6)],
  ] as const) {
    const parts = [x, zero, six, node("a", "Maximum", ["x", "zero"]), node("y", "Minimum", ["a", "six"])];
    const { error, ops } = await compare(parts, ["y"], ["cpu"]);
    expect(only(ops)).not.toContain("Relu6");
    expect(error).toBe(0);
  }
});

const hardSwish = (order: "selfie" | "keras" | "divided"): Part[] => {
  const gate = [node("shifted", "AddV2", ["sum", "three"]), node("gate", "Relu6", ["shifted"])];
  if (order === "selfie")
    return [...gate, node("scaled", "Mul", ["sixth", "sum"]), node("y", "Mul", ["scaled", "gate"])];
  if (order === "keras") return [...gate, node("slope", "Mul", ["gate", "sixth"]), node("y", "Mul", ["sum", "slope"])];
  return [...gate, node("both", "Mul", ["sum", "gate"]), node("y", "RealDiv", ["both", "six"])];
};
const swishParts = [
  x,
  filter,
  bias,
  scalar("three", 3),
  scalar("sixth", 1 / 6),
  scalar("six", 6),
  plain,
  node("sum", "AddV2", ["convolution", "bias"]),
];

test("a hard swish after a convolution takes two passes", async () => {
  for (const order of ["selfie", "keras"] as const) {
    const { error, ops, applied } = await compare([...swishParts, ...hardSwish(order)], ["y"]);
    expect(only(ops)).toEqual(["_FusedConv2D", "FusedDepthwiseConv2dNative", "Mul"]);
    expect(applied.fuseHardSwish).toBe(1);
    expect(error).toBeLessThan(1e-5);
  }
});

test("no hard swish: another reader, another shift, a gate of something else, nothing convolved before", async () => {
  const parts = hardSwish("selfie");
  const cases: [Part[], string[]][] = [
    [
      [...swishParts, ...parts, node("z", "Neg", ["sum"])],
      ["y", "z"],
    ],
    [[...swishParts.filter(({ node: { name } }) => name !== "three"), scalar("three", 2), ...parts], ["y"]],
    [
      [...swishParts, ...parts.slice(0, -1), node("other", "Neg", ["scaled"]), node("y", "Mul", ["other", "gate"])],
      ["y"],
    ],
    [[input("sum", [1, 4, 4, 4]), scalar("three", 3), scalar("sixth", 1 / 6), ...parts], ["y"]],
  ];
  for (const [graph, outputs] of cases)
    expect(rewriteGraph(graphOf(graph, outputs)).applied.fuseHardSwish).toBeUndefined();
});

test("a mean over height and width is a pool, with and without these dimensions, in one step or two", async () => {
  for (const keep_dims of [true, false])
    for (const [axes, shape] of [
      [ints("axes", 1, 2), [2, 5, 7, 3]],
      [ints("axes", -2, 1), [1, 64, 32, 1024]],
    ] as const) {
      const parts = [input("x", [...shape]), axes, node("y", "Mean", ["x", "axes"], { keep_dims: { b: keep_dims } })];
      const { error, applied } = await compare(parts, ["y"]);
      expect(applied).toEqual({ squeezeExciteMean: 1 });
      expect(error).toBeLessThan(1e-5);
    }
});

test("a mean over other axes, or of a size that is not known, stays", () => {
  for (const [axes, shape] of [
    [ints("axes", 1), [1, 5, 7, 3]],
    [ints("axes", 2, 3), [1, 5, 7, 3]],
    [ints("axes", 1, 2), [1, -1, 7, 3]],
    [ints("axes", 1, 2), [5, 7, 3]],
  ] as const)
    expect(
      rewriteGraph(graphOf([input("x", [...shape]), axes, node("y", "Mean", ["x", "axes"])], ["y"])).applied,
    ).toEqual({});
});

const peaks = (pool: Record<string, unknown> = {}): Part[] => [
  convolution("top", ["score"], { ksize: list(1, 3, 3, 1), ...pool }, "MaxPool"),
  node("same", "Equal", ["score", "top"]),
  node("mask", "Cast", ["same"], { SrcT: { type: "DT_BOOL" }, DstT: { type: "DT_FLOAT" } }),
  node("y", "Mul", ["score", "mask"]),
];

test("local maxima of scores are kept without comparing, plateaus too", async () => {
  const { error, ops, applied } = await compare([x, node("score", "Sigmoid", ["x"]), ...peaks()], ["y"]);
  expect([applied, error]).toEqual([{ keepPeaks: 1 }, 0]);
  expect(only(ops)).not.toContain("Equal");
  // A Sigmoid of -8 to 8 times 60 is 0 or 1 nearly everywhere: whole areas are equal.
  const flat = [
    x,
    scalar("sixty", 60),
    node("steep", "Mul", ["x", "sixty"]),
    node("score", "Sigmoid", ["steep"]),
    ...peaks(),
  ];
  const second = await compare(flat, ["y"]);
  expect([second.applied.keepPeaks, second.error]).toEqual([1, 0]);
});

test("local maxima of what may be negative or huge, and of strided pools, are compared as before", () => {
  const [any, strided] = [
    [node("score", "Tanh", ["x"]), ...peaks()],
    [node("score", "Sigmoid", ["x"]), ...peaks({ strides: list(1, 2, 1, 1) })],
  ];
  for (const parts of [any, strided])
    expect(rewriteGraph(graphOf([x, ...(parts as Part[])], ["y"])).applied).toEqual({});
});

test("an image is enlarged after a convolution of one pixel, whichever way pixels are placed", async () => {
  const kernel = weight("filter", [1, 1, 3, 2]);
  for (const [op, attr] of [
    ["ResizeBilinear", {}],
    ["ResizeBilinear", { half_pixel_centers: { b: true } }],
    ["ResizeBilinear", { align_corners: { b: true } }],
    ["ResizeNearestNeighbor", {}],
  ] as const) {
    const parts = [
      ...[x, kernel, weight("bias", [2]), ints("size", 20, 13), node("big", op, ["x", "size"], attr)],
      ...[convolution("convolution", ["big", "filter"]), node("y", "AddV2", ["convolution", "bias"])],
    ];
    const { error, ops, applied } = await compare(parts, ["y"]);
    expect(applied.resizeLater).toBe(1);
    expect(ops.y).toBe(op);
    expect(error).toBeLessThan(1e-5);
  }
});

test("an image is not enlarged later with an activation, a larger window, padding, more channels, or when it shrinks", () => {
  const cases: [Part, number[], Part[]][] = [
    [weight("filter", [1, 1, 3, 2]), [20, 13], [convolution("c", ["big", "filter"]), node("y", "Relu", ["c"])]],
    [weight("filter", [3, 3, 3, 2]), [20, 13], [convolution("y", ["big", "filter"])]],
    [
      weight("filter", [1, 1, 3, 2]),
      [20, 13],
      [
        convolution("y", ["big", "filter"], {
          padding: string("EXPLICIT"),
          explicit_paddings: list(0, 0, 1, 0, 0, 0, 0, 0),
        }),
      ],
    ],
    [weight("filter", [1, 1, 3, 9]), [20, 13], [convolution("y", ["big", "filter"])]],
    [weight("filter", [1, 1, 3, 2]), [4, 4], [convolution("y", ["big", "filter"])]],
  ];
  for (const [kernel, to, parts] of cases) {
    const graph = [x, kernel, ints("size", ...to), node("big", "ResizeBilinear", ["x", "size"]), ...parts];
    expect(rewriteGraph(graphOf(graph, ["y"])).applied.resizeLater).toBeUndefined();
  }
});

const enlarged = (stride: number[], to: number[], window: number[]): Part[] => [
  ...[x, weight("filter", [...window, 2, 3]), ints("to", ...to)],
  convolution("up", ["to", "filter", "x"], { strides: list(1, ...stride, 1) }, "Conv2DBackpropInput"),
];

test("a transposed convolution without overlap is one of one pixel, laid out in space, with bias and activation", async () => {
  const [shift, one] = [weight("bias", [2], [0.3, -0.2]), scalar("bias", 0.4)];
  const tails: Part[][] = [
    [node("y", "Neg", ["up"])],
    [shift, node("y", "AddV2", ["up", "bias"])],
    [one, node("sum", "AddV2", ["bias", "up"]), node("y", "Sigmoid", ["sum"])],
    [node("y", "Relu", ["up"])],
  ];
  for (const [stride, window, to] of [
    [
      [2, 2],
      [2, 2],
      [1, 16, 16, 2],
    ],
    [
      [3, 2],
      [3, 2],
      [1, 24, 16, 2],
    ],
  ] as const)
    for (const tail of tails) {
      const { error, applied, ops } = await compare([...enlarged([...stride], [...to], [...window]), ...tail], ["y"]);
      expect(applied).toEqual({ interleave: 1 });
      expect(only(ops)).not.toContain("Conv2DBackpropInput");
      expect(error).toBeLessThan(1e-5);
    }
});

test("a transposed convolution whose windows overlap, or leave gaps, stays", async () => {
  for (const [stride, window] of [
    [2, 3],
    [2, 1],
  ] as const) {
    const { applied, error } = await compare(
      enlarged([stride, stride], [1, 16, 16, 2], [window, window]),
      ["up"],
      ["cpu"],
    );
    expect([applied, error]).toEqual([{}, 0]);
  }
});

test("rows are picked before a convolution of one pixel", async () => {
  const parts = [
    ...[
      x,
      weight("filter", [1, 1, 3, 2]),
      weight("bias", [2]),
      ints("rows", 64, 2),
      ints("picked", 3, 60, 3),
      weight("axis", [], [0], "int32"),
    ],
    ...[
      convolution("convolution", ["x", "filter"]),
      node("sum", "AddV2", ["convolution", "bias"]),
      node("flat", "Reshape", ["sum", "rows"]),
    ],
    node("y", "GatherV2", ["flat", "picked", "axis"], { Tparams: { type: "DT_FLOAT" } }),
  ];
  const { error, applied, ops } = await compare(parts, ["y"]);
  expect([applied.gatherEarlier, only(ops)]).toEqual([1, ["Reshape", "GatherV2", "_FusedMatMul"]]);
  expect(error).toBeLessThan(1e-5);
  const otherRows = parts.map((part) => (part.node.name === "rows" ? ints("rows", 32, 4) : part));
  expect(rewriteGraph(graphOf(otherRows, ["y"])).applied.gatherEarlier).toBeUndefined();
  const padded = [
    ...parts.slice(0, 6),
    convolution("convolution", ["x", "filter"], { strides: list(1, 1, 1, 1), padding: string("VALID") }),
    ...parts.slice(7),
  ];
  expect((await compare([...padded, node("z", "Neg", ["sum"])], ["y", "z"])).applied.gatherEarlier).toBeUndefined();
});
