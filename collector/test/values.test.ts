// What was measured against what the report says of it: the page's own histograms, sent to a real collector, over known samples.
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, describe, expect, it } from "vitest";
import { createAggregate } from "../../src/page/lazy/telemetry/aggregate.js";
import { beaconBody } from "../../src/page/lazy/telemetry/beacon.js";
import * as exponential from "../../src/page/lazy/telemetry/exponential-histogram.js";
import { otlpMetrics } from "../../src/page/lazy/telemetry/otlp.js";
import { startCollector } from "../src/index.js";
import type { Report } from "../src/report-types.js";
import { BOUNDS, counter, counterPoint, histogram, histogramPoint, metricsBody } from "./support/otlp.js";
import { post, temporaryFolder, withCollector } from "./support/run.js";

const folder = temporaryFolder();
afterAll(() => folder.remove());

const CELL = {
  "ml.model.name": "digits",
  "ml.model.version": "1.0.0",
  "ml.rollout.arm": "stable",
  "ml.runtime.backend": "wasm",
};
/** OpenTelemetry's scale 3: a bucket ends 9.05 % above its begin. */
const RELATIVE_ERROR = 2 ** (1 / 8) - 1;
type Layout = "explicit" | "exponential";
type Protocol = "otlp" | "beacon";

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

async function send(url: string, protocol: Protocol, body: object): Promise<unknown> {
  const response = await post(`${url}/v1/${protocol === "otlp" ? "metrics" : "beacon"}`, body);
  expect(response.status).toBe(200);
  return response.json();
}

async function reportOf(url: string): Promise<Report> {
  const response = await fetch(`${url}/v1/report`);
  expect(response.status).toBe(200);
  return (await response.json()) as Report;
}

const textOf = async (url: string) =>
  (await (await fetch(`${url}/metrics`)).text()).split("\n").filter((line) => line.startsWith("ml_"));

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

