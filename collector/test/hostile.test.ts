// Any body gets 200, 400, 413 or 429, leaves the collector working, and honest points beside and after it are counted right.
import fc from "fast-check";
import { expect, it } from "vitest";
import { counter, counterPoint, histogram, histogramPoint, logsBody, metricsBody } from "./support/otlp.js";
import { figure, post, withCollector } from "./support/run.js";

type Json = unknown;

const HONEST = metricsBody([counter([counterPoint("1", { "error.type": "honest" })])], "honest");
const LINE = 'ml_errors_total{error_type="honest",service_name="honest"}';

const now = Date.now();
const times = { startTimeUnixNano: `${now - 1000}000000`, timeUnixNano: `${now}000000` };
const exponentialPoint = {
  ...times,
  attributes: [],
  count: "2",
  sum: 3,
  scale: 0,
  zeroCount: "0",
  positive: { offset: 0, bucketCounts: ["2"] },
};
const WHOLE: Record<string, Json> = {
  "/v1/metrics": metricsBody([
    histogram([histogramPoint([0.01], { "ml.model.name": "digits" })]),
    counter([counterPoint("1", { "error.type": "x" }, times)]),
    counter([], {
      name: "shop.orders",
      unit: "",
      sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints: [counterPoint("5", {}, times)] },
    }),
    {
      name: "ml.model.load.duration",
      unit: "s",
      exponentialHistogram: { aggregationTemporality: 1, dataPoints: [exponentialPoint] },
    },
  ]),
  "/v1/logs": logsBody([
    {
      eventName: "x",
      severityNumber: 9,
      body: { stringValue: "b" },
      ...times,
      attributes: [{ key: "ml.k", value: { kvlistValue: { values: [{ key: "a", value: { intValue: "1" } }] } } }],
    },
  ]),
  "/v1/beacon": {
    v: 1,
    resource: { "service.name": "shop" },
    start: now - 1000,
    end: now,
    metrics: [
      {
        kind: "counter",
        name: "ml.errors",
        unit: "{error}",
        points: [{ attributes: { "error.type": "x" }, value: 2 }],
      },
      {
        kind: "exponential",
        name: "ml.inference.duration",
        unit: "s",
        points: [{ attributes: {}, count: 1, sum: 1.5, zeroCount: 0, scale: 0, offset: 0, buckets: [1] }],
      },
    ],
    events: [{ name: "ml.prediction", time: now, severity: 9, attributes: { "ml.prediction.confidence": 0.5 } }],
  },
};

const deep = (depth: number, open: string, close: string) =>
  JSON.parse(`${open.repeat(depth)}1${close.repeat(depth)}`) as Json;

/** What has broken something somewhere: numbers beyond 2^53 and 64 bits, broken strings, objects that do not turn into text, depth. */
const NASTY = fc.constantFrom<Json>(
  -0,
  -1,
  0.5,
  1e300,
  1.7e308,
  -1.7e308,
  5e-324,
  2 ** 53,
  2 ** 53 - 2,
  2 ** 63,
  2 ** 64,
  1e21,
  "18446744073709551615",
  "18446744073709551616",
  "99999999999999999999",
  "9223372036854775808",
  "-9223372036854775809",
  "9007199254740993",
  "NaN",
  "Infinity",
  "-Infinity",
  "0x10",
  "1e3",
  " 1",
  "",
  "\0",
  "\ud800",
  "a\udc00",
  "\u2028",
  "le",
  "__name__",
  "ml.model_name",
  "ml_errors",
  "insitu.collector.points",
  "shop.x",
  "shop.orders_total",
  "x".repeat(5_000),
  "😀".repeat(100),
  '"\\\n}',
  "__proto__",
  "constructor",
  null,
  true,
  [],
  {},
  { toString: 1, valueOf: 1 },
  { toString: null },
  { __proto__: null, length: -1 },
  [[[]]],
  [null],
  { key: { toString: 1 } },
  { stringValue: "\ud800" },
  { intValue: "1e999" },
  { doubleValue: "NaN" },
  { bytesValue: "\0" },
  { arrayValue: { values: [{}] } },
  { kvlistValue: { values: [{ key: { toString: 1 }, value: {} }] } },
  deep(2_000, "[", "]"),
  deep(2_000, '{"a":', "}"),
);

