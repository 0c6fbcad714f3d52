// A database that an older collector wrote: it opens, what agrees with the catalogue goes on, and what contradicts it stops nothing.
import { join } from "node:path";
import { afterAll, expect, it, vi } from "vitest";
import { POWERS } from "../src/catalogue.js";
import { startCollector } from "../src/index.js";
import {
  CELL,
  exponentialBody,
  exponentialPoint,
  RELATIVE_ERROR,
  reportOf,
  send,
  textOf,
} from "./support/durations.js";
import { writeOldDatabase } from "./support/old-database.js";
import { BOUNDS, counter, counterPoint, histogram, histogramPoint, metricsBody } from "./support/otlp.js";
import { figure, post, temporaryFolder } from "./support/run.js";

const folder = temporaryFolder();
afterAll(() => folder.remove());

const SHOP = '[["service.name","shop"]]';

it("goes on with what agrees, sets aside what does not, and serves text without equal lines", async () => {
  const path = join(folder.path, "old.db");
  await writeOldDatabase(path, 2, async (connection) => {
    const metric = async (family: string, name: string, kind: string, unit: string, bounds: readonly number[]) =>
      void (await connection.run(
        `INSERT INTO metrics VALUES ('${family}', '${name}', '${kind}', '${unit}', 'theirs', [${bounds}]::DOUBLE[])`,
      ));
    const series = async (
      id: number,
      family: string,
      attributes: string,
      sum: number,
      buckets: readonly number[] = [],
    ) => {
      const count = buckets.reduce((a, b) => a + b, 0);
      await connection.run(`INSERT INTO series VALUES (${id}, '${family}', '${attributes}')`);
      await connection.run(`INSERT INTO totals VALUES (${id}, ${count}, ${sum}, [${buckets}]::BIGINT[])`);
      await connection.run(
        `INSERT INTO points VALUES (${id}, now()::TIMESTAMP, ${count}, ${sum}, [${buckets}]::BIGINT[])`,
      );
    };
    // A stranger came first: other bounds, a name and an attribute that look alike in Prometheus, another metric.
    await metric("ml_inference_duration_seconds", "ml.inference.duration", "histogram", "s", [7]);
    await series(1, "ml_inference_duration_seconds", SHOP, 3, [1, 2]);
    await metric("ml_inference_items_total", "ml_inference_items", "counter", "{item}", []);
    await series(2, "ml_inference_items_total", SHOP, 40);
    await series(3, "ml_inference_items_total", '[["ml.model_name","digits"],["service.name","shop"]]', 5);
    await metric("shop_orders_total", "shop.orders", "counter", "", []);
    await series(4, "shop_orders_total", SHOP, 6);
    await metric("insitu_collector_points_total", "insitu.collector.points", "counter", "", []);
    await series(5, "insitu_collector_points_total", SHOP, 1e15);
    // A series that was frozen, and one of exponential histograms.
    await metric("ml_errors_total", "ml.errors", "counter", "{error}", []);
    await series(6, "ml_errors_total", SHOP, 1.7e308);
    await metric("ml_model_load_duration_seconds", "ml.model.load.duration", "histogram", "s", POWERS);
    await series(7, "ml_model_load_duration_seconds", SHOP, 3, [...new Array(21).fill(0), 2, ...new Array(20).fill(0)]);
  });
  const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const service = 'service_name="shop"';
  for (const step of [1, 2]) {
    const { url, close } = await startCollector({ port: 0, data: path });
    expect(warn.mock.calls.at(-1)?.[0]).toContain("2 series of insitu.collector.points, ml.inference.duration have");
    const body = metricsBody([
      histogram([histogramPoint([0.003], {})]),
      histogram([histogramPoint([0.003], {})], { name: "ml.model.load.duration" }),
      counter([counterPoint("1", {}), counterPoint("1", { "ml.model.name": "digits" })], {
        name: "ml.inference.items",
        unit: "{item}",
      }),
      counter([counterPoint("1", {})]),
    ]);
    expect(await (await post(`${url}/v1/metrics`, body)).json()).toEqual({});
    expect(await figure(url, `ml_inference_duration_seconds_count{${service}}`)).toBe(step);
    expect(await figure(url, `ml_inference_duration_seconds_bucket{${service},le="${BOUNDS[2]}"}`)).toBe(step);
    expect(await figure(url, `ml_inference_items_total{${service}}`)).toBe(40 + step);
    expect(await figure(url, `ml_inference_items_total{ml_model_name="digits",${service}}`)).toBe(step);
    expect(await figure(url, `ml_inference_items_total{ml_model_name="digits",${service},insitu_series="3"}`)).toBe(5);
    expect(await figure(url, `shop_orders_total{${service}}`)).toBe(6);
    expect(await figure(url, `ml_errors_total{${service}}`)).toBe(step);
    expect(await figure(url, `ml_model_load_duration_seconds_count{${service},insitu_layout="exponential"}`)).toBe(2);
    expect(await figure(url, `ml_model_load_duration_seconds_count{${service}}`)).toBe(step);
    const text = await (await fetch(`${url}/metrics`)).text();
    expect(text).not.toMatch(/ml_\w+ theirs/);
    const lines = text
      .split("\n")
      .filter((line) => line && !line.startsWith("#"))
      .map((line) => line.slice(0, line.lastIndexOf(" ")));
    expect(new Set(lines).size).toBe(lines.length);
    await close();
  }
  warn.mockRestore();
});

