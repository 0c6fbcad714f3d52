// Sums and their OTLP form: nothing lost, nothing counted twice, and official readers understand it.
import { createRequire } from "node:module";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createAggregate, DURATION_BOUNDS, type HistogramPoint } from "../../src/telemetry/aggregate.js";
import { toOtlp } from "../../src/telemetry/otlp.js";

test("every value lands in the one bucket that holds it", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 100, noNaN: true }), { minLength: 1, maxLength: 200 }), (values) => {
      const aggregate = createAggregate();
      for (const value of values) aggregate.histogram("d", value, {});
      const point = aggregate.take()[0]?.points[0] as HistogramPoint;
      const expected = new Array<number>(DURATION_BOUNDS.length + 1).fill(0);
      for (const value of values) {
        let bucket = 0;
        while (bucket < DURATION_BOUNDS.length && value > (DURATION_BOUNDS[bucket] as number)) bucket += 1;
        expected[bucket] = (expected[bucket] as number) + 1;
      }
      expect(point.buckets).toEqual(expected);
      expect(point.count).toBe(values.length);
      expect(point.sum).toBeCloseTo(
        values.reduce((a, b) => a + b, 0),
        6,
      );
      expect([point.min, point.max]).toEqual([Math.min(...values), Math.max(...values)]);
    }),
  );
});

test("the order of attributes makes no new stream, their values do", () => {
  const aggregate = createAggregate();
  aggregate.counter("c", "{error}", { a: "1", b: "2" });
  aggregate.counter("c", "{error}", { b: "2", a: "1" });
  aggregate.counter("c", "{error}", { a: "1", b: "3" });
  expect(aggregate.take()).toEqual([
    {
      kind: "counter",
      name: "c",
      unit: "{error}",
      points: [
        { attributes: { a: "1", b: "2" }, value: 2 },
        { attributes: { a: "1", b: "3" }, value: 1 },
      ],
    },
  ]);
  expect(aggregate.take()).toEqual([]);
});

test("too many streams become one that says so, and no count is lost", () => {
  const aggregate = createAggregate();
  for (let n = 0; n < 1000; n += 1) aggregate.counter("c", "{error}", { n: String(n) });
  const points = aggregate.take()[0]?.points as { attributes: Record<string, string>; value: number }[];
  expect(points.length).toBeLessThanOrEqual(201);
  expect(points.reduce((sum, { value }) => sum + value, 0)).toBe(1000);
  expect(points.at(-1)?.attributes).toEqual({ "otel.metric.overflow": "true" });
});

test("values that are no durations are left out", () => {
  const aggregate = createAggregate();
  for (const value of [Number.NaN, -1, Number.POSITIVE_INFINITY]) aggregate.histogram("d", value, {});
  expect(aggregate.take()).toEqual([]);
});

interface ProtoType {
  fromObject(body: object): object;
  encode(message: object): { finish(): Uint8Array };
  decode(bytes: Uint8Array): object;
  toObject(message: object, options: object): Record<string, never>;
}

test("OpenTelemetry's own protobuf schema reads what is written", () => {
  // The last release that ships the generated schema; a development dependency only.
  const root = createRequire(import.meta.url)("@opentelemetry/otlp-transformer/build/src/generated/root.js") as {
    opentelemetry: { proto: { collector: { metrics: { v1: { ExportMetricsServiceRequest: ProtoType } } } } };
  };
  const Request = root.opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest;
  const aggregate = createAggregate();
  aggregate.histogram("ml.inference.duration", 0.0123, { "ml.model.name": "digits" });
  aggregate.histogram("ml.inference.duration", 20, { "ml.model.name": "digits" });
  aggregate.counter("ml.errors", "{error}", { "error.type": "timeout" });
  const body = toOtlp(
    { metrics: aggregate.take(), start: 1_700_000_000_000, end: 1_700_000_030_000 },
    { "service.name": "shop" },
  );
  const bytes = Request.encode(Request.fromObject(body)).finish();
  const read = Request.toObject(Request.decode(bytes), { longs: String, enums: String });
  const [histogram, counter] =
    (read as never as { resourceMetrics: { scopeMetrics: { metrics: unknown[] }[] }[] }).resourceMetrics[0]
      ?.scopeMetrics[0]?.metrics ?? [];
  expect(histogram).toMatchObject({
    name: "ml.inference.duration",
    unit: "s",
    histogram: {
      aggregationTemporality: "AGGREGATION_TEMPORALITY_DELTA",
      dataPoints: [
        {
          count: "2",
          sum: 20.0123,
          min: 0.0123,
          max: 20,
          startTimeUnixNano: "1700000000000000000",
          timeUnixNano: "1700000030000000000",
        },
      ],
    },
  });
  expect(counter).toMatchObject({ name: "ml.errors", sum: { isMonotonic: true, dataPoints: [{ asInt: "1" }] } });
});
