// Batches of one model: items together where that gives what they get alone, each for itself where it does not.
import { describe, expect, test } from "vitest";
import { InsituError } from "../../../../../src/shared/errors.js";
import type { TensorSpec } from "../../../../../src/shared/types/manifest.js";
import type { TensorData } from "../../../../../src/shared/types/tensor.js";
import { createBatchQueue } from "../../../../../src/worker/runtime/scheduling/batcher.js";
import { agree, bucket, isBatched, join, split } from "../../../../../src/worker/runtime/scheduling/tensor-batch.js";
import type { ResilientRun } from "../../../../../src/worker/runtime/session/resilient-session.js";

type Feeds = Record<string, TensorData>;

const batch = (name: string, ...sizes: number[]): TensorSpec => ({ name, dtype: "float32", shape: [-1, ...sizes] });
const SPECS = { inputs: [batch("x", 2)], outputs: [batch("y", 1)] };
const item = (a: number, b: number): Feeds => ({
  x: { data: Float32Array.of(a, b), shape: [1, 2], dtype: "float32" },
});

/** A model that adds the two numbers of each item, and writes down the sizes of its runs. */
function adding(change: (sums: number[], feeds: Feeds) => number[] = (sums) => sums) {
  const sizes: number[] = [];
  const run = async (feeds: Feeds): Promise<ResilientRun> => {
    const { data, shape } = feeds.x as TensorData;
    const count = shape[0] as number;
    sizes.push(count);
    const sums = Array.from({ length: count }, (_, at) => (data[2 * at] as number) + (data[2 * at + 1] as number));
    const answers = Float32Array.from(change(sums, feeds));
    const y: TensorData = { data: answers, shape: [answers.length, 1], dtype: "float32" };
    return { outputs: { y }, executeMs: 1, readbackMs: 0, backend: "cpu" };
  };
  return { run, sizes };
}

const values = (results: PromiseSettledResult<ResilientRun>[]) =>
  results.map((result) => (result.status === "fulfilled" ? result.value.outputs.y?.data[0] : result.reason.code));

const items = (count: number) => Array.from({ length: count }, (_, at) => item(at, 100));
const sums = (count: number) => Array.from({ length: count }, (_, at) => at + 100);

test("the first batch is compared with single runs, the next ones are as large as they may be", async () => {
  const { run, sizes } = adding();
  const queue = createBatchQueue(run, SPECS, { maxBatchSize: 16 });
  expect(queue.maxBatchSize()).toBe(2);
  expect(values(await queue.run(items(2)))).toEqual(sums(2));
  expect(sizes).toEqual([2, 1, 1]);
  expect(queue.maxBatchSize()).toBe(16);
  expect(values(await queue.run(items(16)))).toEqual(sums(16));
  expect(sizes.slice(3)).toEqual([16]);
});

test("a model that mixes its items runs them one after the other, for good", async () => {
  // As a normalisation over the batch does.
  const { run } = adding((found) => found.map((sum) => sum / found.length));
  const queue = createBatchQueue(run, SPECS, {});
  expect(values(await queue.run(items(2)))).toEqual(sums(2));
  expect(queue.maxBatchSize()).toBe(1);
});

test("items that may not be joined run one after the other, until they may", async () => {
  const { run, sizes } = adding();
  let mayJoin = false;
  const queue = createBatchQueue(run, SPECS, {}, () => mayJoin);
  expect(values(await queue.run(items(2)))).toEqual(sums(2));
  expect(sizes).toEqual([1, 1]);
  mayJoin = true;
  await queue.run(items(2));
  expect(sizes.slice(2)).toEqual([2, 1, 1]);
});

test("a model that answers once for all its items, or whose batch is fixed, is never batched", async () => {
  const once = createBatchQueue(adding((found) => found.slice(0, 1)).run, SPECS, {});
  expect(values(await once.run(items(2)))).toEqual(sums(2));
  expect(once.maxBatchSize()).toBe(1);
  const fixed = { ...SPECS, inputs: [{ ...batch("x", 2), shape: [1, 2] }] };
  expect(createBatchQueue(adding().run, fixed, {}).maxBatchSize()).toBe(1);
});

test("an item that fails alone fails alone: the others of its batch are answered", async () => {
  const { run } = adding((found, { x }) => {
    if (x?.data.includes(13)) throw new InsituError("unknown", "unlucky");
    return found;
  });
  const queue = createBatchQueue(run, SPECS, {});
  await queue.run(items(2));
  const results = await queue.run([item(1, 2), item(13, 1), item(3, 4), item(5, 6)]);
  expect(values(results)).toEqual([3, "unknown", 7, 11]);
});

test("a batch for which there is no memory is halved until there is, and later ones are no larger", async () => {
  const { run, sizes } = adding((found) => {
    if (found.length > 4) throw new InsituError("out_of_memory", "too much");
    return found;
  });
  const queue = createBatchQueue(run, SPECS, { maxBatchSize: 16 });
  await queue.run(items(2));
  sizes.length = 0;
  expect(values(await queue.run(items(16)))).toEqual(sums(16));
  expect(sizes).toEqual([16, 8, 4, 4, 8, 4, 4]);
  expect(queue.maxBatchSize()).toBe(4);
});

describe("parts", () => {
  test("a bucket is the largest power of two that fits", () => {
    expect([1, 2, 3, 7, 8, 33, 100].map((waiting) => bucket(waiting, 32))).toEqual([1, 2, 2, 4, 8, 32, 32]);
    expect(bucket(9, 6)).toBe(4);
  });

  test("what is joined is split again, of every type and shape", () => {
    const parts: Feeds[] = [0, 1, 2].map((n) => ({
      a: { data: Float32Array.of(n, n + 0.5), shape: [1, 2], dtype: "float32" },
      b: { data: Int32Array.of(n), shape: [1], dtype: "int32" },
    }));
    const whole = join(parts);
    expect(whole.a?.shape).toEqual([3, 2]);
    expect(whole.b?.data).toEqual(Int32Array.of(0, 1, 2));
    expect(split(whole, 3)).toEqual(parts);
    expect(split(whole, 2)).toBeUndefined();
  });

  test("only what leaves every first size to the caller is batched", () => {
    expect(isBatched(SPECS.inputs, SPECS.outputs)).toBe(true);
    expect(isBatched(SPECS.inputs, [{ name: "y", dtype: "float32", shape: [1, 3] }])).toBe(false);
    expect(isBatched(SPECS.inputs, [{ name: "y", dtype: "float32", shape: [] }])).toBe(false);
  });

  test("runs agree up to rounding, by the size of their largest value", () => {
    const y = (...data: number[]) =>
      ({ y: { data: Float32Array.from(data), shape: [data.length], dtype: "float32" } }) as Feeds;
    expect(agree(y(1, 2), y(1, 2.0005))).toBe(true);
    expect(agree(y(1, 2), y(1, 2.1))).toBe(false);
    expect(agree(y(1000, 0.1), y(1000, 0.5))).toBe(true);
    expect(agree(y(1), y(1, 1))).toBe(false);
    expect(agree(y(Number.NaN), y(Number.NaN))).toBe(true);
  });
});

test("a ranking's call is a batch already, and is never joined with another", () => {
  const task = { kind: "ranking" } as const;
  expect(createBatchQueue(adding().run, { ...SPECS, task }, { maxBatchSize: 16 }).maxBatchSize()).toBe(1);
});
