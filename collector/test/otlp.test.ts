// Parsing OTLP's JSON: what is taken, what is rejected and counted, and that no input can break it.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createCatalogue } from "../src/catalogue.js";
import { BadBody } from "../src/otlp.js";
import { parseLogs } from "../src/otlp-logs.js";
import { parseMetrics as parse } from "../src/otlp-metrics.js";
import {
  BOUNDS,
  counter,
  counterPoint,
  histogram,
  histogramPoint,
  logsBody,
  metricsBody,
  pairs,
} from "./support/otlp.js";

const NOW = 1_800_000_000_000;
const parseMetrics = (body: unknown, now: number) => parse(body, now, createCatalogue());
const MODEL = { "ml.model.name": "digits" };

function points(...metrics: unknown[]) {
  return parseMetrics(metricsBody(metrics), NOW);
}

/** Rejected as a whole: the number of points, and why. */
function refused(...metrics: unknown[]) {
  const { records, rejected } = points(...metrics);
  expect(records).toEqual([]);
  return rejected.map(({ count, reason }) => `${count}: ${reason}`).join("; ");
}

describe("metrics", () => {
  it("reads a histogram as the library sends it", () => {
    const { records, rejected } = points(histogram([histogramPoint([0.0015, 0.003, 99], MODEL)]));
    expect(rejected).toEqual([]);
    expect(records[0]).toMatchObject({
      metric: { name: "ml.inference.duration", kind: "histogram", unit: "s", bounds: BOUNDS },
      attributes: [
        ["ml.model.name", "digits"],
        ["service.name", "shop"],
      ],
      amount: { count: 3, buckets: [0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1] },
    });
    expect(records[0]?.amount.sum).toBeCloseTo(99.0045, 12);
    expect(records[0]?.cumulative).toBeUndefined();
  });

  it("takes 64-bit integers as strings and as numbers, enums as numbers and as names", () => {
    const asNumbers = histogramPoint([0.003], MODEL, { count: 1, bucketCounts: [0, 0, 1, ...new Array(12).fill(0)] });
    const named = { aggregationTemporality: "AGGREGATION_TEMPORALITY_DELTA", dataPoints: [asNumbers] };
    const { records, rejected } = points(
      histogram([], { histogram: named }),
      counter([counterPoint("7", {}), counterPoint(8, {}), counterPoint(undefined, {}, { asDouble: 0.5 })]),
    );
    expect(rejected).toEqual([]);
    expect(records.map(({ amount }) => [amount.count, amount.sum])).toEqual([
      [1, 0.003],
      [0, 7],
      [0, 8],
      [0, 0.5],
    ]);
  });

  it("ignores what it does not know, and points that say nothing was recorded", () => {
    const strange = counterPoint("1", {}, { exemplars: [1], future: { deep: [] } });
    const body = { ...metricsBody([counter([strange, counterPoint(undefined, {}, { flags: 1 })])]), newField: 1 };
    expect(parseMetrics(body, NOW)).toMatchObject({ records: [{ amount: { sum: 1 } }], rejected: [] });
  });

  it("gives each cumulative stream an identity of resource, scope, metric and attributes", () => {
    const cumulative = (service: string, attributes: Record<string, string>) => {
      const point = counterPoint("5", attributes, { startTimeUnixNano: "17", timeUnixNano: "1800000000000000001" });
      const sum = { aggregationTemporality: 2, isMonotonic: true, dataPoints: [point] };
      return parseMetrics(metricsBody([counter([], { sum })], service), NOW).records[0]?.cumulative;
    };
    expect(cumulative("a", MODEL)).toMatchObject({ start: "17", time: "1800000000000000001" });
    expect(cumulative("a", MODEL)?.stream).toBe(cumulative("a", MODEL)?.stream);
    expect(
      new Set([cumulative("a", MODEL), cumulative("b", MODEL), cumulative("a", {})].map((c) => c?.stream)).size,
    ).toBe(3);
  });

  it("moves a wrong clock to the edge of a day", () => {
    const at = (timeUnixNano: unknown) => points(counter([counterPoint("1", {}, { timeUnixNano })])).records[0]?.time;
    const day = 24 * 3600 * 1000;
    expect(at(`${NOW - 5}000000`)).toBe(NOW - 5);
    expect(at("1")).toBe(NOW - day);
    expect(at("18446744073709551615")).toBe(NOW + day);
    expect(at("18446744073709551616")).toBeUndefined();
    expect(at(undefined)).toBe(NOW);
  });

  it.each([
    ["a negative duration", { sum: -1 }, "negative"],
    ["NaN", { sum: "NaN" }, "finite"],
    ["infinity", { sum: Number.POSITIVE_INFINITY }, "finite"],
    ["no sum", { sum: undefined }, "sum must be a finite number, not missing"],
    ["a negative bucket", { bucketCounts: ["-1", ...new Array(14).fill("0")] }, "must be an integer"],
    ["half a count", { count: 1.5 }, "must be an integer"],
    ["a count that is too large", { count: "9007199254740993" }, "must be an integer"],
    ["buckets that do not add up", { count: "3" }, "add up"],
    ["too few buckets", { bucketCounts: ["1"] }, "need 15 bucketCounts"],
    ["bounds that fall", { explicitBounds: [...BOUNDS].reverse() }, "must increase"],
    ["bounds of its own", { explicitBounds: BOUNDS.map((bound) => 2 * bound) }, "must have the explicitBounds"],
    ["300 bounds", { explicitBounds: Array.from({ length: 300 }, (_, i) => i) }, "at most 199"],
    ["attributes that are not an array", { attributes: { a: 1 } }, "array"],
    ["33 attributes", { attributes: new Array(33).fill({ key: "k", value: { intValue: 1 } }) }, "at most 32"],
    [
      "a count that no minute has",
      { count: "200000000", sum: 4e5, bucketCounts: ["0", "0", "200000000", ...new Array(12).fill("0")] },
      "may count 100000000",
    ],
    ["a sum below its buckets", { sum: 0.001 }, "contradicts its buckets"],
    ["a sum above its buckets", { sum: 0.006 }, "contradicts its buckets"],
    ["a sum of 1.7e308", { sum: 1.7e308 }, "may be"],
    ["a time of more than 64 bits", { timeUnixNano: "18446744073709551616" }, "64 bits"],
    ["a negative time", { timeUnixNano: "-1" }, "64 bits"],
    ["half a nanosecond", { timeUnixNano: 1.5 }, "64 bits"],
    ["a time of 1e300", { timeUnixNano: 1e300 }, "64 bits"],
    ["a time that is not an integer", { timeUnixNano: "soon" }, "nanoseconds"],
  ])("rejects %s, and only that point", (_name, given, reason) => {
    const { records, rejected } = points(
      histogram([histogramPoint([0.003], MODEL), histogramPoint([0.003], MODEL, given), histogramPoint([0.003], {})]),
    );
    expect(records).toHaveLength(2);
    expect(rejected).toHaveLength(1);
    expect(rejected[0]?.reason).toContain(reason);
  });

  it("rejects whole metrics that cannot be added up, counting their points", () => {
    const three = [counterPoint("1", {}), counterPoint("1", {}), counterPoint("1", {})];
    expect(refused({ name: "ml.x", gauge: { dataPoints: three } })).toMatch(/^3: ml.x is a gauge/);
    expect(refused(counter([], { sum: { aggregationTemporality: 1, dataPoints: three } }))).toMatch(
      /^3: .*not monotonic/,
    );
    expect(refused(counter([], { sum: { isMonotonic: true, dataPoints: three } }))).toMatch(
      /^3: .*aggregationTemporality/,
    );
    expect(refused(counter(three, { name: "9 lives" }))).toMatch(/^3: "9 lives" is not a valid metric name/);
    expect(refused({ name: "ml.x" })).toMatch(/^1: /);
    expect(refused(counter(three, { name: "ml.x" }))).toMatch(/ml\.x is not a metric of insitu/);
  });

  it("cuts what is too long and keeps what is valid UTF-8", () => {
    const attributes = [
      { key: "long", value: { stringValue: `${"x".repeat(127)}😀` } },
      { key: "nul", value: { stringValue: "a\0b" } },
      { key: "__proto__", value: { stringValue: "p" } },
      { key: "list", value: { arrayValue: { values: [{ intValue: "1" }, { boolValue: true }] } } },
      { key: "empty", value: {} },
    ];
    const { records } = points(counter([counterPoint("1", {}, { attributes })]));
    const { long, nul, list, empty, ...others } = Object.fromEntries(records[0]?.attributes ?? []);
    expect({ long, nul, list, empty }).toEqual({
      long: `${"x".repeat(127)}\uFFFD`,
      nul: "ab",
      list: '["1",true]',
      empty: undefined,
    });
    expect(Object.keys(others)).toEqual(["__proto__", "service.name"]);
  });

  it.each([null, 1, "x", [], {}, { resourceMetrics: {} }, { resourceLogs: [] }])("%j is not an OTLP body", (body) => {
    expect(() => parseMetrics(body, NOW)).toThrow(BadBody);
  });

  it("takes any JSON without an error of another kind", () => {
    const keys = fc.constantFrom(
      "name",
      "sum",
      "histogram",
      "dataPoints",
      "attributes",
      "key",
      "value",
      "asInt",
      "count",
    );
    const { any } = fc.letrec((tie) => ({
      any: fc.oneof({ maxDepth: 5 }, fc.jsonValue(), fc.array(tie("any")), fc.dictionary(keys, tie("any"))),
    }));
    fc.assert(
      fc.property(any, any, any, (metric, scope, resource) => {
        parseMetrics(metricsBody([metric]), NOW);
        parseMetrics({ resourceMetrics: [{ resource, scopeMetrics: scope }] }, NOW);
        parseLogs(logsBody([metric]), NOW);
      }),
      { numRuns: 200 },
    );
  });
});

