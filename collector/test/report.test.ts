// The report against figures that the test adds up itself; its limits, its query, and what it hides.
import { describe, expect, it } from "vitest";
import { CATALOGUE } from "../src/catalogue.js";
import { sumOf } from "../src/histograms.js";
import type { Report } from "../src/report-types.js";
import { quantile, truthOf, wilson } from "../src/statistics.js";
import { BOUNDS, counter, counterPoint, histogram, histogramPoint, metricsBody, SHARES } from "./support/otlp.js";
import { post, withCollector } from "./support/run.js";

const CELL = {
  "ml.model.name": "digits",
  "ml.model.version": "1.0.0",
  "ml.rollout.arm": "stable",
  "ml.runtime.backend": "wasm",
};
const RAN = { ...CELL, "ml.inference.mode": "online" };
const VERSION = { "ml.model.name": "digits", "ml.model.version": "1.0.0", "ml.rollout.arm": "stable" };

async function reportOf(url: string, query = "", headers: Record<string, string> = {}): Promise<Report> {
  const answer = await fetch(`${url}/v1/report${query}`, { headers });
  expect(answer.status).toBe(200);
  return (await answer.json()) as Report;
}

const at = (time: number) => ({ timeUnixNano: `${time}000000` });

/** One batch of a page: durations in seconds at a time, and what else came. */
async function send(url: string, time: number, durations: number[], more: object[] = []): Promise<void> {
  const body = metricsBody([
    histogram([histogramPoint(durations, RAN, at(time))]),
    counter([counterPoint(String(durations.length), RAN, at(time))], { name: "ml.inference.items", unit: "{item}" }),
    ...more,
  ]);
  const answer = await post(`${url}/v1/metrics`, body);
  expect([answer.status, await answer.json()]).toEqual([200, {}]);
}

const outcome = (count: number, which: string, time: number, more = {}) =>
  counter([counterPoint(String(count), { ...VERSION, "ml.prediction.outcome": which, ...more }, at(time))], {
    name: "ml.prediction.outcomes",
    unit: "{prediction}",
  });

/** As histogram_quantile does it, from the values' own buckets. */
function expectedQuantile(q: number, values: number[]): number {
  const buckets = [...BOUNDS, Infinity].map(
    (bound, i) => values.filter((value) => value <= bound && value > (BOUNDS[i - 1] ?? -1)).length,
  );
  return quantile(q, BOUNDS, buckets);
}

