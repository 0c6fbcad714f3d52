// OpenTelemetry's own JavaScript SDK sends log records and exponential histograms, and they come out right.
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-http";
import { AggregationTemporalityPreference, OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http";
import { LoggerProvider, SimpleLogRecordProcessor } from "@opentelemetry/sdk-logs";
import { AggregationType, MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { expect, it } from "vitest";
import { startCollector } from "../src/index.js";
import { figure, temporaryFolder, withCollector } from "./support/run.js";

it("events of the SDK are rows, with their names, severities and attributes", async () => {
  const folder = temporaryFolder();
  const data = join(folder.path, "telemetry.db");
  try {
    const collector = await startCollector({ port: 0, data });
    const exporter = new OTLPLogExporter({ url: `${collector.url}/v1/logs` });
    const provider = new LoggerProvider({ processors: [new SimpleLogRecordProcessor({ exporter })] });
    const logger = provider.getLogger("test");
    for (let i = 0; i < 20; i += 1)
      logger.emit({
        eventName: "ml.prediction",
        severityNumber: 9,
        timestamp: Date.now(),
        attributes: { "ml.model.name": "digits", "ml.prediction.confidence": i / 20, "ml.prediction.class": i },
      });
    await provider.forceFlush();
    await provider.shutdown();
    expect(await figure(collector.url, "insitu_collector_events_total")).toBe(20);
    await collector.close();
    const instance = await DuckDBInstance.create(data);
    const connection = await instance.connect();
    const sql = `SELECT count(*)::INTEGER AS n, sum((attributes->>'ml.prediction.confidence')::DOUBLE) AS confidence,
      max((attributes->>'ml.prediction.class')::INTEGER) AS class FROM events WHERE name = 'ml.prediction' AND severity = 9`;
    const rows = (await connection.runAndReadAll(sql)).getRowObjectsJS();
    connection.closeSync();
    instance.closeSync();
    expect(rows).toEqual([{ n: 20, confidence: expect.closeTo(9.5, 9), class: 19 }]);
  } finally {
    folder.remove();
  }
});

it("an exponential histogram of the SDK has each value in the power of two that holds it", async () => {
  await withCollector({}, async ({ url }) => {
    const temporalityPreference = AggregationTemporalityPreference.DELTA;
    const exporter = new OTLPMetricExporter({ url: `${url}/v1/metrics`, temporalityPreference });
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 2 ** 31 - 1 });
    const aggregation = { type: AggregationType.EXPONENTIAL_HISTOGRAM } as const;
    const provider = new MeterProvider({
      readers: [reader],
      views: [{ instrumentName: "ml.inference.duration", aggregation }],
    });
    const duration = provider.getMeter("test").createHistogram("ml.inference.duration", { unit: "s" });
    const values = [0.001, 0.002, 0.01, 0.02, 0.1, 0.2, 0.25, 1, 3];
    for (const value of values) duration.record(value);
    await provider.forceFlush();
    await provider.shutdown();
    const service = `service_name="unknown_service:${process.argv0}"`;
    for (const power of [-10, -8, -6, -3, -2, 0, 1, 2]) {
      const bound = 2 ** power;
      const counted = await figure(
        url,
        `ml_inference_duration_seconds_bucket{${service},insitu_layout="exponential",le="${bound}"}`,
      );
      expect(counted, `${bound}`).toBe(values.filter((value) => value <= bound).length);
    }
    expect(await figure(url, `ml_inference_duration_seconds_count{${service},insitu_layout="exponential"}`)).toBe(
      values.length,
    );
  });
});