describe("logs", () => {
  it("reads an event", () => {
    const record = {
      eventName: "ml.prediction",
      severityNumber: 9,
      timeUnixNano: `${NOW - 1}000000`,
      body: { stringValue: "hello" },
      attributes: pairs({ "ml.prediction.class": "7" }),
      traceId: "5b8efff798038103d269b633813fc60c",
    };
    expect(parseLogs(logsBody([record]), NOW)).toEqual({
      records: [
        {
          time: NOW - 1,
          name: "ml.prediction",
          severity: 9,
          body: "hello",
          attributes: [["ml.prediction.class", "7"]],
          resource: [["service.name", "shop"]],
        },
      ],
      rejected: [],
    });
  });

  it("takes the event's name from the attribute that older SDKs write, and its time from the observer", () => {
    const record = { observedTimeUnixNano: `${NOW - 2}000000`, attributes: pairs({ "event.name": "ml.feedback" }) };
    expect(parseLogs(logsBody([record]), NOW).records[0]).toMatchObject({
      name: "ml.feedback",
      time: NOW - 2,
      attributes: [],
    });
  });

  it("rejects a bad record and keeps the others", () => {
    const { records, rejected } = parseLogs(
      logsBody([{ eventName: "a" }, 7, { eventName: 5 }, { eventName: "b" }]),
      NOW,
    );
    expect(records.map(({ name }) => name)).toEqual(["a", "b"]);
    expect(rejected).toHaveLength(2);
  });
});
