// OpenTelemetry's own JavaScript SDK sends to the collector, delta and cumulative, and its figures come out right.

import { join } from "node:path";
import { AggregationTemporalityPreference, OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http";
import {
  type AggregationOption,
  AggregationType,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { describe, expect, it } from "vitest";
import { startCollector } from "../src/index.js";
import { BOUNDS } from "./support/otlp.js";
import { figure, temporaryFolder, withCollector } from "./support/run.js";

function startSdk(url: string, temporalityPreference: AggregationTemporalityPreference) {
  const headers = { "x-insitu-key": "k" };
  const exporter = new OTLPMetricExporter({ url: `${url}/v1/metrics`, temporalityPreference, headers });
  // Flushed by hand; the longest interval that a timer can have.
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 2 ** 31 - 1 });
  const boundaries: AggregationOption = {
    type: AggregationType.EXPLICIT_BUCKET_HISTOGRAM,
    options: { boundaries: [...BOUNDS] },
  };
  const provider = new MeterProvider({
    readers: [reader],
    views: [{ instrumentName: "ml.inference.duration", aggregation: boundaries }],
  });
  const meter = provider.getMeter("test");
  return {
    provider,
    duration: meter.createHistogram("ml.inference.duration", { unit: "s", description: "How long it took." }),
    items: meter.createCounter("ml.inference.items", { unit: "{item}" }),
  };
}

// A service that does not name itself is given this name by the SDK.
const SERVICE = `service_name="unknown_service:${process.argv0}"`;
const DURATION = `ml_inference_duration_seconds_count{ml_model_name="digits",${SERVICE}}`;
const BUCKET = `ml_inference_duration_seconds_bucket{ml_model_name="digits",${SERVICE},le="0.01"}`;
const SUM = `ml_inference_duration_seconds_sum{ml_model_name="digits",${SERVICE}}`;
const ITEMS = `ml_inference_items_total{ml_model_name="digits",${SERVICE}}`;

describe.each([
  ["delta", AggregationTemporalityPreference.DELTA],
  ["cumulative", AggregationTemporalityPreference.CUMULATIVE],
])("%s temporality", (_name, preference) => {
  it("adds up over exports", async () => {
    await withCollector({ writeKey: "k" }, async ({ url }) => {
      const { provider, duration, items } = startSdk(url, preference);
      const digits = { "ml.model.name": "digits" };
      for (const value of [0.003, 0.009, 0.5]) duration.record(value, digits);
      items.add(3, digits);
      await provider.forceFlush();
      expect(await figure(url, DURATION)).toBe(3);
      duration.record(0.0099, digits);
      items.add(1, digits);
      items.add(9, { "ml.model.name": "objects" });
      await provider.forceFlush();
      await provider.forceFlush();
      await provider.shutdown();
      expect(await figure(url, DURATION)).toBe(4);
      expect(await figure(url, BUCKET)).toBe(3);
      expect(await figure(url, SUM)).toBeCloseTo(0.5219, 12);
      expect(await figure(url, ITEMS)).toBe(4);
      expect(await figure(url, ITEMS.replace("digits", "objects"))).toBe(9);
      expect(await (await fetch(`${url}/metrics`)).text()).not.toMatch(/rejected_total\{.*\} [1-9]/);
    });
  });
});

it("goes on with a cumulative stream after the collector was restarted, and takes a second sender", async () => {
  const folder = temporaryFolder();
  const data = join(folder.path, "telemetry.db");
  try {
    const first = await startCollector({ port: 0, data });
    const sdk = startSdk(first.url, AggregationTemporalityPreference.CUMULATIVE);
    sdk.items.add(5, { "ml.model.name": "digits" });
    await sdk.provider.forceFlush();
    await first.close();

    const second = await startCollector({ port: first.port, data });
    sdk.items.add(2, { "ml.model.name": "digits" });
    await sdk.provider.shutdown();
    const other = startSdk(second.url, AggregationTemporalityPreference.CUMULATIVE);
    other.items.add(10, { "ml.model.name": "digits" });
    await other.provider.shutdown();
    expect(await figure(second.url, ITEMS)).toBe(17);
    await second.close();
  } finally {
    folder.remove();
  }
});
