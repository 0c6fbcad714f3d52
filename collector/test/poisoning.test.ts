// What a stranger sends cannot stop a series, fill all places, or take them for good.
import { describe, expect, it } from "vitest";
import { createCatalogue } from "../src/catalogue.js";
import { refusalOf } from "../src/clamps.js";
import { createNewSeriesLimit } from "../src/new-series.js";
import { senderOf } from "../src/proxies.js";
import { BOUNDS, counter, counterPoint, histogram, histogramPoint, metricsBody } from "./support/otlp.js";
import { figure, post, withCollector } from "./support/run.js";

const digits = { "ml.model.name": "digits" };
const ERRORS = 'ml_errors_total{error_type="timeout",service_name="shop"}';
const errors = (value: unknown, given: object = {}) =>
  counter([counterPoint(value, { "error.type": "timeout" }, given as Record<string, unknown>)]);
const duration = (given: object, values = [0.003]) =>
  histogram([histogramPoint(values, digits, given as Record<string, unknown>)]);
const full = (count: number) => ["0", "0", String(count), ...new Array<string>(12).fill("0")];

async function send(url: string, ...metrics: object[]): Promise<string> {
  const answer = await post(`${url}/v1/metrics`, metricsBody(metrics));
  expect(answer.status).toBe(200);
  const { partialSuccess } = (await answer.json()) as { partialSuccess?: { errorMessage: string } };
  return partialSuccess?.errorMessage ?? "";
}

describe("one point", () => {
  it.each<[string, object]>([
    ["a count near 2^53", errors("9007199254740990")],
    ["a value of 1.7e308", errors(undefined, { asDouble: 1.7e308 })],
    [
      "a histogram near 2^53",
      duration({ count: "9007199254740990", sum: 3.6e13, bucketCounts: full(9007199254740990) }),
    ],
    ["a sum of 1.7e308", duration({ sum: 1.7e308 })],
    ["a sum that its count cannot have", duration({ sum: 604_810, bucketCounts: [...new Array(14).fill(0), 1] })],
  ])("with %s is rejected, and the series go on", async (_name, metric) => {
    await withCollector({}, async ({ url }) => {
      expect(await send(url, metric)).not.toBe("");
      expect(await figure(url, 'insitu_collector_rejected_total{reason="amount"}')).toBe(1);
      expect(await send(url, errors("1"), duration({}))).toBe("");
      expect(await figure(url, ERRORS)).toBe(1);
      expect(await figure(url, 'ml_inference_duration_seconds_sum{ml_model_name="digits",service_name="shop"}')).toBe(
        0.003,
      );
    });
  });

  it("of the largest size, again and again, ends with a series that begins again and goes on", async () => {
    await withCollector({ rate: 10_000 }, async ({ url }) => {
      const sum = 'ml_inference_duration_seconds_sum{ml_model_name="digits",service_name="shop"}';
      // 700 seconds each: far above every bound, and allowed.
      const count = 600_000;
      const large = duration({ count, sum: count * 700, bucketCounts: [...new Array(14).fill(0), count] });
      let highest = 0;
      for (let i = 0; i < 25; i += 1) {
        expect(await send(url, large)).toBe("");
        highest = Math.max(highest, (await figure(url, sum)) ?? 0);
      }
      expect(highest).toBeLessThan(2 ** 52 * 1e-6);
      const before = (await figure(url, sum)) ?? 0;
      expect(before).toBeLessThan(highest);
      await send(url, duration({}));
      // Three milliseconds still change it.
      expect((await figure(url, sum)) ?? 0).toBeCloseTo(before + 0.003, 5);
    });
  });

  it("of a cumulative stream is held to the same limits by its difference, and the stream goes on", async () => {
    await withCollector({}, async ({ url }) => {
      const at = (value: number, seconds: number) => {
        const time = Date.now() - 100_000;
        const point = counterPoint(
          String(value),
          { "error.type": "timeout" },
          { startTimeUnixNano: `${time}000000`, timeUnixNano: `${time + seconds * 1000}000000` },
        );
        return counter([], { sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints: [point] } });
      };
      const start = at(5, 1);
      const again = (value: number, seconds: number) => {
        const next = at(value, seconds) as { sum: { dataPoints: Record<string, unknown>[] } };
        const first = (start as { sum: { dataPoints: Record<string, unknown>[] } }).sum.dataPoints[0];
        Object.assign(next.sum.dataPoints[0] ?? {}, { startTimeUnixNano: first?.startTimeUnixNano });
        return next;
      };
      expect(await send(url, start)).toBe("");
      expect(await send(url, again(8e15, 2))).not.toBe("");
      expect(await send(url, again(8e15 + 7, 3))).toBe("");
      expect(await figure(url, ERRORS)).toBe(12);
      // A stranger's later start is a stream of its own: the first one goes on.
      expect(await send(url, at(1, 90))).toBe("");
      expect(await send(url, again(8e15 + 9, 95))).toBe("");
      expect(await figure(url, ERRORS)).toBe(15);
    });
  });

  it("of a cumulative stream cannot come from the future, nor start after its time", async () => {
    await withCollector({}, async ({ url }) => {
      const of = (times: object) =>
        counter([], {
          sum: {
            aggregationTemporality: 2,
            isMonotonic: true,
            dataPoints: [counterPoint("1", {}, times as Record<string, unknown>)],
          },
        });
      const now = Date.now();
      for (const times of [
        { timeUnixNano: "18446744073709551615" },
        { timeUnixNano: `${now + 25 * 3600_000}000000` },
        { timeUnixNano: "0" },
        { timeUnixNano: `${now}000000`, startTimeUnixNano: `${now + 1000}000000` },
      ])
        expect(await send(url, of(times))).not.toBe("");
      expect(await figure(url, 'insitu_collector_rejected_total{reason="time"}')).toBe(4);
    });
  });
});

