// What was measured against what the report says of it: the page's own histograms, sent to a real collector, over known samples.
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { createAggregate } from "../../src/page/lazy/telemetry/aggregate.js";
import { beaconBody } from "../../src/page/lazy/telemetry/beacon.js";
import * as exponential from "../../src/page/lazy/telemetry/exponential-histogram.js";
import { otlpMetrics } from "../../src/page/lazy/telemetry/otlp.js";
import { startCollector } from "../src/index.js";
import {
  CELL,
  exponentialBody,
  exponentialPoint,
  type Protocol,
  RELATIVE_ERROR,
  reportOf,
  send,
} from "./support/durations.js";
import { BOUNDS, counter, counterPoint, histogram, histogramPoint, metricsBody } from "./support/otlp.js";
import { temporaryFolder, withCollector } from "./support/run.js";

const folder = temporaryFolder();
afterAll(() => folder.remove());

type Layout = "explicit" | "exponential";

/** Between 0.4 ms and 3 s, most near 20 ms, without chance. */
const samples = Array.from({ length: 5000 }, (_, i) => {
  const even = (part: number) => ((i + 1) * part) % 1;
  const normal = Math.sqrt(-2 * Math.log(even(0.6180339887) || 0.5)) * Math.cos(2 * Math.PI * even(0.7548776662));
  return 0.02 * Math.exp(normal);
});
const at = (q: number, of = samples) => [...of].sort((a, b) => a - b)[Math.ceil(q * of.length) - 1] ?? 0;

/** What a page sends that measured these durations and bytes. */
function pageBody(
  layout: Layout,
  protocol: Protocol,
  durations: readonly number[],
  bytes: readonly number[] = [],
): object {
  const aggregate = createAggregate(layout === "exponential" ? exponential : undefined);
  for (const value of durations) {
    aggregate.add("ml.inference.duration", value, { ...CELL, "ml.inference.mode": "online" });
    aggregate.add("ml.inference.items", 1, { ...CELL, "ml.inference.mode": "online" });
  }
  for (const value of bytes)
    aggregate.add("ml.runtime.memory.usage", value, { "ml.runtime.backend": "wasm", "ml.memory.kind": "wasm" });
  const batch = { startedAt: Date.now() - 2000, endedAt: Date.now() - 1000, metrics: aggregate.take(), events: [] };
  return protocol === "otlp" ? otlpMetrics(batch, {}) : beaconBody(batch, {});
}

describe.each<[Layout, Protocol]>([
  ["exponential", "otlp"],
  ["exponential", "beacon"],
  ["explicit", "otlp"],
  ["explicit", "beacon"],
])("%s histograms in the form %s", (layout, protocol) => {
  it("give percentiles within the limits that the report states, and the largest value as it was", async () => {
    await withCollector({ minBatches: 1 }, async ({ url }) => {
      for (let from = 0; from < samples.length; from += 700)
        expect(
          await send(url, protocol, pageBody(layout, protocol, samples.slice(from, from + 700), [188e6, 92e6])),
        ).toEqual({});
      const { latency, memory } = await reportOf(url);
      const [all] = latency;
      expect(all?.count).toBe(samples.length);
      expect(all?.max).toEqual([Math.max(...samples), Math.max(...samples)]);
      expect(memory).toMatchObject([{ count: 16, mean: 140e6, max: [188e6, 188e6] }]);
      for (const [name, q] of [
        ["p50", 0.5],
        ["p95", 0.95],
        ["p99", 0.99],
      ] as const) {
        const [low = 0, high = 0] = all?.ranges[name] ?? [];
        const value = all?.[name] ?? 0;
        expect(low).toBeLessThanOrEqual(at(q));
        expect(high).toBeGreaterThanOrEqual(at(q));
        expect(value).toBeGreaterThanOrEqual(low);
        expect(value).toBeLessThanOrEqual(high ?? 0);
        if (layout === "exponential") {
          expect((high ?? 0) / low - 1).toBeLessThanOrEqual(RELATIVE_ERROR + 1e-9);
          expect(Math.abs(value / at(q) - 1)).toBeLessThanOrEqual(RELATIVE_ERROR + 1e-9);
        } else {
          const i = BOUNDS.findIndex((bound) => at(q) <= bound);
          expect([low, high]).toEqual([BOUNDS[i - 1], Math.min(BOUNDS[i] ?? Infinity, Math.max(...samples))]);
        }
      }
    });
  });
});

