// A page's own OpenTelemetry SDK receives what is recorded, and has the same figures.
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { expect, test } from "vitest";
import { INSTRUMENTS } from "../../../../../src/page/lazy/telemetry/instruments.js";
import { createOtelBridge } from "../../../../../src/page/lazy/telemetry/otel-bridge.js";
import { createRecorder } from "../../../../../src/page/lazy/telemetry/recorder.js";
import type { TelemetryEvent } from "../../../../../src/page/lazy/telemetry/types.js";
import { predicted } from "../../../../support/telemetry-records.js";

const never = () => undefined;
const always = () => true;

test("the official SDK counts and sums what the recorder does", async () => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 2 ** 31 - 1 });
  const provider = new MeterProvider({ readers: [reader] });
  const emitted: object[] = [];
  const bridge = createOtelBridge(
    { meter: provider.getMeter("page"), logger: { emit: (record) => void emitted.push(record) } },
    always,
    INSTRUMENTS,
  );
  const { record, collect } = createRecorder({ sumsOnly: false, sampling: 1, bridge, onDrop: never });
  for (let n = 0; n < 7; n += 1) record(predicted(n));
  await provider.forceFlush();
  const official = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics));
  await provider.shutdown();
  const batch = collect()?.batch;
  expect(official.map(({ descriptor }) => descriptor.name).sort()).toEqual(
    batch?.metrics.map(({ name }) => name).sort(),
  );
  for (const metric of batch?.metrics ?? []) {
    const theirs = official.find(({ descriptor }) => descriptor.name === metric.name);
    expect(theirs?.descriptor.unit).toBe(metric.unit);
    for (const point of metric.points) {
      const same = theirs?.dataPoints.find(
        ({ attributes }) => JSON.stringify(attributes) === JSON.stringify(point.attributes),
      );
      if ("value" in point) expect(same?.value).toBe(point.value);
      else expect(same?.value).toMatchObject({ count: point.count, min: point.min, max: point.max });
    }
    // The same bounds, which the collector asks for.
    if (metric.kind === "histogram")
      expect(theirs?.dataPoints.map(({ value }) => value)).toMatchObject(
        metric.points.map(({ buckets }) => ({ buckets: { boundaries: metric.bounds, counts: buckets } })),
      );
  }
  expect(emitted).toHaveLength(7);
  expect(emitted[0]).toMatchObject({ eventName: "ml.prediction", severityNumber: 9 });
});

test("an SDK that throws does not stop the recorder", () => {
  const fails = (): never => {
    throw new Error("The page's own mistake.");
  };
  const bridge = createOtelBridge(
    { meter: { createHistogram: fails, createCounter: fails }, logger: { emit: fails as (record: object) => void } },
    always,
    INSTRUMENTS,
  );
  const { record, collect } = createRecorder({ sumsOnly: false, sampling: 1, bridge, onDrop: never });
  expect(record(predicted(1))).toBe(2);
  expect(collect()?.batch.events.map(({ name }: TelemetryEvent) => name)).toEqual(["ml.prediction"]);
});

test("an SDK is passed nothing while nothing may be sent", () => {
  const passed: unknown[] = [];
  const pass = (what: unknown) => void passed.push(what);
  let maySend = false;
  const instrument = { add: pass, record: pass };
  const bridge = createOtelBridge(
    { meter: { createHistogram: () => instrument, createCounter: () => instrument }, logger: { emit: pass } },
    () => maySend,
    INSTRUMENTS,
  );
  const { record } = createRecorder({ sumsOnly: false, sampling: 1, bridge, onDrop: never });
  record(predicted(1));
  expect(passed).toEqual([]);
  maySend = true;
  record(predicted(2));
  expect(passed.length).toBeGreaterThan(1);
});
