// Each request is counted once, however often it comes: repeated, at the same time, after a restart, after a kill.
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { BOUNDS, counter, counterPoint, logsBody, metricsBody, pairs } from "./support/otlp.js";
import { end, figure, post, type Running, startCommand, temporaryFolder, withCollector } from "./support/run.js";

const METRICS = metricsBody([counter([counterPoint("2", { "error.type": "timeout" })])]);
const LOGS = logsBody([{ eventName: "ml.prediction", severityNumber: 9, timeUnixNano: `${Date.now()}000000` }]);
const BEACON = {
  v: 1,
  resource: { "service.name": "shop" },
  start: Date.now() - 1000,
  end: Date.now(),
  metrics: [
    {
      kind: "counter",
      name: "ml.errors",
      unit: "{error}",
      points: [{ attributes: { "error.type": "timeout" }, value: 2 }],
    },
  ],
  events: [{ name: "ml.prediction", time: Date.now(), severity: 9, attributes: { "ml.prediction.confidence": 0.5 } }],
};
const ERRORS = 'ml_errors_total{error_type="timeout",service_name="shop"}';
const id = (n: number) => n.toString(16).padStart(32, "0");

const folder = temporaryFolder();
const started: Running[] = [];
afterAll(async () => {
  for (const { child } of started) await end(child, "SIGKILL");
  folder.remove();
});

async function start(data: string): Promise<Running> {
  const running = await startCommand("--port", "0", "--data", data);
  started.push(running);
  return running;
}

describe.each([
  ["/v1/metrics", METRICS, ERRORS, 2],
  ["/v1/logs", LOGS, "insitu_collector_events_total", 1],
  ["/v1/beacon", BEACON, ERRORS, 2],
] as const)("%s", (path, body, line, once) => {
  it("counts a request that comes again once, and one with another name again", async () => {
    await withCollector({}, async ({ url }) => {
      for (const batch of [id(1), id(1), id(2), id(1)]) {
        const answer = await post(`${url}${path}?batch=${batch}`, body);
        expect([answer.status, await answer.json()]).toEqual([200, {}]);
      }
      expect(await figure(url, line)).toBe(2 * once);
      expect(await figure(url, "insitu_collector_repeated_batches_total")).toBe(2);
    });
  });

  it("counts one of many that come at the same time", async () => {
    await withCollector({}, async ({ url }) => {
      const posts = Array.from({ length: 60 }, (_, i) => post(`${url}${path}?batch=${id(i % 3)}`, body));
      for (const { status } of await Promise.all(posts)) expect(status).toBe(200);
      expect(await figure(url, line)).toBe(3 * once);
    });
  });

  it("counts all that have no name", async () => {
    await withCollector({}, async ({ url }) => {
      for (let i = 0; i < 3; i += 1) expect((await post(`${url}${path}`, body)).status).toBe(200);
      expect(await figure(url, line)).toBe(3 * once);
    });
  });

  it.each(["1", "x".repeat(32), "A".repeat(32), `${id(1)}0`, "%00"])("refuses the name %s", async (batch) => {
    await withCollector({}, async ({ url }) => {
      const answer = await post(`${url}${path}?batch=${batch}`, body);
      expect(answer.status).toBe(400);
      expect(JSON.stringify(await answer.json())).toContain("32 hex digits");
      expect((await figure(url, line)) ?? 0).toBe(0);
    });
  });
});

it.each(["SIGTERM", "SIGKILL"] as const)("remembers the names after %s", async (signal) => {
  const data = join(folder.path, `${signal}.db`);
  const first = await start(data);
  for (let i = 0; i < 5; i += 1)
    expect((await post(`${first.url}/v1/metrics?batch=${id(i)}`, METRICS)).status).toBe(200);
  await end(first.child, signal);
  const second = await start(data);
  for (let i = 0; i < 6; i += 1)
    expect((await post(`${second.url}/v1/metrics?batch=${id(i)}`, METRICS)).status).toBe(200);
  expect(await figure(second.url, ERRORS)).toBe(12);
  await end(second.child, "SIGTERM");
});

it("counts once what was sent on while the collector was killed again and again", { timeout: 60_000 }, async () => {
  const data = join(folder.path, "killed.db");
  let running = await start(data);
  const acknowledged = new Set<number>();
  for (let round = 0; round < 4; round += 1) {
    // Each round sends all that was not acknowledged, and is cut off somewhere.
    const wanted = Array.from({ length: 40 }, (_, i) => i).filter((i) => !acknowledged.has(i));
    const posts = wanted.map(async (i) => {
      const answer = await post(`${running.url}/v1/metrics?batch=${id(i)}`, METRICS);
      if (answer.status === 200) acknowledged.add(i);
    });
    const all = Promise.allSettled(posts);
    if (round < 3) {
      await Promise.any(posts).catch(() => undefined);
      await end(running.child, "SIGKILL");
      await all;
      running = await start(data);
    } else await all;
  }
  expect(acknowledged.size).toBe(40);
  expect(await figure(running.url, ERRORS)).toBe(80);
  await end(running.child, "SIGTERM");
});

