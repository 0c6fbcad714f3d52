// The features of inputs: their summaries, their names, and where they lie in a reference profile.
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { createProfile } from "../../../../../src/cli/make-profile.js";
import { createFeatureHistogram } from "../../../../../src/page/lazy/drift/feature-histogram.js";
import { nameFeatures, quantileOf } from "../../../../../src/page/lazy/drift/feature-values.js";
import { createInputStatistics } from "../../../../../src/page/lazy/drift/input-statistics.js";
import { summariseInput } from "../../../../../src/shared/summarise-input.js";
import type { InputSpec, ReferenceFeature } from "../../../../../src/shared/types/manifest.js";
import { mulberry32 } from "../../../../../src/worker/package/seeded-noise.js";

const TABLE: InputSpec = { name: "x", dtype: "float32", shape: [-1, 3] };
const IMAGE = { name: "image", dtype: "float32", shape: [1, 28, 28, 1], image: {} } as unknown as InputSpec;

describe("a summary", () => {
  it("has mean and spread, and of at most 16 numbers these themselves", () => {
    expect(summariseInput(Float32Array.of(1, 2, 3, 6))).toEqual([3, Math.sqrt(3.5), 1, 2, 3, 6]);
    expect(summariseInput(new Float32Array(17).fill(2))).toEqual([2, 0]);
    expect(summariseInput(Float32Array.of(4), { width: 640, height: 480 })).toEqual([4, 0, 640, 480]);
  });

  it("leaves out what is not finite; without a number it is NaN", () => {
    expect(summariseInput(Float32Array.of(Number.NaN, 1, Infinity, 3)).slice(0, 2)).toEqual([2, 1]);
    expect(summariseInput(Float32Array.of(Number.NaN)).slice(0, 2)).toEqual([Number.NaN, Number.NaN]);
  });

  it("of a large image is near that of all its numbers, for each number of channels", () => {
    const random = mulberry32(4);
    for (const channels of [1, 3, 4]) {
      const data = new Float32Array(224 * 224 * channels);
      // Each channel has a level of its own: reading one of them only would be seen.
      for (let i = 0; i < data.length; i += 1) data[i] = (i % channels) + random();
      const [mean, spread] = summariseInput(data) as [number, number];
      const all = data.reduce((sum, value) => sum + value, 0) / data.length;
      const deviation = Math.sqrt(data.reduce((sum, value) => sum + (value - all) ** 2, 0) / data.length);
      expect(Math.abs(mean - all)).toBeLessThan(0.06);
      expect(Math.abs(spread - deviation)).toBeLessThan(0.06);
    }
  });
});

test("features are named by the input, and columns by the profile", () => {
  const image = { image: [0.5, 0.2, 640, 480] };
  expect(nameFeatures(image, [IMAGE])).toEqual({
    "image.brightness": 0.5,
    "image.contrast": 0.2,
    "image.width": 640,
    "image.height": 480,
  });
  const row = { x: summariseInput(Float32Array.of(1, Number.NaN, 5)) };
  expect(nameFeatures(row, [TABLE])).toEqual({ "x.mean": 3, "x.spread": 2 });
  const feature = (name: string): ReferenceFeature => ({
    name,
    edges: new Array(19).fill(0),
    low: 0,
    high: 0,
    missing: 0,
  });
  const reference = { samples: 20, features: ["x.area", "x.rooms", "x.year"].map(feature) };
  expect(nameFeatures(row, [TABLE], reference)).toEqual({ "x.area": 1, "x.rooms": Number.NaN, "x.year": 5 });
  const two = { samples: 20, features: ["x.mean", "x.spread"].map(feature) };
  expect(nameFeatures({ x: [1.5, 0.5, 1, 2] }, [{ ...TABLE, shape: [-1, 2] }], two)).toEqual({
    "x.mean": 1.5,
    "x.spread": 0.5,
  });
});

/** The profile of one column of numbers. */
function profileOf(values: readonly number[]): ReferenceFeature {
  const spec: InputSpec = { name: "x", dtype: "float32", shape: [-1, 1] };
  const profile = createProfile([spec], 0, ["a"]);
  for (const value of values)
    profile.add({
      feeds: { x: { data: Float32Array.of(value), shape: [1, 1], dtype: "float32" } },
      sizes: {},
      path: "",
    });
  return profile.build().features[0] as ReferenceFeature;
}

/** PSI of values under a profile whose values have the same distribution, in 20 bins. */
function psi(draw: () => number, n: number): number {
  const profile = profileOf(Array.from({ length: n }, draw));
  const counts = new Array<number>(20).fill(0);
  const random = mulberry32(77);
  for (let i = 0; i < n; i += 1) {
    const bin = Math.min(19, Math.floor(quantileOf(Math.fround(draw()), profile, random) * 20));
    counts[bin] = (counts[bin] as number) + 1;
  }
  return counts.reduce((sum, count) => {
    const share = Math.max(count / n, 1e-4);
    return sum + (share - 0.05) * Math.log(share / 0.05);
  }, 0);
}

