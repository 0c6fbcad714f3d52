// Large reads beside writes: they are made in pieces, once for all who ask, and few at a time.
import { get, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Collector, startCollector } from "../src/index.js";
import { toPrometheus } from "../src/prometheus.js";
import type { Point } from "../src/records.js";
import { createSharedReads } from "../src/shared-reads.js";
import { openStore } from "../src/store.js";
import { BOUNDS, counter, counterPoint, metricsBody } from "./support/otlp.js";
import { post, temporaryFolder, until } from "./support/run.js";

const GOOD = metricsBody([counter([counterPoint("1", { "error.type": "timeout" })])]);
const SERIES = 4_990;

const folder = temporaryFolder();
let collector: Collector;

/** Points of nearly as many series as fit, half of them histograms. */
function manyPoints(): Point[] {
  return Array.from({ length: SERIES }, (_, i) => {
    const attributes: Point["attributes"] = [
      ["ml.model.name", `m${i % 500}`],
      // Long: the text of all must be more than sockets hold, which is up to 4 MB.
      ["ml.model.version", `${i}-${"x".repeat(100)}`],
    ];
    const isCounter = i % 2 === 0;
    const buckets = isCounter ? [] : new Array<number>(BOUNDS.length + 1).fill(1);
    return {
      metric: isCounter
        ? { name: "ml.inference.items", kind: "counter", unit: "{item}", description: "", bounds: [] }
        : { name: "ml.inference.duration", kind: "histogram", unit: "s", description: "", bounds: BOUNDS },
      attributes,
      time: Date.now() - i * 10,
      amount: { count: buckets.length, sum: 5, buckets },
    };
  });
}

beforeAll(async () => {
  const data = join(folder.path, "telemetry.db");
  const store = await openStore(data);
  for (let round = 0; round < 3; round += 1)
    expect((await store.append({ points: manyPoints() })).rejected).toEqual([]);
  await store.close();
  collector = await startCollector({ port: 0, data, rate: 100_000, minBatches: 1 });
});

afterAll(async () => {
  await collector?.close();
  folder.remove();
});

it("writes are answered while everybody reads everything", { timeout: 120_000 }, async () => {
  const { url } = collector;
  const read = async (path: string) => {
    const response = await fetch(`${url}${path}`);
    return [response.status, (await response.text()).length] as const;
  };
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  let isReading = true;
  const reads = Promise.all(["/metrics", "/v1/report", "/metrics", "/v1/report?model=m1"].map(read)).finally(() => {
    isReading = false;
  });
  let written = 0;
  while (isReading) {
    expect((await post(`${url}/v1/metrics`, GOOD)).status).toBe(200);
    written += 1;
  }
  const answers = await reads;
  delay.disable();
  for (const [status, length] of answers) expect([status, length > 1_000]).toEqual([200, true]);
  expect(answers[0]?.[1]).toBeGreaterThan(6_000_000);
  expect(written).toBeGreaterThan(3);
  // Generous: a machine that is busy with other things delays everything.
  expect(delay.max / 1e6).toBeLessThan(1_500);
});

it("the text comes in many pieces, none of them large", () => {
  const series = manyPoints().map(({ metric, attributes, amount }, id) => ({ id, metric, attributes, total: amount }));
  const sizes = [...toPrometheus(series, [])].map((piece) => piece.length);
  expect(sizes.length).toBeGreaterThan(25);
  expect(Math.max(...sizes)).toBeLessThan(1_000_000);
});

it("is the same for everybody who asks within a second, and new after it", async () => {
  const text = async () => (await fetch(`${collector.url}/metrics`)).text();
  const [first, second] = await Promise.all([text(), text()]);
  await post(`${collector.url}/v1/metrics`, GOOD);
  expect(second).toBe(first);
  await until("newer figures", 10_000, async () => ((await text()) === first ? undefined : true));
});

it("few are made at the same time, each once, and a failure is not kept", async () => {
  let [open, most, made] = [0, 0, 0];
  const shared = createSharedReads<number>(2, 60_000);
  const make = async () => {
    open += 1;
    made += 1;
    most = Math.max(most, open);
    await new Promise((resolve) => setTimeout(resolve, 2));
    open -= 1;
    return made;
  };
  await Promise.all(Array.from({ length: 40 }, (_, i) => shared(`${i % 10}`, make)));
  expect([made, most]).toEqual([10, 2]);
  const failing = () => Promise.reject(new Error("no"));
  await expect(shared("x", failing)).rejects.toThrow("no");
  expect(await shared("x", async () => 7)).toBe(7);
});

it("one address has eight places of those who read slowly; the ninth is told to come again", async () => {
  const open = () =>
    new Promise<IncomingMessage>((resolve, reject) => {
      get(`${collector.url}/metrics`, { agent: false }, resolve).on("error", reject);
    });
  // None of them reads its body, which is larger than what sockets hold.
  const slow = await Promise.all(Array.from({ length: 8 }, open));
  expect(slow.map(({ statusCode }) => statusCode)).toEqual(Array(8).fill(200));
  const ninth = await open();
  expect([ninth.resume().statusCode, ninth.headers["retry-after"]]).toEqual([503, "1"]);
  expect((await post(`${collector.url}/v1/metrics`, GOOD)).status).toBe(200);
  for (const one of slow) one.destroy();
  await until("a place", 10_000, async () => {
    const next = await open();
    next.destroy();
    return next.statusCode === 200 ? true : undefined;
  });
});