it("goes on with cumulative streams, and counts nothing again", async () => {
  const path = join(folder.path, "streams.db");
  const start = `${Date.now() - 60_000}000000`;
  const body = (value: string, time: number) => {
    const point = counterPoint(value, {}, { startTimeUnixNano: start, timeUnixNano: `${time}000000` });
    return metricsBody([counter([], { sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints: [point] } })]);
  };
  const time = Date.now() - 30_000;
  // What the older collector called the stream.
  const { createHash } = await import("node:crypto");
  const origin = JSON.stringify([[["service.name", "shop"]], "insitu", ""]);
  const identity = JSON.stringify([origin, "counter", "ml.errors", "{error}", [["service.name", "shop"]]]);
  const stream = createHash("sha256").update(identity).digest("hex").slice(0, 32);
  await writeOldDatabase(path, 2, async (connection) => {
    await connection.run(
      "INSERT INTO metrics VALUES ('ml_errors_total', 'ml.errors', 'counter', '{error}', '', []::DOUBLE[])",
    );
    await connection.run(`INSERT INTO series VALUES (1, 'ml_errors_total', '${SHOP}')`);
    await connection.run("INSERT INTO totals VALUES (1, 0, 10, []::BIGINT[])");
    await connection.run("INSERT INTO points VALUES (1, now()::TIMESTAMP, 0, 10, []::BIGINT[])");
    await connection.run(`INSERT INTO streams VALUES ('${stream}', ${start}, ${time}000000, 0, 10, []::BIGINT[])`);
  });
  const { url, close } = await startCollector({ port: 0, data: path });
  await post(`${url}/v1/metrics`, body("12", time + 10_000));
  expect(await figure(url, 'ml_errors_total{service_name="shop"}')).toBe(12);
  await close();
});

it("opens a database without fine buckets, adds both layouts, and serves Prometheus the same text as before", async () => {
  const data = join(folder.path, "version-4.db");
  // Ten values from 1/128 to 1/64 second, a power of two above 2^-20 for each bucket.
  const powers = Array.from({ length: 41 }, (_, i) => 2 ** (i - 20));
  const buckets = powers.map((bound) => (bound === 1 / 64 ? 10 : 0)).concat(0);
  await writeOldDatabase(data, 4, async (connection) => {
    const attributes = JSON.stringify(
      Object.entries({ ...CELL, "ml.inference.mode": "online", "service.name": "shop" }).sort(),
    );
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
  });

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