describe("a time of more than 64 bits", () => {
  it.each(["18446744073709551616", "99999999999999999999", "-1", 2 ** 64, -5, 0.5, "1e3", "0x10", " 1", [], {}, true])(
    "%j: its point is rejected, the rest counted",
    async (time) => {
      await withCollector({}, async ({ url }) => {
        const bad = [
          errors("1", { timeUnixNano: time }),
          counter([], {
            sum: {
              aggregationTemporality: 2,
              isMonotonic: true,
              dataPoints: [counterPoint("1", {}, { startTimeUnixNano: time })],
            },
          }),
        ];
        expect(await send(url, ...bad, errors("1"))).not.toBe("");
        expect(await figure(url, ERRORS)).toBe(1);
        expect(await figure(url, 'insitu_collector_rejected_total{reason="time"}')).toBe(2);
      });
    },
  );
});

describe("series", () => {
  it("one address fills some places with invented versions, and others still get theirs", {
    timeout: 120_000,
  }, async () => {
    await withCollector({ rate: 10_000, trustProxy: 1 }, async ({ url }) => {
      const invented = (from: number) =>
        metricsBody([
          counter(
            Array.from({ length: 300 }, (_, i) => counterPoint("1", { "ml.model.version": `${from + i}` })),
            { name: "ml.inference.items", unit: "{item}" },
          ),
        ]);
      for (let i = 0; i < 20; i += 1)
        expect((await post(`${url}/v1/metrics`, invented(300 * i), { "x-forwarded-for": "10.0.0.1" })).status).toBe(
          200,
        );
      expect(await figure(url, "insitu_collector_series")).toBe(1_001);
      expect(await figure(url, 'ml_inference_items_total{otel_metric_overflow="true"}')).toBe(5_000);
      expect(await figure(url, "insitu_collector_overflowed_points_total")).toBe(5_000);
      await post(`${url}/v1/metrics`, metricsBody([errors("1")]), { "x-forwarded-for": "10.0.0.2" });
      expect(await figure(url, ERRORS)).toBe(1);
    });
  });

  it("one IPv6 network counts as one sender, and IPv4 addresses as themselves", () => {
    const mayBegin = createNewSeriesLimit();
    const begun = (addresses: string[]) => addresses.filter((address) => mayBegin(senderOf(address))("series")).length;
    const many = (to: (i: number) => string) => Array.from({ length: 1_200 }, (_, i) => to(i));
    expect(begun(many((i) => `2001:db8:1:2::${i.toString(16)}`))).toBe(1_000);
    expect(begun(["2001:db8:1:2:ffff::1", "2001:db8:1:3::1", "::ffff:10.0.0.1", "::1"])).toBe(3);
    expect(begun(many((i) => `10.0.${i >> 8}.${i & 255}`))).toBe(1_200);
  });

  it("a metric of the catalogue has its overflow series even when it comes last", async () => {
    await withCollector({ rate: 10_000, trustProxy: 1 }, async ({ url }) => {
      for (let i = 0; i < 6; i += 1) {
        const points = Array.from({ length: 1_000 }, (_, k) => counterPoint("1", { "error.type": `${i}-${k}` }));
        await post(`${url}/v1/metrics`, metricsBody([counter(points)]), { "x-forwarded-for": `10.0.0.${i}` });
      }
      expect(await figure(url, "insitu_collector_series")).toBe(5_001);
      expect(await send(url, duration({}))).toBe("");
      expect(await figure(url, 'ml_inference_duration_seconds_count{otel_metric_overflow="true"}')).toBe(1);
    });
  });
});

it("a sum may be what its buckets can have, at the edges as well", () => {
  const metric = createCatalogue().admit({
    name: "ml.inference.duration",
    kind: "histogram",
    unit: "s",
    description: "",
    bounds: BOUNDS,
  });
  const with2 = (sum: number, at: number) => {
    const buckets = new Array<number>(15).fill(0);
    buckets[at] = 2;
    return refusalOf(metric, { count: 2, sum, buckets });
  };
  expect([
    with2(0, 0),
    with2(0.002, 0),
    with2(0.02, 4),
    with2(0.04, 4),
    with2(20.48, 14),
    with2(1_209_600, 14),
  ]).toEqual(new Array(6).fill(null));
  for (const [sum, at] of [
    [0.003, 0],
    [0.019, 4],
    [0.041, 4],
    [20.4, 14],
    [1_209_700, 14],
    [Number.NaN, 0],
  ] as const)
    expect(with2(sum, at)).not.toBeNull();
});