/** Every place in a value, as the keys that lead there. */
function placesOf(value: Json, path: string[] = []): string[][] {
  if (typeof value !== "object" || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, inner]) => placesOf(inner, [...path, key]))];
}

function put(whole: Json, path: readonly string[], value: Json): Json {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  if (typeof whole !== "object" || whole === null) return whole;
  const copy = (Array.isArray(whole) ? [...whole] : { ...whole }) as Record<string, Json>;
  copy[key] = put(copy[key], rest, value);
  return copy;
}

/** A body that was valid, with up to four places replaced. */
const MUTATED = fc
  .tuple(
    fc.constantFrom(...Object.keys(WHOLE)),
    fc.array(fc.tuple(fc.nat(), fc.oneof(NASTY, fc.jsonValue())), { minLength: 1, maxLength: 4 }),
  )
  .map(([path, changes]) => {
    let body = WHOLE[path];
    for (const [at, value] of changes) {
      const places = placesOf(WHOLE[path]);
      body = put(body, places[at % places.length] ?? [], value);
    }
    return { path, body: JSON.stringify(body) ?? "" };
  });

const SAMPLE =
  /^[a-zA-Z_][a-zA-Z0-9_]*(\{([a-zA-Z_][a-zA-Z0-9_]*="([^"\\\n]|\\[\\"n])*",?)*\})? (-?[0-9.]+(e[+-]?[0-9]+)?|\+Inf)$/;

/** Every line is a sample or a comment, no sample comes twice, and no family is described twice. */
function expectValid(text: string): void {
  const lines = text.trimEnd().split("\n");
  const samples = lines.filter((line) => !line.startsWith("# "));
  for (const line of samples) expect(line).toMatch(SAMPLE);
  const names = samples.map((line) => line.slice(0, line.lastIndexOf(" ")));
  expect(new Set(names).size).toBe(names.length);
  const types = lines.filter((line) => line.startsWith("# TYPE ")).map((line) => line.split(" ")[2]);
  expect(new Set(types).size).toBe(types.length);
}

it("mutated bodies", { timeout: 180_000 }, async () => {
  await withCollector({ rate: 900_000, allowMetrics: ["shop.", "ml."], allowAttributes: ["x"] }, async ({ url }) => {
    const metrics = async () => (await fetch(`${url}/metrics`)).text();
    let honest = 0;
    await fc.assert(
      // Several at a time share a transaction, as those of strangers and honest senders do.
      fc.asyncProperty(fc.array(MUTATED, { minLength: 25, maxLength: 25 }), async (bodies) => {
        const answers = await Promise.all(bodies.map(({ path, body }) => post(`${url}${path}`, body)));
        for (const { status } of answers) expect([200, 400, 413, 429]).toContain(status);
        honest += 1;
        expect((await post(`${url}/v1/metrics`, HONEST)).status).toBe(200);
        expect(await figure(url, LINE)).toBe(honest);
        expectValid(await metrics());
      }),
      { numRuns: 60 },
    );
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    expect(await figure(url, "insitu_collector_storage_failures_total")).toBe(0);
  });
});

it.each(Object.keys(WHOLE))("each value in each place of a body for %s", { timeout: 180_000 }, async (path) => {
  const values = fc.sample(NASTY, { numRuns: 400, seed: 1 });
  const kinds = [...new Map(values.map((value) => [JSON.stringify(value), value])).values()];
  await withCollector({ rate: 900_000, allowMetrics: ["shop."] }, async ({ url }) => {
    expect((await post(`${url}${path}`, WHOLE[path])).status).toBe(200);
    // Several at a time share a transaction, as those of strangers and honest senders do.
    const bodies = placesOf(WHOLE[path]).flatMap((place) =>
      kinds.map((value) => JSON.stringify(put(WHOLE[path], place, value))),
    );
    for (let at = 0; at < bodies.length; at += 64) {
      const answers = await Promise.all(
        bodies.slice(at, at + 64).map(async (body) => ({ body, status: (await post(`${url}${path}`, body)).status })),
      );
      expect(answers.filter(({ status }) => status !== 200 && status !== 400)).toEqual([]);
    }
    expect(await figure(url, "insitu_collector_storage_failures_total")).toBe(0);
    expectValid(await (await fetch(`${url}/metrics`)).text());
    await post(`${url}/v1/metrics`, HONEST);
    expect(await figure(url, LINE)).toBe(1);
  });
});