/** A point of an exponential histogram of these values at a scale. */
function exponentialPoint(values: readonly number[], scale: number, given: object = {}): Record<string, unknown> {
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

const exponentialBody = (dataPoints: object[], temporality = 1) =>
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

describe("a liar's extremes", () => {
  const attributes = { ...CELL, "ml.inference.mode": "online" };
  it.each<[string, object]>([
    ["a maximum above its bucket", histogramPoint([0.003, 0.012], attributes, { max: 3 })],
    ["a maximum below its bucket", histogramPoint([0.003, 0.012], attributes, { max: 0.004 })],
    ["a maximum of years", histogramPoint([11], attributes, { max: 1e9, sum: 11 })],
    ["a maximum that the sum cannot hold", histogramPoint([11], attributes, { max: 5000 })],
    ["a minimum above its bucket", histogramPoint([0.003, 0.012], attributes, { min: 0.011 })],
    ["a minimum above the maximum", histogramPoint([0.003, 0.004], attributes, { min: 0.0045, max: 0.0035 })],
    ["a negative minimum", histogramPoint([0.0003, 0.004], attributes, { min: -1 })],
    ["no number", histogramPoint([0.003], attributes, { max: "much" })],
  ])("%s is rejected with its point", async (_name, point) => {
    await withCollector({ minBatches: 1 }, async ({ url }) => {
      const answer = await send(url, "otlp", metricsBody([histogram([point])]));
      expect(answer).toMatchObject({ partialSuccess: { rejectedDataPoints: "1" } });
      expect(await textOf(url)).toEqual([]);
    });
  });

  it("of an exponential histogram are held to the fine buckets", async () => {
    await withCollector({ minBatches: 1 }, async ({ url }) => {
      const answer = (max: number) =>
        send(url, "otlp", exponentialBody([exponentialPoint([0.01, 0.0101], 3, { max })]));
      expect(await answer(0.0125)).toMatchObject({ partialSuccess: { rejectedDataPoints: "1" } });
      expect(await answer(0.0101)).toEqual({});
    });
  });
});

/** The tables of version 4, which the collector had before the fine buckets. */
const VERSION_4 = [
  "CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, applied TIMESTAMP)",
  "INSERT INTO schema_migrations SELECT unnest([1, 2, 3, 4]), now()::TIMESTAMP",
  `CREATE TABLE metrics (id VARCHAR PRIMARY KEY, name VARCHAR NOT NULL, kind VARCHAR NOT NULL, unit VARCHAR NOT NULL,
    description VARCHAR NOT NULL, bounds DOUBLE[] NOT NULL)`,
  "CREATE TABLE series (id INTEGER PRIMARY KEY, metric VARCHAR NOT NULL, attributes JSON NOT NULL)",
  "CREATE TABLE totals (id INTEGER PRIMARY KEY, count BIGINT NOT NULL, sum DOUBLE NOT NULL, buckets BIGINT[] NOT NULL)",
  `CREATE TABLE streams (stream VARCHAR PRIMARY KEY, start UBIGINT NOT NULL, time UBIGINT NOT NULL, count BIGINT NOT NULL,
    sum DOUBLE NOT NULL, buckets BIGINT[] NOT NULL)`,
  "CREATE TABLE points (id INTEGER NOT NULL, time TIMESTAMP NOT NULL, count BIGINT NOT NULL, sum DOUBLE NOT NULL, buckets BIGINT[] NOT NULL)",
  `CREATE TABLE events (time TIMESTAMP NOT NULL, name VARCHAR, severity UTINYINT NOT NULL, body VARCHAR, attributes JSON NOT NULL,
    resource JSON NOT NULL)`,
  "CREATE TABLE batches (id VARCHAR PRIMARY KEY, time TIMESTAMP NOT NULL)",
  "CREATE TABLE progress (id INTEGER PRIMARY KEY, requests BIGINT NOT NULL)",
  "INSERT INTO progress VALUES (1, 3)",
];

it("opens a database without fine buckets, adds both layouts, and serves Prometheus the same text as before", async () => {
  const data = join(folder.path, "version-4.db");
  const instance = await DuckDBInstance.create(data);
  const connection = await instance.connect();
  for (const statement of VERSION_4) await connection.run(statement);
  const attributes = JSON.stringify(
    Object.entries({ ...CELL, "ml.inference.mode": "online", "service.name": "shop" }).sort(),
  );
  // Ten values from 1/128 to 1/64 second, a power of two above 2^-20 for each bucket.
  const powers = Array.from({ length: 41 }, (_, i) => 2 ** (i - 20));
  const buckets = powers.map((bound) => (bound === 1 / 64 ? 10 : 0)).concat(0);
  await connection.run(
    `INSERT INTO metrics VALUES ('ml.inference.duration (exponential)', 'ml.inference.duration', 'histogram', 's', '', [${powers}]::DOUBLE[]),
      ('ml.inference.items', 'ml.inference.items', 'counter', '{item}', '', []::DOUBLE[])`,
  );
  await connection.run(
    `INSERT INTO series VALUES (1, 'ml.inference.duration (exponential)', '${attributes}'), (2, 'ml.inference.items', '${attributes}')`,
  );
  await connection.run(`INSERT INTO totals VALUES (1, 10, 0.12, [${buckets}]::BIGINT[]), (2, 0, 10, []::BIGINT[])`);
  await connection.run(
    `INSERT INTO points VALUES (1, epoch_ms(${Date.now() - 600_000}), 10, 0.12, [${buckets}]::BIGINT[]),
      (2, epoch_ms(${Date.now() - 600_000}), 0, 10, []::BIGINT[])`,
  );
  connection.closeSync();
  instance.closeSync();

  for (const round of [1, 2]) {
    const { url, close } = await startCollector({ port: 0, data, minBatches: 1, readCache: 0 });
    if (round === 1) {
      const before = await textOf(url);
      expect(before.filter((line) => line.includes("_bucket")).map((line) => Number(line.split(" ").at(-1)))).toEqual([
        ...powers.map((bound) => (bound >= 1 / 64 ? 10 : 0)),
        10,
      ]);
      const [old] = (await reportOf(url)).latency;
      expect([old?.count, old?.ranges.p95, old?.max]).toEqual([10, [1 / 128, 1 / 64], [1 / 128, 1 / 64]]);
      const values = new Array(90).fill(0.1).concat(new Array(100).fill(0.01));
      expect(await send(url, "otlp", exponentialBody([exponentialPoint(values, 5, { min: 0.01, max: 0.1 })]))).toEqual(
        {},
      );
    }
    const lines = await textOf(url);
    // No finer bucket than before, and the counts of both.
    expect(lines.filter((line) => line.startsWith("ml_inference_duration_seconds_bucket"))).toHaveLength(42);
    for (const [bound, count] of [
      ["0.0078125", 0],
      ["0.015625", 110],
      ["0.125", 200],
    ])
      expect(
        lines.some((line) => line.includes(`,le="${bound}"} ${count}`) && line.includes('insitu_layout="exponential"')),
      ).toBe(true);
    const [all] = (await reportOf(url)).latency;
    expect(all?.count).toBe(200);
    expect(all?.max).toEqual([0.1, 0.1]);
    const [low, high] = all?.ranges.p95 ?? [0, 0];
    expect([low <= 0.1, (high ?? 0) >= 0.1, (high ?? 0) / low - 1 <= RELATIVE_ERROR]).toEqual([true, true, true]);
    await close();
  }
});
