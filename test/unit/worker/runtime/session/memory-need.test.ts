// A model that a backend cannot hold is refused before a byte of it is allocated.
import { expect, test } from "vitest";
import type { ModelJson } from "../../../../../src/worker/package/topology.js";
import { tooLarge, weightsInMemory } from "../../../../../src/worker/runtime/session/memory-need.js";

const model = (...shapes: number[][]): ModelJson => ({
  format: "tfjs-graph-model",
  json: {},
  weightSpecs: shapes.map((shape, at) => ({ name: `w${at}`, shape, dtype: "float32" })),
  weightFiles: [],
});

test("weights are counted as they are in memory, whatever they take in their file", () => {
  const quantized = model([100, 10]);
  Object.assign(quantized.weightSpecs[0] ?? {}, { quantization: { dtype: "uint8", scale: 1, min: 0 } });
  expect(weightsInMemory(quantized)).toBe(4_000);
  expect(weightsInMemory(model([3, 4], []))).toBe(4 * (12 + 1));
});

test("what wasm has no room for is refused there with the figures, and tried elsewhere", () => {
  const large = model([30_000, 20_000]);
  expect(tooLarge(large, "wasm")).toBe("its weights need 2400 MB in memory, wasm has room for 1611 MB");
  expect(tooLarge(large, "webgpu")).toBeUndefined();
  expect(tooLarge(model([10_000, 20_000]), "wasm")).toBeUndefined();
});
