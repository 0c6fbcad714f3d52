// Durations that a page measured, sent over both protocols to a real collector, and what its report says of them.
import { expect } from "vitest";
import * as exponential from "../../../src/page/lazy/telemetry/exponential-histogram.js";
import type { Report } from "../../src/report-types.js";
import { counter, counterPoint, metricsBody } from "./otlp.js";
import { post } from "./run.js";

export const CELL = {
  "ml.model.name": "digits",
  "ml.model.version": "1.0.0",
  "ml.rollout.arm": "stable",
  "ml.runtime.backend": "wasm",
};
/** OpenTelemetry's scale 3: a bucket ends 9.05 % above its begin. */
export const RELATIVE_ERROR = 2 ** (1 / 8) - 1;
export type Protocol = "otlp" | "beacon";

export async function send(url: string, protocol: Protocol, body: object): Promise<unknown> {
  const response = await post(`${url}/v1/${protocol === "otlp" ? "metrics" : "beacon"}`, body);
  expect(response.status).toBe(200);
  return response.json();
}

export async function reportOf(url: string): Promise<Report> {
  const response = await fetch(`${url}/v1/report`);
  expect(response.status).toBe(200);
  return (await response.json()) as Report;
}

/** The lines of the metrics that were sent. */
export const textOf = async (url: string) =>
  (await (await fetch(`${url}/metrics`)).text()).split("\n").filter((line) => line.startsWith("ml_"));

/** A point of an exponential histogram of these values at a scale. */
export function exponentialPoint(
  values: readonly number[],
  scale: number,
  given: object = {},
): Record<string, unknown> {
  const places = values.map((value) => exponential.bucketIndex(value, scale));
  const offset = Math.min(...places);
  const buckets = new Array<number>(Math.max(...places) - offset + 1).fill(0);
  for (const place of places) buckets[place - offset] = (buckets[place - offset] ?? 0) + 1;
  return {
    ...counterPoint(undefined, { ...CELL, "ml.inference.mode": "online" }),
    count: String(values.length),
    sum: values.reduce((a, b) => a + b, 0),
    scale,
    positive: { offset, bucketCounts: buckets.map(String) },
    ...given,
  };
}

export const exponentialBody = (dataPoints: object[], temporality = 1) =>
  metricsBody([
    {
      name: "ml.inference.duration",
      unit: "s",
      exponentialHistogram: { aggregationTemporality: temporality, dataPoints },
    },
    counter([counterPoint("1", { ...CELL, "ml.inference.mode": "online" })], {
      name: "ml.inference.items",
      unit: "{item}",
    }),
  ]);
