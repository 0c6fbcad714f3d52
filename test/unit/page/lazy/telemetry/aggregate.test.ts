// Sums: every value is in the one bucket that holds it, nothing is lost and nothing is counted twice, also after a merge.
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createAggregate } from "../../../../../src/page/lazy/telemetry/aggregate.js";
import * as exponentialHistogram from "../../../../../src/page/lazy/telemetry/exponential-histogram.js";
import { INSTRUMENTS } from "../../../../../src/page/lazy/telemetry/instruments.js";
import type {
  TelemetryCounterPoint,
  TelemetryExponentialPoint,
  TelemetryHistogramPoint,
} from "../../../../../src/page/lazy/telemetry/types.js";

const golden = JSON.parse(readFileSync(new URL("../../../../fixtures/monitoring.json", import.meta.url), "utf8")) as {
  exp_histogram_index: { v: number; scale: number; index: number }[];
  exp_histogram_relerr: Record<string, number>;
};
const { addExponential, bucketIndex, emptyExponential, mergeExponential } = exponentialHistogram;
const SECONDS = INSTRUMENTS["ml.inference.duration"][1];
const durations = fc.array(fc.double({ min: 0, max: 100, noNaN: true }), { minLength: 1, maxLength: 200 });
const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);

test("every value lands in the one bucket that holds it", () => {
  fc.assert(
    fc.property(durations, (values) => {
      const aggregate = createAggregate();
      for (const value of values) aggregate.add("ml.inference.duration", value);
      const point = aggregate.take()[0]?.points[0] as TelemetryHistogramPoint;
      const expected = new Array<number>(SECONDS.length + 1).fill(0);
      for (const value of values) {
        let bucket = 0;
        while (bucket < SECONDS.length && value > (SECONDS[bucket] as number)) bucket += 1;
        expected[bucket] = (expected[bucket] as number) + 1;
      }
      expect(point.buckets).toEqual(expected);
      expect(point.count).toBe(values.length);
      expect(point.sum).toBeCloseTo(sum(values), 6);
      expect([point.min, point.max]).toEqual([Math.min(...values), Math.max(...values)]);
    }),
  );
});

test.each([
  ["with fixed bounds", undefined],
  ["exponential", exponentialHistogram],
])("merged metrics are added to what was recorded meanwhile (%s)", (_, exponential) => {
  fc.assert(
    fc.property(durations, durations, (first, second) => {
      const whole = createAggregate(exponential);
      for (const value of [...second, ...first]) whole.add("ml.inference.duration", value, { a: "1" });
      const parts = createAggregate(exponential);
      for (const value of first) parts.add("ml.inference.duration", value, { a: "1" });
      const taken = parts.take();
      for (const value of second) parts.add("ml.inference.duration", value, { a: "1" });
      parts.merge(taken);
      const [one, other] = [whole, parts].map((each) => each.take()[0]?.points[0]) as TelemetryHistogramPoint[];
      expect(other).toEqual({ ...one, sum: other?.sum });
      expect(other?.sum).toBeCloseTo(one?.sum as number, 6);
    }),
  );
});

test("each set of attributes is a stream, and counters add up", () => {
  const aggregate = createAggregate();
  aggregate.add("ml.errors", 1, { "error.type": "timeout" });
  aggregate.add("ml.errors", 2, { "error.type": "timeout" });
  aggregate.add("ml.errors", 1, { "error.type": "network" });
  expect(aggregate.take()).toEqual([
    {
      kind: "counter",
      name: "ml.errors",
      unit: "{error}",
      points: [
        { attributes: { "error.type": "timeout" }, value: 3 },
        { attributes: { "error.type": "network" }, value: 1 },
      ],
    },
  ]);
  expect(aggregate.take()).toEqual([]);
});

test("too many streams become one overflow stream, and no count is lost", () => {
  const aggregate = createAggregate();
  for (let n = 0; n < 1000; n += 1) aggregate.add("ml.errors", 1, { n: String(n) });
  const points = aggregate.take()[0]?.points as TelemetryCounterPoint[];
  expect(points.length).toBeLessThanOrEqual(201);
  expect(sum(points.map(({ value }) => value))).toBe(1000);
  expect(points.at(-1)?.attributes).toEqual({ "otel.metric.overflow": "true" });
});

test("values that cannot be summed are refused; long attributes are shortened", () => {
  const aggregate = createAggregate();
  for (const value of [Number.NaN, -1, Number.POSITIVE_INFINITY])
    expect(aggregate.add("ml.inference.duration", value)).toBe(false);
  expect(aggregate.take().flatMap(({ points }) => points as unknown[])).toEqual([]);
  expect(aggregate.add("ml.errors", 1, { long: "x".repeat(500) })).toBe(true);
  expect(aggregate.take().at(-1)?.points[0]?.attributes.long).toHaveLength(128);
});

test.each(golden.exp_histogram_index)(
  "OpenTelemetry's bucket of $v at scale $scale is $index",
  ({ v, scale, index }) => {
    expect(bucketIndex(v, scale)).toBe(index);
  },
);

test("an exponential bucket holds its values, at the finest scale that 160 buckets allow", () => {
  const values = fc.array(fc.double({ min: 1e-9, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 300 });
  fc.assert(
    fc.property(values, (all) => {
      const point = emptyExponential({});
      for (const value of all) addExponential(point, value);
      expect(sum(point.buckets)).toBe(all.length);
      expect(point.buckets.length).toBeLessThanOrEqual(160);
      const indices = all.map((value) => bucketIndex(value, point.scale));
      for (const [i, count] of point.buckets.entries())
        expect(count).toBe(indices.filter((index) => index === point.offset + i).length);
      for (const [i, value] of all.entries()) {
        const bound = (index: number) => 2 ** (index * 2 ** -point.scale);
        const index = indices[i] as number;
        // Bounds are powers of an irrational number, which are rounded.
        expect(value).toBeGreaterThan(bound(index) * (1 - 1e-9));
        expect(value).toBeLessThanOrEqual(bound(index + 1) * (1 + 1e-9));
      }
    }),
  );
});

test("a quantile from an exponential histogram is within the scale's relative error", () => {
  for (const [scale, error] of Object.entries(golden.exp_histogram_relerr)) {
    const base = 2 ** (2 ** -Number(scale));
    expect((base - 1) / (base + 1)).toBeCloseTo(error, 12);
  }
});

test("points of two scales merge at the coarser one", () => {
  const [fine, coarse] = [emptyExponential({}), emptyExponential({})] as [
    TelemetryExponentialPoint,
    TelemetryExponentialPoint,
  ];
  for (const value of [1, 1.1, 1.2]) addExponential(fine, value);
  for (const value of [0, 1e-6, 1e6]) addExponential(coarse, value);
  expect(fine.scale).toBeGreaterThan(coarse.scale);
  const { scale } = coarse;
  mergeExponential(fine, coarse);
  expect(fine.scale).toBe(scale);
  expect(sum(fine.buckets)).toBe(5);
  expect(fine.zeroCount).toBe(1);
});
