// How a backend's outputs are judged: by their distance from what was recorded, and never right when they are no numbers.
import { describe, expect, it } from "vitest";
import type { TensorData } from "../../../../../src/shared/types/tensor.js";
import type { ExpectedOutput, SelfTest } from "../../../../../src/worker/package/self-test-files.js";
import type { Session } from "../../../../../src/worker/runtime/session/engine.js";
import { compareOutputs, verifySession } from "../../../../../src/worker/runtime/session/verify-session.js";

const floats = (values: number[], shape = [values.length]): TensorData => ({
  data: new Float32Array(values),
  shape,
  dtype: "float32",
});
const right = (values: number[], more: Partial<ExpectedOutput> = {}): ExpectedOutput => ({
  data: new Float32Array(values),
  shape: [values.length],
  dtype: "float32",
  stride: 1,
  unstable: [],
  ...more,
});
const judge = (expected: ExpectedOutput, actual: TensorData, tolerance = 0.01) =>
  compareOutputs({ scores: expected }, { scores: actual }, tolerance);

describe("compare", () => {
  it("tells the largest error and where it is", () => {
    expect(judge(right([0.5, 0.25, 0]), floats([0.5, 0.375, 0.0625]))).toEqual({
      agrees: false,
      worst: 0.125,
      output: "scores",
      index: 1,
      expected: 0.25,
      actual: 0.375,
    });
    expect(judge(right([0.5, 0.25]), floats([0.5, 0.25]))).toMatchObject({ agrees: true, worst: 0 });
  });

  it("is absolute for outputs up to 1, and relative to the largest value beyond", () => {
    const small = judge(right([0.001, 0]), floats([0.002, 0]), 0.01);
    expect(small).toMatchObject({ agrees: true });
    expect(small.worst).toBeCloseTo(0.001, 6);
    // 4 of 512 pixels.
    expect(judge(right([512, 10]), floats([512, 14]), 0.01)).toMatchObject({ agrees: true, worst: 4 / 512 });
    expect(judge(right([-512, 10]), floats([-512, 16]), 0.01)).toMatchObject({ agrees: false, worst: 6 / 512 });
  });

  it("agrees at the tolerance itself, and not above it", () => {
    expect(judge(right([0]), floats([0.25]), 0.25).agrees).toBe(true);
    expect(judge(right([0]), floats([0.25]), 0.249).agrees).toBe(false);
  });

  it("looks at every stride-th value, and tells the place in the whole output", () => {
    const kept = right([1, 0, 0], { shape: [1, 5], stride: 2 });
    expect(judge(kept, floats([1, 9, 0, 9, 0], [1, 5])).agrees).toBe(true);
    expect(judge(kept, floats([1, 0, 0, 0, 0.5], [1, 5]))).toMatchObject({ agrees: false, index: 4, actual: 0.5 });
  });

  it("leaves out what the recording calls unstable, but not when it is no number", () => {
    const kept = right([0.1, 0.2], { unstable: [0] });
    expect(judge(kept, floats([0.9, 0.2])).agrees).toBe(true);
    expect(judge(kept, floats([0.1, 0.9])).agrees).toBe(false);
    expect(judge(kept, floats([Number.NaN, 0.2])).agrees).toBe(false);
  });

  it.each([Number.NaN, 1 / 0, -1 / 0])("never agrees with %s, not even between the strides", (value) => {
    const kept = right([1, 0], { shape: [3], stride: 2 });
    const found = judge(kept, floats([1, value, 0]), Number.MAX_VALUE);
    expect(found).toMatchObject({ agrees: false, worst: 1 / 0, output: "scores", index: 1, actual: value });
    expect(found.problem).toBe(`gave ${value} (output scores[1])`);
  });

  it("never agrees with another shape, another length, or no output", () => {
    const kept = right([1, 2], { shape: [1, 2] });
    const shaped = judge(kept, floats([1, 2], [2, 1]), Number.MAX_VALUE);
    expect(shaped).toMatchObject({
      agrees: false,
      problem: "gave an output scores of shape [2, 1] where [1, 2] is right",
    });
    expect(judge(kept, floats([1], [1, 2]), Number.MAX_VALUE).agrees).toBe(false);
    expect(compareOutputs({ scores: kept }, { other: floats([1, 2]) }, 1)).toMatchObject({
      problem: "gave no output scores",
    });
    expect(compareOutputs({ toString: kept }, {}, 1).agrees).toBe(false);
  });

  it("tells the worst of several outputs, whole numbers and bools too", () => {
    const ints = { ...right([]), data: new Int32Array([3, 4]), shape: [2], dtype: "int32" as const };
    const actual = { data: new Int32Array([3, 5]), shape: [2], dtype: "int32" as const };
    const bools = { ...right([]), data: new Uint8Array([1, 0]), shape: [2], dtype: "bool" as const };
    const found = compareOutputs(
      { scores: right([0.5]), ids: ints, mask: bools },
      { scores: floats([0.5]), ids: actual, mask: { data: new Uint8Array([1, 0]), shape: [2], dtype: "bool" } },
      0.2,
    );
    expect(found).toMatchObject({ agrees: false, output: "ids", index: 1, worst: 0.25 });
  });
});

describe("selfTest", () => {
  /** A session that doubles its input, and adds what it is told to. */
  const doubling = (error = 0): Session => ({
    target: { backend: "wasm", threads: 1 },
    embed: () => Promise.reject(new Error("not asked for")),
    run: async ({ x }) => {
      const data = Float32Array.from((x as TensorData).data, (value) => value * 2 + error);
      return { outputs: { y: { ...(x as TensorData), data } }, executeMs: 0, readbackMs: 0 };
    },
    dispose: () => undefined,
  });
  const test = (...values: number[]): SelfTest => ({
    inputs: { x: floats(values) },
    outputs: { y: right(values.map((value) => value * 2)) },
    tolerance: { webgpu: 0.5, wasm: 1e-4, cpu: 1e-4 },
  });

  it("gives no reason when all tests agree, or there are none", async () => {
    expect(await verifySession(doubling(), [test(0.125, 0.25), test(40)], "wasm")).toBeUndefined();
    expect(await verifySession(doubling(), [], "wasm")).toBeUndefined();
  });

  it("gives the figures of the first test that fails, by the tolerance of the backend", async () => {
    const reason =
      "the self-test failed: wasm gave 0.5 where 0.25 is right (output y[0]), an error of 2.5e-1; the tolerance is 1e-4";
    expect(await verifySession(doubling(0.25), [test(0.125), test(0.5)], "wasm")).toBe(reason);
    expect(await verifySession(doubling(0.25), [test(0.125), test(0.5)], "webgpu")).toBeUndefined();
  });

  it("says what is no number, and throws what the backend throws", async () => {
    expect(await verifySession(doubling(Number.NaN), [test(1)], "cpu")).toBe(
      "the self-test failed: cpu gave NaN (output y[0])",
    );
    const broken = { ...doubling(), run: () => Promise.reject(new Error("no kernel")) };
    await expect(verifySession(broken, [test(1)], "cpu")).rejects.toThrow("no kernel");
  });
});
