// Hostile model.json files, thousands a run: each is read or refused with a typed error, and changes nothing else.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Manifest } from "../../../../src/shared/types/manifest.js";
import { parseModelJson, weightBytes } from "../../../../src/worker/package/topology.js";
import { attempt, BOUNDED, guardPrototypes } from "../../../support/attempt.js";
import { HASH, refusal } from "../../../support/manifests.js";
import { changes, damage, hostile, mutate, textOf } from "../../../support/mutations.js";

guardPrototypes();
const WHERE = "https://host.example/m/model.json";

describe("a model.json", () => {
  const manifest = (format: Manifest["format"]): Manifest => {
    const files = [
      { path: "a.bin", size: 24, sha256: HASH },
      { path: "b.bin", size: 7, sha256: HASH },
    ];
    const inputs = [{ name: "x", dtype: "float32" as const, shape: [1, 2] }];
    const outputs = [{ name: "y:0", dtype: "float32" as const, shape: [1, 3] }];
    return {
      insitu: 1,
      name: "m",
      version: "1.0.0",
      release: 0,
      format,
      files,
      inputs,
      outputs,
      task: { kind: "raw" },
    };
  };
  const weightsManifest = [
    { paths: ["a.bin"], weights: [{ name: "w", shape: [2, 3], dtype: "float32" }] },
    {
      paths: ["b.bin"],
      weights: [
        { name: "h", shape: [2], dtype: "float32", quantization: { dtype: "float16", original_dtype: "float32" } },
        { name: "q", shape: [2], dtype: "int32", quantization: { dtype: "uint8", scale: 0.5, min: -1 } },
        { name: "f", shape: [], dtype: "bool" },
      ],
    },
  ];
  const node = [
    { name: "x", op: "Placeholder" },
    { name: "w", op: "Const" },
    { name: "y", op: "MatMul", input: ["x", "w"], attr: { T: { type: "DT_FLOAT" } } },
  ];
  const dense = { class_name: "Dense", config: { name: "d", units: 3, batch_input_shape: [null, 2] } };
  const inner = { class_name: "Sequential", config: { layers: [dense] } };
  const MODELS = [
    { format: "graph-model", modelTopology: { node, library: { function: [{ nodeDef: node }] } }, weightsManifest },
    {
      modelTopology: { model_config: { class_name: "Sequential", config: { layers: [inner, dense] } } },
      weightsManifest,
    },
    { modelTopology: { class_name: "Model", config: [dense] }, weightsManifest },
  ];

  const read = (text: string) => {
    for (const format of ["tfjs-graph-model", "tfjs-layers-model"] as const) {
      const expected = manifest(format);
      const model = attempt(() => parseModelJson(text, expected, WHERE));
      if (!model) continue;
      expect(model.format).toBe(format);
      const sizes = model.weightFiles.map(
        (path) => expected.files.find((file) => file.path === path)?.size ?? Number.NaN,
      );
      const bytes = model.weightSpecs.reduce((sum, spec) => sum + weightBytes(spec), 0);
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(bytes);
      expect(new Set(model.weightSpecs.map(({ name }) => name)).size).toBe(model.weightSpecs.length);
    }
  };

  it("may be any JSON", { timeout: BOUNDED }, () => {
    fc.assert(
      fc.property(hostile, (value) => read(textOf(value))),
      { numRuns: 500 },
    );
  });

  it("may be a good one with changes anywhere", { timeout: BOUNDED }, () => {
    const all = fc.tuple(fc.constantFrom(...MODELS), changes);
    fc.assert(
      fc.property(all, ([model, list]) => read(mutate(model, list))),
      { numRuns: 2500 },
    );
  });

  it("may be damaged text", { timeout: BOUNDED }, () => {
    const all = fc.tuple(fc.constantFrom(...MODELS), damage);
    fc.assert(
      fc.property(all, ([model, harm]) => read(harm(JSON.stringify(model)))),
      { numRuns: 500 },
    );
  });

  it("may name a file as often as it likes", { timeout: BOUNDED }, () => {
    const paths = Array.from({ length: 50_000 }, (_, index) => `f${index}`);
    const text = JSON.stringify({ ...MODELS[0], weightsManifest: [{ paths, weights: [] }] });
    expect(refusal(() => parseModelJson(text, manifest("tfjs-graph-model"), WHERE)).code).toBe("model_format");
  });
});
