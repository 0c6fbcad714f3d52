// A database that an older collector wrote: it opens, what agrees with the catalogue goes on, and what contradicts it stops nothing.
import { join } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { afterAll, expect, it, vi } from "vitest";
import { POWERS } from "../src/catalogue.js";
import { startCollector } from "../src/index.js";
import { BOUNDS, counter, counterPoint, histogram, histogramPoint, metricsBody } from "./support/otlp.js";
import { figure, post, temporaryFolder } from "./support/run.js";

const folder = temporaryFolder();
afterAll(() => folder.remove());

/** Version 2 of the tables, as version 0.1.0 of the collector wrote them. */
const VERSION_2 = [
  "CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, applied TIMESTAMP)",
  "INSERT INTO schema_migrations VALUES (1, now()::TIMESTAMP), (2, now()::TIMESTAMP)",
  `CREATE TABLE metrics (family VARCHAR PRIMARY KEY, name VARCHAR NOT NULL, kind VARCHAR NOT NULL, unit VARCHAR NOT NULL,
    description VARCHAR NOT NULL, bounds DOUBLE[] NOT NULL)`,
  "CREATE TABLE series (id INTEGER PRIMARY KEY, family VARCHAR NOT NULL, attributes JSON NOT NULL)",
  "CREATE TABLE totals (id INTEGER PRIMARY KEY, count BIGINT NOT NULL, sum DOUBLE NOT NULL, buckets BIGINT[] NOT NULL)",
  `CREATE TABLE streams (stream VARCHAR PRIMARY KEY, start UBIGINT NOT NULL, time UBIGINT NOT NULL, count BIGINT NOT NULL,
    sum DOUBLE NOT NULL, buckets BIGINT[] NOT NULL)`,
  "CREATE TABLE points (id INTEGER NOT NULL, time TIMESTAMP NOT NULL, count BIGINT NOT NULL, sum DOUBLE NOT NULL, buckets BIGINT[] NOT NULL)",
  `CREATE TABLE events (time TIMESTAMP NOT NULL, name VARCHAR, severity UTINYINT NOT NULL, body VARCHAR, attributes JSON NOT NULL,
    resource JSON NOT NULL)`,
  "CREATE TABLE batches (id VARCHAR PRIMARY KEY, time TIMESTAMP NOT NULL)",
];

async function write(path: string, work: (connection: DuckDBConnection) => Promise<void>): Promise<void> {
  const instance = await DuckDBInstance.create(path);
  const connection = await instance.connect();
  for (const statement of VERSION_2) await connection.run(statement);
  await work(connection);
  connection.closeSync();
  instance.closeSync();
}

const SHOP = '[["service.name","shop"]]';

it("goes on with what agrees, sets aside what does not, and serves text without equal lines", async () => {
  const path = join(folder.path, "old.db");
  await write(path, async (connection) => {
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
  await write(path, async (connection) => {
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