const random = mulberry32(21);
const DISTRIBUTIONS: [string, () => number][] = [
  ["uniform", random],
  ["skewed", () => random() ** 6],
  ["the same always", () => 224],
  ["0 or 1", () => (random() < 0.3 ? 1 : 0)],
  ["four values", () => Math.floor(random() * 4)],
  ["mostly 0", () => (random() < 0.9 ? 0 : random())],
];

test.each(DISTRIBUTIONS)("values like those of the reference have each quantile as often: %s", (_name, draw) => {
  expect(psi(draw, 20_000)).toBeLessThan(0.02);
});

test("values that are not like those of the reference are at its ends, and never outside", () => {
  const profile = profileOf(Array.from({ length: 1000 }, (_, i) => i / 1000));
  expect(quantileOf(-5, profile)).toBe(0);
  expect(quantileOf(5, profile)).toBe(1);
  expect(quantileOf(0.4721, profile)).toBeCloseTo(0.472, 2);
  const any = fc.array(fc.double({ min: -1e9, max: 1e9, noNaN: true }), { minLength: 20, maxLength: 40 });
  fc.assert(
    fc.property(
      any,
      fc.double({ noNaN: true, min: -1e12, max: 1e12 }),
      fc.double({ min: 0, max: 0.999 }),
      (all, value, at) => {
        const quantile = quantileOf(value, profileOf(all), () => at);
        expect(quantile).toBeGreaterThanOrEqual(0);
        expect(quantile).toBeLessThanOrEqual(1);
      },
    ),
  );
});

test("a histogram holds every value in 20 bins, whatever the range", () => {
  const values = fc.array(fc.double({ min: -3e38, max: 3e38, noNaN: true }), { minLength: 1, maxLength: 100 });
  fc.assert(
    fc.property(values, (all) => {
      const histogram = createFeatureHistogram(false);
      for (const value of all) histogram.add(value);
      histogram.add(Number.NaN);
      const state = histogram.state("x.a");
      const { from, to, counts } = state.histogram;
      expect(counts).toHaveLength(20);
      expect(counts.reduce((sum, count) => sum + count, 0)).toBe(all.length);
      expect(state).toMatchObject({ n: all.length, missing: 1, min: Math.min(...all), max: Math.max(...all) });
      // To the precision of numbers, where the range is 10^16 times as large as a value.
      const rounding = (to - from) * 1e-12;
      expect(from - rounding).toBeLessThanOrEqual(Math.min(...all));
      expect(to + rounding).toBeGreaterThanOrEqual(Math.max(...all));
    }),
  );
});

test("a histogram's bins keep their values when its range doubles", () => {
  const histogram = createFeatureHistogram(false);
  for (let i = 0; i < 1000; i += 1) histogram.add(10 + (i % 10) / 10);
  for (let i = 0; i < 500; i += 1) histogram.add(-300);
  const { from, to, counts } = histogram.state("x").histogram;
  const width = (to - from) / 20;
  const inRange = (low: number, high: number) =>
    counts.filter((_, i) => from + (i + 1) * width > low && from + i * width <= high).reduce((a, b) => a + b, 0);
  expect(inRange(10, 11)).toBe(1000);
  expect(inRange(-300, -300)).toBe(500);
});

test("at most ten inputs a second are sampled, on a GPU one of four of them", () => {
  let time = 0;
  const count = (backend: string) => {
    const draws = mulberry32(2);
    const statistics = createInputStatistics(() => time, draws);
    let sampled = 0;
    for (let i = 0; i < 6000; i += 1, time += 1000 / 60) if (statistics.isDue(backend)) sampled += 1;
    return sampled;
  };
  // 100 seconds of a video.
  expect(count("wasm")).toBeGreaterThan(850);
  expect(count("wasm")).toBeLessThanOrEqual(1000);
  expect(Math.abs(count("webgpu") - 215)).toBeLessThan(65);
});

test("without a profile nothing of an input may leave; with one only quantiles may", () => {
  const statistics = createInputStatistics();
  const summaries = { x: summariseInput(Float32Array.of(4711, Number.NaN, 13)) };
  expect(statistics.add(summaries, { inputs: [TABLE] })).toBeUndefined();
  expect(statistics.state().map(({ feature, n }) => [feature, n])).toEqual([
    ["x.mean", 1],
    ["x.spread", 1],
  ]);
  const edges = Array.from({ length: 19 }, (_, i) => i);
  const features = ["x.a", "x.b", "x.c"].map((name) => ({ name, edges, low: -1, high: 20, missing: 0.1 }));
  const told = statistics.add(summaries, { inputs: [TABLE], reference: { samples: 99, features } });
  expect(told).toEqual({ quantiles: { "x.a": 1, "x.c": expect.closeTo(13.5 / 20, 1) }, missing: ["x.b"] });
  const state = statistics.state().find(({ feature }) => feature === "x.a");
  expect(state).toMatchObject({ n: 1, mean: 4711, histogram: { from: 0, to: 1, isQuantile: true } });
  expect(statistics.state().find(({ feature }) => feature === "x.b")).toMatchObject({ n: 0, missing: 1 });
});
