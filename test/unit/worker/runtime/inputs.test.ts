// Numbers that a caller passed as what a model reads: one item, and of a ranking a list of candidates.
import { expect, test } from "vitest";
import type { InputSpec, TaskKind } from "../../../../src/shared/types/manifest.js";
import type { ShapedNumbers, TypedArray } from "../../../../src/shared/types/tensor.js";
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
});

test("two open sizes do not follow from one length: they come with a shape, which must fit", async () => {
  const map: InputSpec = { name: "map", dtype: "float32", shape: [-1, -1, -1, 2] };
  const feedsOf = (data: ShapedNumbers | TypedArray, task: TaskKind = "classification", spec = map) =>
    toFeeds({ kind: "tensor", data }, [spec], { task });
  const data = Float32Array.from({ length: 12 }, (_, index) => index);
  await expect(feedsOf(data)).rejects.toMatchObject({
    code: "input_invalid",
    message: expect.stringContaining("Pass { data, shape }"),
  });
  for (const shape of [
    [1, 2, 3, 2],
    [1, 6, 1, 2],
  ]) {
    expect((await feedsOf({ data, shape })).feeds.map).toEqual({ data, shape, dtype: "float32" });
  }
  // By name too, and where the shape was not needed.
  const byName = await toFeeds({ kind: "tensors", data: { map: { data, shape: [1, 3, 2, 2] } } }, [map]);
  expect(byName.feeds.map?.shape).toEqual([1, 3, 2, 2]);
  expect(
    (await feedsOf({ data: data.slice(0, 3), shape: [1, 3] }, "embedding", features)).feeds.features?.shape,
  ).toEqual([1, 3]);
  for (const shape of [
    [1, 2, 3],
    [1, 2, 2, 2],
    [1, 3, 4, 1],
    [2, 1, 3, 2],
    [1, -2, -3, 2],
    [1, 1.5, 4, 2],
    [1, 0, 3, 2],
    [],
    ["1", 2, 3, 2] as never,
  ]) {
    await expect(feedsOf({ data, shape }), String(shape)).rejects.toMatchObject({
      code: "input_invalid",
      data: { input: "map" },
    });
  }
  // A list of items has as many as its shape says.
  expect((await feedsOf({ data, shape: [4, 3] }, "ranking", features)).feeds.features?.shape).toEqual([4, 3]);
});

test("numbers outside the range of the manifest's input are refused with the range, the number and its index", async () => {
  const tokens: InputSpec = { name: "tokens", dtype: "int32", shape: [-1, -1], range: [0, 9] };
  const feeds = (...data: number[]) => toFeeds({ kind: "tensor", data: Int32Array.of(...data) }, [tokens]);
  expect((await feeds(0, 9, 5)).feeds.tokens?.shape).toEqual([1, 3]);
  for (const wrong of [10, -1, 2 ** 31 - 1]) {
    await expect(feeds(0, 9, wrong)).rejects.toMatchObject({
      code: "input_invalid",
      message: expect.stringContaining(`tokens holds ${wrong} at 2. It takes numbers from 0 to 9`),
      data: { input: "tokens", index: 2, range: [0, 9] },
    });
  }
});

test("a raw model whose batch alone is open takes any number of items", async () => {
  const shapeOf = async (length: number, task: TaskKind) =>
    (await toFeeds({ kind: "tensor", data: new Float32Array(length) }, [features], { task })).feeds.features?.shape;
  expect(await shapeOf(12, "raw")).toEqual([4, 3]);
  await expect(shapeOf(12, "regression")).rejects.toMatchObject({ code: "input_invalid" });
});