describe("a beacon", () => {
  it.each<[string, unknown]>([
    ["another version", { ...BEACON, v: 2 }],
    ["no metrics", { ...BEACON, metrics: undefined }],
    ["events that are no list", { ...BEACON, events: {} }],
    ["an array", []],
    ["a number", 5],
  ])("is refused with %s", async (_name, body) => {
    await withCollector({}, async ({ url }) => {
      expect((await post(`${url}/v1/beacon`, body)).status).toBe(400);
      expect((await post(`${url}/v1/beacon`, BEACON)).status).toBe(200);
      expect(await figure(url, ERRORS)).toBe(2);
    });
  });

  it("keeps what is good beside what is bad", async () => {
    await withCollector({}, async ({ url }) => {
      const histogram = {
        kind: "histogram",
        name: "ml.inference.duration",
        unit: "s",
        bounds: BOUNDS,
        points: [
          { attributes: {}, count: 3, sum: 30, min: 0.0005, max: 20, buckets: [1, ...new Array(13).fill(0), 2] },
          { attributes: {}, count: 4, sum: 30, min: 0.0005, max: 20, buckets: [1, ...new Array(13).fill(0), 2] },
        ],
      };
      const metrics = [...BEACON.metrics, histogram, 7, null, { kind: "gauge", name: "x", points: [] }];
      const answer = await post(`${url}/v1/beacon`, {
        ...BEACON,
        metrics,
        events: [...BEACON.events, 3, { time: "soon" }],
      });
      expect(await answer.json()).toMatchObject({
        partialSuccess: { rejectedRecords: expect.stringMatching(/^[4-9]$/) },
      });
      expect(await figure(url, ERRORS)).toBe(2);
      expect(await figure(url, 'ml_inference_duration_seconds_count{service_name="shop"}')).toBe(3);
      expect(await figure(url, 'ml_inference_duration_seconds_bucket{service_name="shop",le="0.001"}')).toBe(1);
    });
  });

  it("may come from another origin without a preflight", async () => {
    await withCollector({ allowOrigins: ["https://shop.example"], writeKey: "k" }, async ({ url }) => {
      const headers = { "content-type": "text/plain;charset=UTF-8", origin: "https://shop.example" };
      const answer = await post(`${url}/v1/beacon?batch=${id(1)}&key=k`, BEACON, headers);
      expect(answer.status).toBe(200);
      expect(answer.headers.get("access-control-allow-origin")).toBe("https://shop.example");
      expect(answer.headers.get("access-control-allow-credentials")).toBe("true");
    });
  });
});

describe("an exponential histogram", () => {
  const point = (given: object) => ({ attributes: pairs({}), timeUnixNano: `${Date.now()}000000`, ...given });
  const body = (given: object, name = "ml.inference.duration") =>
    metricsBody([{ name, unit: "s", exponentialHistogram: { aggregationTemporality: 1, dataPoints: [point(given)] } }]);
  const bucket = (le: string) =>
    `ml_inference_duration_seconds_bucket{service_name="shop",insitu_layout="exponential",le="${le}"}`;

  it("becomes buckets between powers of two, each value in the one that holds it", async () => {
    await withCollector({}, async ({ url }) => {
      // At scale 1 the bucket i is (2^(i/2), 2^((i+1)/2)]: -4 and -3 lie in (0.25, 0.5], -2 and -1 in (0.5, 1], 0 in (1, 2].
      const given = {
        count: "16",
        sum: 12,
        scale: 1,
        zeroCount: "1",
        positive: { offset: -4, bucketCounts: ["1", "2", "3", "4", "5"] },
      };
      const answer = await post(`${url}/v1/metrics`, body(given));
      expect(await answer.json()).toEqual({});
      for (const [le, count] of [
        ["0.25", 1],
        ["0.5", 4],
        ["1", 11],
        ["2", 16],
        ["+Inf", 16],
      ] as const)
        expect(await figure(url, bucket(le)), le).toBe(count);
    });
  });

  it.each<[string, object]>([
    ["buckets that do not add up", { count: "3", sum: 1, scale: 0, positive: { offset: 0, bucketCounts: ["1"] } }],
    [
      "a sum that contradicts its buckets",
      { count: "1", sum: 3, scale: 0, positive: { offset: 0, bucketCounts: ["1"] } },
    ],
    ["a scale that says too little", { count: "1", sum: 1, scale: -2, positive: { offset: 0, bucketCounts: ["1"] } }],
    ["values below 0", { count: "1", sum: 1, scale: 0, negative: { offset: 0, bucketCounts: ["1"] } }],
    [
      "too many buckets",
      { count: "0", sum: 0, scale: 0, positive: { offset: 0, bucketCounts: new Array(500).fill("0") } },
    ],
  ])("is rejected with %s", async (_name, given) => {
    await withCollector({}, async ({ url }) => {
      const answer = await post(`${url}/v1/metrics`, body(given));
      expect(await answer.json()).toMatchObject({ partialSuccess: { rejectedDataPoints: "1" } });
    });
  });
});
