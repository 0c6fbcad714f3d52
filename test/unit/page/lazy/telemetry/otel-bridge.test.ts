// A page's own OpenTelemetry is told what is recorded: its official SDK has the same figures.
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { expect, test } from "vitest";
import { createOtelBridge } from "../../../../../src/page/lazy/telemetry/otel-bridge.js";
import { createRecorder } from "../../../../../src/page/lazy/telemetry/recorder.js";
import type { TelemetryEvent } from "../../../../../src/page/lazy/telemetry/types.js";
import { predicted } from "../../../../support/telemetry-records.js";

const never = () => undefined;

test("the official SDK counts and sums what the recorder does", async () => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 2 ** 31 - 1 });
  const provider = new MeterProvider({ readers: [reader] });
  const told: object[] = [];
  const bridge = createOtelBridge({
    meter: provider.getMeter("page"),
    logger: { emit: (record) => void told.push(record) },
  });
  const { record, collect: cut } = createRecorder({ sumsOnly: false, sampling: 1, bridge, onDrop: never });
  for (let n = 0; n < 7; n += 1) record(predicted(n));
  await provider.forceFlush();
  const official = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics));
  await provider.shutdown();
  const batch = cut()?.batch;
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
  }
  expect(told).toHaveLength(7);
  expect(told[0]).toMatchObject({ eventName: "ml.prediction", severityNumber: 9 });
});

test("an SDK that throws costs nothing but itself", () => {
  const fails = (): never => {
    throw new Error("The page's own mistake.");
  };
  const bridge = createOtelBridge({
    meter: { createHistogram: fails, createCounter: fails },
    logger: { emit: fails as (record: object) => void },
  });
  const { record, collect: cut } = createRecorder({ sumsOnly: false, sampling: 1, bridge, onDrop: never });
  expect(record(predicted(1))).toBe(2);
  expect(cut()?.batch.events.map(({ name }: TelemetryEvent) => name)).toEqual(["ml.prediction"]);
});
