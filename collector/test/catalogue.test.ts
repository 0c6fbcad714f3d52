// The catalogue of metrics: it is what the library sends, and no sender can change it, before or after a restart.
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { createAggregate } from "../../src/page/lazy/telemetry/aggregate.js";
import { beaconBody } from "../../src/page/lazy/telemetry/beacon.js";
import * as exponential from "../../src/page/lazy/telemetry/exponential-histogram.js";
import { INSTRUMENTS, type Instrument } from "../../src/page/lazy/telemetry/instruments.js";
import { otlpMetrics } from "../../src/page/lazy/telemetry/otlp.js";
import { CATALOGUE, createCatalogue, OUTCOME } from "../src/catalogue.js";
import { startCollector } from "../src/index.js";
import type { Metric } from "../src/records.js";
import { counter, counterPoint, histogram, histogramPoint, metricsBody } from "./support/otlp.js";
import { figure, post, temporaryFolder, withCollector } from "./support/run.js";

const folder = temporaryFolder();
afterAll(() => folder.remove());

const digits = { "ml.model.name": "digits" };
const duration = (given: object = {}, point: object = {}) =>
  histogram([histogramPoint([0.003], digits, { ...point })], { ...given });
const items = (given: object = {}, attributes: Record<string, string> = digits) =>
  counter([counterPoint("1", attributes)], { name: "ml.inference.items", unit: "{item}", ...given });
const ITEMS = 'ml_inference_items_total{ml_model_name="digits",service_name="shop"}';
const COUNT = 'ml_inference_duration_seconds_count{ml_model_name="digits",service_name="shop"}';

async function send(
  url: string,
  ...metrics: object[]
): Promise<{ errorMessage?: string; rejectedDataPoints?: string }> {
  const answer = await post(`${url}/v1/metrics`, metricsBody(metrics));
  expect(answer.status).toBe(200);
  return ((await answer.json()) as { partialSuccess?: object }).partialSuccess ?? {};
}

it("has the library's instruments, with their units and bounds", () => {
  expect(
    Object.fromEntries(
      Object.entries(CATALOGUE).map(([name, [unit, bounds]]) => [name, bounds ? [unit, bounds] : [unit]]),
    ),
  ).toEqual(INSTRUMENTS);
});

describe.each([
  ["fixed bounds", undefined],
  ["exponential histograms", exponential],
])("what a page sends with %s", (_name, layout) => {
  it.each(["/v1/metrics", "/v1/beacon"])("is accepted at %s, all of it", async (path) => {
    await withCollector({}, async ({ url }) => {
      const aggregate = createAggregate(layout);
      // From nothing to above the last bound, where values can be there, with the rounding of many additions.
      for (const [name, [unit, bounds]] of Object.entries(CATALOGUE))
        for (let i = 0; i <= 500; i += 1)
          aggregate.add(
            name as Instrument,
            bounds ? (i / 500) ** 3 * (unit === "1" ? 1 : 3 * Math.max(...bounds)) : i,
            name === "ml.prediction.outcomes" ? { ...digits, [OUTCOME]: "correct" } : digits,
          );
      const batch = { startedAt: Date.now() - 30_000, endedAt: Date.now(), metrics: aggregate.take(), events: [] };
      const body = path === "/v1/beacon" ? beaconBody(batch, {}) : otlpMetrics(batch, {});
      expect(await (await post(`${url}${path}`, body)).json()).toEqual({});
      expect(await figure(url, "insitu_collector_points_total")).toBe(Object.keys(INSTRUMENTS).length);
    });
  });
});

