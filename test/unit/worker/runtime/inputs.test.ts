// Numbers that a caller passed as what a model reads: one item, and of a ranking a list of candidates.
import { expect, test } from "vitest";
import type { InputSpec, TaskKind } from "../../../../src/shared/types/manifest.js";
import type { TypedArray } from "../../../../src/shared/types/tensor.js";
import { toFeeds } from "../../../../src/worker/runtime/inputs.js";

const features: InputSpec = { name: "features", dtype: "float32", shape: [-1, 3] };
const ids: InputSpec = { name: "ids", dtype: "int32", shape: [-1] };
const context: InputSpec = { name: "context", dtype: "float32", shape: [1, 2] };

const one = (data: TypedArray, isList: boolean) =>
  toFeeds({ kind: "tensor", data }, [features], { task: isList ? "ranking" : "embedding" });
const all = (data: Record<string, TypedArray>) =>
  toFeeds({ kind: "tensors", data }, [features, ids, context], { task: "ranking" });

test("a ranking takes as many candidates as there are rows", async () => {
  for (const count of [1, 2, 3200]) {
    const { feeds } = await one(new Float32Array(3 * count), true);
    expect(feeds.features?.shape).toEqual([count, 3]);
    expect(feeds.features?.data.length).toBe(3 * count);
  }
});

test("what is no whole number of rows is refused, and so is nothing", async () => {
  for (const length of [0, 1, 4, 7]) {
    await expect(one(new Float32Array(length), true)).rejects.toMatchObject({
      code: "input_invalid",
      message: expect.stringContaining("length n times 3 (shape [-1,3], float32)"),
      data: { input: "features", length: 3 },
    });
  }
  await expect(one(new Int32Array(6), true)).rejects.toMatchObject({ code: "input_invalid" });
});

test("any other model takes one item", async () => {
  expect((await one(new Float32Array(3), false)).feeds.features?.shape).toEqual([1, 3]);
  await expect(one(new Float32Array(6), false)).rejects.toMatchObject({
    code: "input_invalid",
    message: expect.stringContaining("length 3 (shape [1,3], float32)"),
  });
});

test("the inputs of a ranking agree on the number of candidates; an input of a fixed size is one for all", async () => {
  const given = { features: new Float32Array(12), ids: new Int32Array(4), context: new Float32Array(2) };
  const { feeds } = await all(given);
  expect(Object.values(feeds).map(({ shape }) => shape)).toEqual([[4, 3], [4], [1, 2]]);
  await expect(all({ ...given, ids: new Int32Array(5) })).rejects.toMatchObject({
    code: "input_invalid",
    data: { counts: { features: 4, ids: 5 } },
  });
  await expect(all({ ...given, context: new Float32Array(4) })).rejects.toMatchObject({ code: "input_invalid" });
});

test("NaN and infinity are refused with the tensor and the index, unless the manifest allows them", async () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    const data = Float32Array.of(-0, 3.4e38, value);
    await expect(one(data, false)).rejects.toMatchObject({
      code: "input_invalid",
      message: expect.stringContaining(`${value} at 2`),
      data: { input: "features", index: 2 },
    });
    const specs = [{ ...features, allowNonFinite: true }];
    expect((await toFeeds({ kind: "tensor", data }, specs)).feeds.features?.data).toBe(data);
  }
  const extremes = Float32Array.of(-3.4e38, 1e-45, -0);
  expect((await one(extremes, false)).feeds.features?.data).toBe(extremes);
});

test("the length of the numbers tells one open size beyond the batch", async () => {
  const tokens: InputSpec = { name: "tokens", dtype: "int32", shape: [-1, -1] };
  const frames: InputSpec = { name: "frames", dtype: "float32", shape: [1, -1, 4] };
  const shapeOf = async (data: TypedArray, spec: InputSpec, task: TaskKind = "classification") =>
    (await toFeeds({ kind: "tensor", data }, [spec], { task })).feeds[spec.name]?.shape;
  expect(await shapeOf(new Int32Array(7), tokens)).toEqual([1, 7]);
  expect(await shapeOf(new Int32Array(7), tokens, "raw")).toEqual([1, 7]);
  expect(await shapeOf(new Float32Array(12), frames)).toEqual([1, 3, 4]);
  await expect(shapeOf(new Float32Array(13), frames)).rejects.toMatchObject({
    code: "input_invalid",
    message: expect.stringContaining("length n times 4 (shape [1,-1,4], float32)"),
  });
  // Two open sizes do not follow from one length.
  const map: InputSpec = { name: "map", dtype: "float32", shape: [-1, -1, -1, 2] };
  await expect(shapeOf(new Float32Array(8), map)).rejects.toMatchObject({ code: "input_invalid" });
});

test("a raw model whose batch alone is open takes any number of items", async () => {
  const shapeOf = async (length: number, task: TaskKind) =>
    (await toFeeds({ kind: "tensor", data: new Float32Array(length) }, [features], { task })).feeds.features?.shape;
  expect(await shapeOf(12, "raw")).toEqual([4, 3]);
  await expect(shapeOf(12, "regression")).rejects.toMatchObject({ code: "input_invalid" });
});
