// The text of GET /metrics: names and labels by OpenTelemetry's rules, accepted by promtool.
import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { familyName, labelsOf } from "../src/names.js";
import { toPrometheus } from "../src/prometheus.js";
import type { Metric, Series } from "../src/records.js";
import { prometheusTool } from "./support/run.js";

describe("names", () => {
  it.each([
    ["ml.inference.duration", "histogram", "s", "ml_inference_duration_seconds"],
    ["ml.inference.items", "counter", "{item}", "ml_inference_items_total"],
    ["ml.inference.queue.depth", "histogram", "{request}", "ml_inference_queue_depth"],
    ["ml.model.download.io", "counter", "By", "ml_model_download_io_bytes_total"],
    ["ml.runtime.memory.usage", "histogram", "By", "ml_runtime_memory_usage_bytes"],
    ["ml.runtime.worker.restarts", "counter", "{restart}", "ml_runtime_worker_restarts_total"],
    ["ml.errors", "counter", "{error}", "ml_errors_total"],
    ["ml.prediction.confidence", "histogram", "1", "ml_prediction_confidence"],
    ["ml.telemetry.dropped", "counter", "{record}", "ml_telemetry_dropped_total"],
    ["x.seconds", "histogram", "s", "x_seconds"],
    ["x.total", "counter", "", "x_total"],
    ["x-y/z", "counter", "constructor", "x_y_z_constructor_total"],
  ] as const)("%s (%s, %s) is %s", (name, kind, unit, expected) => {
    expect(familyName({ name, kind, unit })).toBe(expected);
  });

  it("makes labels that collide with nothing", () => {
    const labels = labelsOf([
      ["a.b", "1"],
      ["a_b", "2"],
      ["le", "3"],
      ["__name__", "4"],
      ["9", "5"],
    ]);
    expect(labels).toEqual([
      ["a_b", "1;2"],
      ["key_9", "5"],
      ["key_le", "3"],
      ["key_name__", "4"],
    ]);
  });
});

describe("text", () => {
  const base = { description: "", unit: "s" };
  const duration: Metric = { ...base, name: "ml.inference.duration", kind: "histogram", bounds: [0.001, 0.5] };
  const errors: Metric = {
    name: "ml.errors",
    kind: "counter",
    unit: "{error}",
    description: "What\nfailed \\",
    bounds: [],
  };
  const series: (Series & { id: number })[] = [
    {
      id: 1,
      metric: duration,
      attributes: [["ml.model.name", "digits"]],
      total: { count: 6, sum: 1.25, buckets: [1, 2, 3] },
    },
    { id: 2, metric: errors, attributes: [["error.type", 'a"b\\c\nd']], total: { count: 0, sum: 7, buckets: [] } },
    { id: 3, metric: duration, attributes: [], total: { count: 1, sum: 1e21, buckets: [0, 0, 1] } },
  ];
  const own = [{ name: "insitu_collector_series", kind: "gauge" as const, help: "Series that are kept.", value: 3 }];
  const text = [...toPrometheus(series, own)].join("");

  it("is what Prometheus reads", () => {
    expect(text).toBe(`# HELP ml_errors_total What\\nfailed \\\\
# TYPE ml_errors_total counter
ml_errors_total{error_type="a\\"b\\\\c\\nd"} 7
# HELP ml_inference_duration_seconds OpenTelemetry's ml.inference.duration in s.
# TYPE ml_inference_duration_seconds histogram
ml_inference_duration_seconds_bucket{ml_model_name="digits",le="0.001"} 1
ml_inference_duration_seconds_bucket{ml_model_name="digits",le="0.5"} 3
ml_inference_duration_seconds_bucket{ml_model_name="digits",le="+Inf"} 6
ml_inference_duration_seconds_sum{ml_model_name="digits"} 1.25
ml_inference_duration_seconds_count{ml_model_name="digits"} 6
ml_inference_duration_seconds_bucket{le="0.001"} 0
ml_inference_duration_seconds_bucket{le="0.5"} 0
ml_inference_duration_seconds_bucket{le="+Inf"} 1
ml_inference_duration_seconds_sum 1e+21
ml_inference_duration_seconds_count 1
# HELP insitu_collector_series Series that are kept.
# TYPE insitu_collector_series gauge
insitu_collector_series 3
`);
  });

  it("pleases promtool, which does object to bad text", () => {
    const check = (input: string) =>
      spawnSync(prometheusTool("promtool"), ["check", "metrics"], { input, encoding: "utf8" });
    expect(check(text)).toMatchObject({ status: 0, stdout: "", stderr: "" });
    expect(check(text.replace("_count 1", "_count one")).status).not.toBe(0);
  });
});