describe("the first sender", () => {
  it.each<[string, object]>([
    ["another kind", counter([counterPoint("1", digits)], { name: "ml.inference.duration", unit: "s" })],
    ["another unit", duration({ unit: "ms" })],
    [
      "other bounds",
      histogram([{ ...histogramPoint([], digits), count: 1, sum: 1, bucketCounts: [1, 0], explicitBounds: [7] }]),
    ],
    [
      "the exponential layout",
      {
        name: "ml.inference.duration",
        unit: "s",
        exponentialHistogram: {
          aggregationTemporality: 1,
          dataPoints: [
            {
              ...counterPoint(undefined, digits),
              count: 1,
              sum: 1.5,
              scale: 0,
              positive: { offset: 0, bucketCounts: [1] },
            },
          ],
        },
      },
    ],
    ["a description", duration({ description: "sold to the highest bidder" })],
  ])("cannot define a metric with %s", async (_name, first) => {
    await withCollector({}, async ({ url }) => {
      await send(url, first);
      const before = (await figure(url, COUNT)) ?? 0;
      expect(await send(url, duration())).toEqual({});
      expect(await figure(url, COUNT)).toBe(before + 1);
      expect(await (await fetch(`${url}/metrics`)).text()).not.toContain("bidder");
    });
  });
});

describe("names", () => {
  it.each([
    "ml_inference_items",
    "ml.inference_items",
    "ml/inference/items",
    "ml.inference.items.total",
    "ml-inference-items",
  ])("%s does not take the place of ml.inference.items, also where it is allowed", async (name) => {
    const data = join(folder.path, `${name.replaceAll("/", " ")}.db`);
    for (const step of [1, 2]) {
      const { url, close } = await startCollector({ port: 0, data, allowMetrics: [name] });
      expect((await send(url, items({ name }))).errorMessage).toContain("ml.inference.items in Prometheus");
      expect(await send(url, items())).toEqual({});
      expect(await figure(url, ITEMS)).toBe(step);
      await close();
    }
  });

  it("an attribute that has the same label is another series, and the library's own has the label", async () => {
    const data = join(folder.path, "labels.db");
    const alias = { "ml.model_name": "digits" };
    for (const step of [1, 2]) {
      const { url, close } = await startCollector({ port: 0, data });
      expect(await send(url, items({}, alias), items({}, alias), items())).toEqual({});
      expect(await figure(url, ITEMS)).toBe(step);
      const text = await (await fetch(`${url}/metrics`)).text();
      expect(text).toMatch(new RegExp(`^ml_inference_items_total\\{.*insitu_series="\\d+"\\} ${2 * step}$`, "m"));
      await close();
    }
  });

  it.each(["insitu.collector.points", "insitu_collector_points", "insitu/collector", "insitu.collector.sink.x.sent"])(
    "%s is reserved",
    async (name) => {
      await withCollector({ allowMetrics: ["insitu.", name] }, async ({ url }) => {
        const { errorMessage } = await send(url, items({ name }));
        expect(errorMessage).toContain("the collector's own metrics");
        expect(await figure(url, 'insitu_collector_rejected_total{reason="reserved_name"}')).toBe(1);
      });
    },
  );
});

describe("other metrics", () => {
  const orders = (name: string) => items({ name, unit: "{order}" });
  it("are rejected unless the operator allows them, by name or by prefix", async () => {
    await withCollector({ allowMetrics: ["shop.", "orders"] }, async ({ url }) => {
      const { errorMessage, rejectedDataPoints } = await send(
        url,
        orders("x"),
        orders("orders"),
        orders("shop.orders"),
        orders("shop"),
      );
      expect(rejectedDataPoints).toBe("2");
      expect(errorMessage).toContain("x is not a metric of insitu; start with --allow-metric x");
      expect(await figure(url, 'shop_orders_total{ml_model_name="digits",service_name="shop"}')).toBe(1);
      expect(await figure(url, 'insitu_collector_rejected_total{reason="unknown_metric"}')).toBe(2);
    });
  });

  it("are refused where their samples have the name of an own one", () => {
    const { admit } = createCatalogue(["ml", "ml."]);
    const bucket: Metric = { name: "ml.errors.total", kind: "histogram", unit: "", description: "", bounds: [] };
    expect(() => admit(bucket)).toThrow("the name of ml.errors");
    expect(() => admit({ ...bucket, name: "ml.inference.duration.seconds" })).toThrow(
      "the name of ml.inference.duration",
    );
  });
});