describe("the report", () => {
  it("has each batch's figures in the step of its time, and quantiles as Prometheus's", async () => {
    await withCollector({ minBatches: 1 }, async ({ url }) => {
      const now = Date.now();
      const from = now - 600_000;
      const batches = Array.from({ length: 30 }, (_, i) => ({
        time: from + 5_000 + i * 19_000,
        durations: Array.from({ length: 10 + i }, (_, k) => ((i * 37 + k * 11) % 100) / 1000 + 0.0005),
      }));
      for (const { time, durations } of batches) await send(url, time, durations);
      const report = await reportOf(url, `?from=${from}&to=${now}&step=60000`);
      expect(report.models).toEqual([{ name: "digits", versions: ["1.0.0"], backends: ["wasm"] }]);
      const [latency] = report.latency;
      const all = batches.flatMap(({ durations }) => durations);
      expect(latency).toMatchObject({
        stage: "total",
        model: "digits",
        version: "1.0.0",
        backend: "wasm",
        count: all.length,
      });
      for (const [q, value] of [
        [0.5, latency?.p50],
        [0.95, latency?.p95],
        [0.99, latency?.p99],
      ] as const)
        expect(value).toBeCloseTo(expectedQuantile(q, all), 9);
      expect(latency?.points).toHaveLength(10);
      for (const { time, count, p50 } of latency?.points ?? []) {
        const within = batches
          .filter((batch) => batch.time >= time && batch.time < time + 60_000)
          .flatMap(({ durations }) => durations);
        expect(count).toBe(within.length);
        expect(p50).toBeCloseTo(expectedQuantile(0.5, within), 9);
      }
      expect(report.throughput).toMatchObject([{ model: "digits", backend: "wasm", items: all.length }]);
      const half = await reportOf(url, `?from=${from}&to=${from + 300_000}&step=60000`);
      const early = batches.filter(({ time }) => time < from + 300_000).flatMap(({ durations }) => durations);
      expect(half.throughput[0]?.items).toBe(early.length);
    });
  });

  it("has accuracy with Wilson's interval, Brier's score, and the estimate without labels", async () => {
    await withCollector({ minBatches: 1 }, async ({ url }) => {
      const now = Date.now();
      const squared = { name: "ml.prediction.squared_error", unit: "1" };
      const confidence = { name: "ml.prediction.confidence", unit: "1" };
      await send(
        url,
        now - 5000,
        [0.01],
        [
          outcome(950, "correct", now - 5000),
          outcome(50, "incorrect", now - 5000),
          histogram([histogramPoint([0.1, 0.3], VERSION, at(now - 5000), SHARES)], squared),
          histogram([histogramPoint([0.9, 0.7, 0.8], VERSION, at(now - 5000), SHARES)], confidence),
        ],
      );
      const [accuracy] = (await reportOf(url)).accuracy;
      expect(accuracy).toMatchObject({
        model: "digits",
        version: "1.0.0",
        arm: "stable",
        labelled: 1000,
        correct: 950,
        accuracy: 0.95,
      });
      expect(accuracy?.low).toBeCloseTo(0.9347, 4);
      expect(accuracy?.high).toBeCloseTo(0.9619, 4);
      expect(accuracy?.brier).toBeCloseTo(0.2, 9);
      expect(accuracy?.estimate?.accuracy).toBeCloseTo(0.8, 9);
      expect(accuracy?.estimate?.n).toBe(3);
      expect(accuracy?.points).toMatchObject([{ labelled: 1000, correct: 950 }]);
    });
  });

  it("takes the randomness out of answers that were randomised", async () => {
    await withCollector({ minBatches: 1 }, async ({ url }) => {
      const now = Date.now();
      // At epsilon 1, of 90 % that are right 0.731 are told as they are: 0.9 * 0.731 + 0.1 * 0.269 = 0.685.
      const epsilon = { "ml.privacy.epsilon": "1" };
      await send(
        url,
        now - 5000,
        [0.01],
        [outcome(6850, "correct", now - 5000, epsilon), outcome(3150, "incorrect", now - 5000, epsilon)],
      );
      const [accuracy] = (await reportOf(url)).accuracy;
      expect(accuracy?.accuracy).toBeCloseTo(0.9, 2);
      expect((accuracy?.high ?? 0) - (accuracy?.low ?? 0)).toBeGreaterThan(0.03);
    });
  });

  it("hides a cell of which too few batches speak, and says how many", async () => {
    await withCollector({ minBatches: 3 }, async ({ url }) => {
      const now = Date.now();
      for (let i = 0; i < 2; i += 1) await send(url, now - 5000 - i, [0.01]);
      expect(await reportOf(url)).toMatchObject({ hidden: 1, minBatches: 3, models: [], latency: [], throughput: [] });
      await send(url, now - 4000, [0.01]);
      expect(await reportOf(url)).toMatchObject({ hidden: 0, throughput: [{ items: 3 }] });
    });
  });

  it("counts errors, fallbacks, the cache and drops, and asks for one model or backend only", async () => {
    await withCollector({ minBatches: 1 }, async ({ url }) => {
      const time = Date.now() - 5000;
      const one = (name: string, attributes: Record<string, string>, value = "2") =>
        counter([counterPoint(value, attributes, at(time))], { name, unit: CATALOGUE[name]?.[0] });
      await send(
        url,
        time,
        [0.01, 0.02],
        [
          one("ml.errors", { "error.type": "timeout", "ml.inference.stage": "predict" }),
          one("ml.runtime.fallbacks", {
            "ml.fallback.from": "webgpu",
            "ml.fallback.to": "wasm",
            "error.type": "device_lost",
          }),
          one("ml.runtime.worker.restarts", { "ml.restart.reason": "watchdog" }),
          one("ml.model.cache.requests", { "ml.cache.result": "hit" }, "7"),
          one(
            "ml.telemetry.dropped",
            { "ml.telemetry.signal": "events", "ml.telemetry.drop_reason": "queue_overflow" },
            "5",
          ),
        ],
      );
      const report = await reportOf(url);
      expect(report.errors).toMatchObject([{ type: "timeout", stage: "predict", count: 2 }]);
      expect(report.fallbacks).toEqual([{ from: "webgpu", to: "wasm", type: "device_lost", count: 2 }]);
      expect(report.restarts).toEqual([{ reason: "watchdog", count: 2 }]);
      expect(report.cache).toEqual([{ result: "hit", count: 7 }]);
      expect(report.telemetry).toMatchObject({
        dropped: [{ signal: "events", reason: "queue_overflow", count: 5 }],
        batches: 1,
      });
      expect((await reportOf(url, "?model=digits&backend=wasm&version=1.0.0")).throughput).toHaveLength(1);
      for (const query of ["?model=other", "?backend=cpu", "?version=2"])
        expect((await reportOf(url, query)).throughput).toEqual([]);
    });
  });

  it.each([
    "?from=soon",
    "?from=5&to=5",
    "?step=1",
    "?from=0&to=9000000000000&step=1000",
    "?model=a&model=b",
    "?to=99999999999999999",
  ])("refuses %s and says why", async (query) => {
    await withCollector({}, async ({ url }) => {
      const answer = await fetch(`${url}/v1/report${query}`);
      expect(answer.status).toBe(400);
      expect(((await answer.json()) as { message: string }).message.length).toBeGreaterThan(15);
    });
  });

  it("needs the read token, and answers an empty database", async () => {
    await withCollector({ readToken: "r", writeKey: "w" }, async ({ url }) => {
      expect((await fetch(`${url}/v1/report`)).status).toBe(401);
      expect(await reportOf(url, "", { authorization: "Bearer r" })).toMatchObject({
        models: [],
        accuracy: [],
        hidden: 0,
      });
    });
  });
});