describe("layouts beside each other", () => {
  it("a sender of wide buckets leaves the percentiles of the others narrow", async () => {
    await withCollector({ minBatches: 1 }, async ({ url }) => {
      await send(url, "otlp", exponentialBody([exponentialPoint(samples, 3)]));
      await send(url, "otlp", exponentialBody([exponentialPoint([0.019, 0.02, 0.021], 0)]));
      const [all] = (await reportOf(url)).latency;
      const [low, high] = all?.ranges.p50 ?? [0, 0];
      expect((high ?? 0) / low - 1).toBeLessThanOrEqual(RELATIVE_ERROR + 1e-9);
      expect(low).toBeLessThanOrEqual(at(0.5));
      expect(high).toBeGreaterThanOrEqual(at(0.5));
    });
  });

  it("without a told maximum the largest value lies in the last bucket, and above the last bound nothing limits it", async () => {
    await withCollector({ minBatches: 1 }, async ({ url }) => {
      const attributes = { ...CELL, "ml.inference.mode": "online" };
      const items = counter([counterPoint("1", attributes)], { name: "ml.inference.items", unit: "{item}" });
      await send(
        url,
        "otlp",
        metricsBody([items, histogram([histogramPoint([0.012, 0.03], attributes, { max: 0.03 })])]),
      );
      expect((await reportOf(url)).latency[0]?.max).toEqual([0.03, 0.03]);
      await send(url, "otlp", metricsBody([histogram([histogramPoint([0.07, 0.05], attributes)])]));
      expect((await reportOf(url)).latency[0]?.max).toEqual([0.04, 0.08]);
      await send(
        url,
        "otlp",
        metricsBody([histogram([histogramPoint([0.079], attributes, { min: 0.079, max: 0.079 })])]),
      );
      expect((await reportOf(url)).latency[0]?.max).toEqual([0.079, 0.08]);
      await send(url, "otlp", metricsBody([histogram([histogramPoint([11], attributes)])]));
      expect((await reportOf(url)).latency[0]?.max).toEqual([10.24, null]);
    });
  });
});

describe("cumulative points of exponential histograms", () => {
  it("are subtracted also where the scale changed and the collector restarted; an extreme counts when it moved", async () => {
    const data = join(folder.path, "cumulative.db");
    const start = `${Date.now() - 60_000}000000`;
    const point = (n: number, scale: number) => {
      const values = samples.slice(0, n);
      return exponentialPoint(values, scale, {
        startTimeUnixNano: start,
        timeUnixNano: `${Date.now() - 50_000 + n}000000`,
        min: Math.min(...values),
        max: Math.max(...values),
      });
    };
    const steps: [n: number, scale: number][] = [
      [3, 5],
      [1000, 3],
      [1500, 2],
      [5000, 2],
    ];
    for (const [n, scale] of steps) {
      const { url, close } = await startCollector({ port: 0, data, minBatches: 1, readCache: 0 });
      expect(await send(url, "otlp", exponentialBody([point(n, scale)], 2))).toEqual({});
      const [all] = (await reportOf(url)).latency;
      expect(all?.count).toBe(n);
      const exact = at(0.95, samples.slice(0, n));
      const [low, high] = all?.ranges.p95 ?? [0, 0];
      expect(low).toBeLessThanOrEqual(exact);
      expect(high).toBeGreaterThanOrEqual(exact);
      expect((high ?? 0) / low).toBeLessThanOrEqual(2 ** (1 / 4) + 1e-9);
      const largest = Math.max(...samples.slice(0, n));
      expect(all?.max[0]).toBeLessThanOrEqual(largest);
      expect(all?.max[1]).toBeGreaterThanOrEqual(largest);
      await close();
    }
  });
});