it("the statistics are those of the research's tables", () => {
  expect(wilson(80, 100).map((end) => end.toFixed(6))).toEqual(["0.711171", "0.866633"]);
  expect(truthOf(0.731058578630005, 1)).toBeCloseTo(1, 12);
  expect(truthOf(0.5, 1)).toBeCloseTo(0.5, 12);
  expect(quantile(0.5, [1, 2], [0, 10, 0])).toBe(1.5);
  expect(quantile(0.99, [1, 2], [0, 0, 5])).toBe(2);
  expect(quantile(0.5, [1, 2], [0, 0, 0])).toBe(0);
});

describe("histograms with other bounds", () => {
  it("are added bucket by bucket, and a bucket is divided evenly where the other has a bound in it", () => {
    const a = { bounds: [1, 2, 4], buckets: [1, 0, 8, 3] };
    expect(sumOf([a, a])).toEqual({ bounds: [1, 2, 4], buckets: [2, 0, 16, 6] });
    // 3 halves (2, 4]; what is above 4 is in the next bucket, up to 8.
    expect(sumOf([a, { bounds: [3, 8], buckets: [6, 0, 1] }])).toEqual({
      bounds: [1, 2, 3, 4, 8],
      buckets: [3, 2, 6, 4, 3, 1],
    });
    expect(sumOf([])).toEqual({ bounds: [], buckets: [0] });
  });

  it("make one row of the report, for a site that sends both layouts", async () => {
    await withCollector({ minBatches: 1 }, async ({ url }) => {
      const time = Date.now() - 5000;
      const bucketCounts = ["10"];
      // (0.25, 0.5] seconds.
      const point = {
        ...counterPoint(undefined, RAN, at(time)),
        count: "10",
        sum: 4,
        scale: 0,
        positive: { offset: -2, bucketCounts },
      };
      const exponential = {
        name: "ml.inference.duration",
        unit: "s",
        exponentialHistogram: { aggregationTemporality: 1, dataPoints: [point] },
      };
      await send(url, time, new Array(10).fill(0.003), [exponential]);
      const [latency] = (await reportOf(url)).latency;
      expect(latency?.count).toBe(20);
      expect(latency?.p50).toBeCloseTo(0.005, 9);
      expect(latency?.p99).toBeGreaterThan(0.4);
      expect(latency?.p99).toBeLessThan(0.5);
    });
  });
});
