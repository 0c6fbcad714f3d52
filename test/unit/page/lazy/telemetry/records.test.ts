// Records become figures and events: nothing is lost, official readers parse them, and they contain no personal data.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { RecorderDeps } from "../../../../../src/page/lazy/telemetry/emitter.js";
import * as exponential from "../../../../../src/page/lazy/telemetry/exponential-histogram.js";
import { randomised, scrub } from "../../../../../src/page/lazy/telemetry/privacy.js";
import { createRecorder } from "../../../../../src/page/lazy/telemetry/recorder.js";
import type { TelemetryRecord } from "../../../../../src/page/lazy/telemetry/records.js";
import { toRequests } from "../../../../../src/page/lazy/telemetry/requests.js";
import { isSampled } from "../../../../../src/page/lazy/telemetry/sampling.js";
import { randomHex } from "../../../../../src/shared/hex.js";
import { drift, feedback, inputs, MODEL, predicted } from "../../../../support/telemetry-records.js";

const RESOURCE = { "service.name": "shop" };
const golden = JSON.parse(readFileSync(new URL("../../../../fixtures/monitoring.json", import.meta.url), "utf8")) as {
  grr: { eps: number; k: number; p_true: number; p_other: number }[];
  rappor: { f: number; h1_eps_inf: number; h2_eps_inf: number; "q*": number; "p*": number };
};

function recorder(deps: Partial<RecorderDeps> = {}) {
  const drops: string[] = [];
  const made = createRecorder({
    sumsOnly: false,
    onDrop: (signal, reason) => drops.push(`${signal} ${reason}`),
    ...deps,
  });
  return { ...made, drops };
}

const kinds: fc.Arbitrary<TelemetryRecord> = fc.oneof(
  fc.nat(1000).map((n) => predicted(n)),
  fc.nat(1000).map((n) => feedback(n)),
  fc.tuple(fc.double(), fc.string()).map(
    ([durationMs, message]): TelemetryRecord => ({
      kind: "failed",
      stage: "predict",
      errorType: "timeout",
      model: MODEL,
      backend: "wasm",
      durationMs,
      message,
    }),
  ),
  fc.double().map(
    (durationMs): TelemetryRecord => ({
      kind: "loaded",
      model: MODEL,
      backend: "wasm",
      source: "cache",
      durationMs,
      warmupMs: durationMs,
      downloaded: 5,
    }),
  ),
  fc.constant<TelemetryRecord>({ kind: "fellBack", from: "webgpu", to: "wasm", errorType: "device_lost" }),
  fc.constant<TelemetryRecord>({ kind: "restarted", reason: "watchdog" }),
  fc.constant<TelemetryRecord>({ kind: "cache", result: "hit" }),
  fc.double().map((bytes): TelemetryRecord => ({ kind: "storage", bytes })),
  fc.double().map((statistic) => drift({ statistic })),
  fc.dictionary(fc.string(), fc.double({ min: 0, max: 1, noNaN: true })).map((quantiles) => inputs({ quantiles })),
  fc
    .double()
    .map((slowdown): TelemetryRecord => ({ kind: "shadow", model: MODEL, result: "agree", difference: 0.1, slowdown })),
  fc.string().map(
    (from): TelemetryRecord => ({
      kind: "rollout",
      model: MODEL,
      arm: "stable",
      action: "rolled_back",
      reason: "latency",
      from,
    }),
  ),
);

test("every record is collected or counted as dropped, in requests of at most 48 KiB", () => {
  fc.assert(
    fc.property(
      fc.array(kinds, { maxLength: 300 }),
      fc.constantFrom("otlp" as const, "beacon" as const),
      (all, protocol) => {
        const { record, collect, drops } = recorder({ sampling: 1 });
        let recorded = 0;
        for (const one of all) recorded += record(one);
        const collected = collect();
        const requests = collected ? toRequests(collected, RESOURCE, protocol) : [];
        const inside = requests.reduce((sum, { records }) => sum + records.metrics + records.events, 0);
        const lost = drops.filter((drop) => drop.endsWith("queue_overflow")).length;
        expect(inside + lost).toBe(recorded);
        for (const { body } of requests) expect(Buffer.byteLength(body)).toBeLessThanOrEqual(48 * 1024);
        expect(new Set(requests.map(({ id }) => id)).size).toBe(requests.length);
        expect(collect()).toBeUndefined();
      },
    ),
  );
});

test("a batch too large for one request is split, and no figure or event is lost", () => {
  const { record, collect } = recorder({ sampling: 1 });
  for (let n = 0; n < 400; n += 1) record(predicted(n, { model: { ...MODEL, name: `model ${n % 150}` } }));
  const collected = collect();
  const requests = collected ? toRequests(collected, RESOURCE, "otlp") : [];
  expect(requests.length).toBeGreaterThan(4);
  const count = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].length;
  const logs = requests
    .filter(({ path }) => path === "/v1/logs")
    .map(({ body }) => body)
    .join();
  expect(count(logs, /"eventName":"ml.prediction"/g)).toBe(400);
  const metrics = requests.filter(({ path }) => path === "/v1/metrics");
  const items = metrics.flatMap(({ body }) =>
    JSON.parse(body).resourceMetrics[0].scopeMetrics[0].metrics.filter(
      (m: { name: string }) => m.name === "ml.inference.items",
    ),
  );
  const sums = items.flatMap((metric) => metric.sum.dataPoints.map((point: { asInt: string }) => Number(point.asInt)));
  expect(sums.reduce((a, b) => a + b, 0)).toBe(400);
});

test("a batch that is merged back is collected again with what was recorded meanwhile", () => {
  const { record, collect, mergeBack } = recorder({ sampling: 1 });
  record(predicted(1));
  const first = collect();
  record(predicted(2));
  if (first) mergeBack(first);
  const again = collect();
  expect(again?.records).toEqual({ metrics: 2, events: 2 });
  expect(again?.batch.startedAt).toBeLessThanOrEqual(first?.batch.startedAt as number);
  const items = again?.batch.metrics.find(({ name }) => name === "ml.inference.items");
  expect(items?.points).toMatchObject([{ value: 2 }]);
});

interface ProtoType {
  verify(body: object): string | null;
  fromObject(body: object): object;
  encode(message: object): { finish(): Uint8Array };
  decode(bytes: Uint8Array): object;
  toObject(message: object, options: object): never;
}
// 0.214 is the last release that ships OpenTelemetry's whole generated schema; a development dependency only.
const { metrics: metricsSchema, logs: logsSchema } = (
  createRequire(import.meta.url)("@opentelemetry/otlp-transformer/build/src/generated/root.js") as {
    opentelemetry: { proto: { collector: Record<"metrics" | "logs", { v1: Record<string, ProtoType> }> } };
  }
).opentelemetry.proto.collector;

/** Through OpenTelemetry's own protobuf schema and back. */
function asOfficial<T>(type: ProtoType | undefined, body: string): T {
  if (!type) throw new Error("The official schema lacks the type.");
  const bytes = type.encode(type.fromObject(JSON.parse(body))).finish();
  return type.toObject(type.decode(bytes), { longs: String, enums: String, defaults: true });
}

test.each([
  ["explicit", undefined],
  ["exponential", exponential],
])("OpenTelemetry's own schema reads the figures (%s)", (histogram, functions) => {
  const { record, collect } = recorder({ exponential: functions, sampling: 0 });
  for (let n = 0; n < 5; n += 1) record(predicted(n));
  const collected = collect();
  const [request] = collected ? toRequests(collected, RESOURCE, "otlp") : [];
  const read = asOfficial<{ resourceMetrics: { resource: object; scopeMetrics: { metrics: { name: string }[] }[] }[] }>(
    metricsSchema.v1.ExportMetricsServiceRequest,
    request?.body as string,
  );
  expect(read.resourceMetrics[0]?.resource).toMatchObject({
    attributes: [{ key: "service.name", value: { stringValue: "shop" } }],
  });
  const metrics = read.resourceMetrics[0]?.scopeMetrics[0]?.metrics ?? [];
  const duration = metrics.find(({ name }) => name === "ml.inference.duration");
  const point = { count: "5", min: 0.021, max: 0.021 };
  const field = histogram === "explicit" ? "histogram" : "exponentialHistogram";
  expect(duration).toMatchObject({
    unit: "s",
    [field]: { aggregationTemporality: "AGGREGATION_TEMPORALITY_DELTA", dataPoints: [point] },
  });
  if (histogram === "exponential")
    expect(duration).toMatchObject({
      exponentialHistogram: { dataPoints: [{ scale: 20, positive: { bucketCounts: ["5"] } }] },
    });
  expect(metrics.find(({ name }) => name === "ml.inference.items")).toMatchObject({
    sum: { isMonotonic: true, dataPoints: [{ asInt: "5" }] },
  });
});

test("the beacon has the field names that the collector reads", () => {
  const { record, collect } = recorder({ sampling: 1 });
  record(predicted(1));
  const before = Date.now();
  const collected = collect();
  const [request] = collected ? toRequests(collected, RESOURCE, "beacon") : [];
  const body = JSON.parse(request?.body as string);
  expect(Object.keys(body).sort()).toEqual(["end", "events", "metrics", "resource", "start", "v"]);
  expect(body).toMatchObject({ v: 1, resource: RESOURCE, start: expect.any(Number), end: expect.any(Number) });
  expect(body.end).toBeGreaterThanOrEqual(before);
  expect(Object.keys(body.events[0]).sort()).toEqual(["attributes", "name", "severity", "time"]);
  expect(body.events[0].time).toBeLessThanOrEqual(body.end);
});

test("OpenTelemetry's own schema reads the events", () => {
  const { record, collect } = recorder({ sampling: 1, classes: true });
  record(predicted(3));
  record(feedback(3));
  const collected = collect();
  const request = collected && toRequests(collected, RESOURCE, "otlp").find(({ path }) => path === "/v1/logs");
  const read = asOfficial<{
    resourceLogs: {
      scopeLogs: { logRecords: { eventName: string; attributes: { key: string; value: object }[] }[] }[];
    }[];
  }>(logsSchema.v1.ExportLogsServiceRequest, request?.body as string);
  const logRecords = read.resourceLogs[0]?.scopeLogs[0]?.logRecords ?? [];
  const [prediction, truth] = logRecords;
  expect(prediction).toMatchObject({ severityNumber: "SEVERITY_NUMBER_INFO" });
  const values = (list: { key: string; value: object }[] = []) => new Map(list.map(({ key, value }) => [key, value]));
  expect(values(prediction?.attributes).get("ml.prediction.class")).toMatchObject({ intValue: "3" });
  expect(values(prediction?.attributes).get("ml.inference.duration")).toMatchObject({ doubleValue: 0.021 });
  expect(values(truth?.attributes).get("ml.prediction.outcome")).toMatchObject({ stringValue: "correct" });
  expect(logRecords.map(({ eventName }) => eventName)).toEqual(["ml.prediction", "ml.feedback"]);
});

test("the same tenth of all predictions is chosen, and their feedback with them", () => {
  const ids = Array.from({ length: 20_000 }, () => randomHex());
  const chosen = ids.filter((id) => isSampled(id, 0.1));
  // Five standard deviations.
  expect(Math.abs(chosen.length - 2000)).toBeLessThan(5 * Math.sqrt(20_000 * 0.1 * 0.9));
  expect(chosen.every((id) => isSampled(id, 0.1) && isSampled(id, 0.5))).toBe(true);
  const { record, collect } = recorder({ sampling: 0.5 });
  for (let n = 0; n < 100; n += 1) {
    record(predicted(n));
    record(feedback(n));
  }
  const byName = (name: string) => events.filter((event) => event.name === name);
  const events = collect()?.batch.events ?? [];
  const idsOf = (name: string) => byName(name).map(({ attributes }) => attributes["ml.prediction.id"]);
  expect(idsOf("ml.prediction")).toEqual(idsOf("ml.feedback"));
  expect(byName("ml.prediction").length).toBeGreaterThan(10);
  expect(byName("ml.prediction")[0]?.attributes["ml.sampling.probability"]).toBe(0.5);
});

test.each(golden.grr)(
  "randomised response at epsilon $eps over $k values has the probabilities of the paper",
  ({ eps, k, p_true, p_other }) => {
    // All random numbers, evenly spaced: the share of each result is its probability.
    const steps = 2000;
    const counts = new Array<number>(k).fill(0);
    for (let i = 0; i < steps; i += 1)
      for (let j = 0; j < k - 1; j += 1) {
        const draws = [(i + 0.5) / steps, (j + 0.5) / (k - 1)];
        const value = randomised(1, k, eps, () => draws.shift() as number);
        counts[value] = (counts[value] as number) + 1 / (steps * (k - 1));
      }
    expect(counts[1]).toBeCloseTo(p_true, 3);
    expect(counts[0]).toBeCloseTo(p_other, 3);
  },
);

test("of two values it is RAPPOR's permanent response, with that paper's epsilon and reports", () => {
  const { f, h1_eps_inf, h2_eps_inf } = golden.rappor;
  // One hash function sets one bit: two values differ in two bits, each of which is a response of two values.
  const epsilon = h1_eps_inf / 2;
  expect(h2_eps_inf).toBeCloseTo(2 * h1_eps_inf, 12);
  expect(epsilon).toBeCloseTo(Math.log((1 - f / 2) / (f / 2)), 12);
  const steps = 20_000;
  const share = (truth: number) =>
    Array.from({ length: steps }, (_, i) => randomised(truth, 2, epsilon, () => (i + 0.5) / steps)).reduce(
      (a, b) => a + b,
      0,
    ) / steps;
  expect(share(1)).toBeCloseTo(1 - f / 2, 3);
  // The instantaneous response reports a bit of 1 with q = 0.75, one of 0 with p = 0.5.
  const reported = (truth: number) => 0.75 * share(truth) + 0.5 * (1 - share(truth));
  expect(reported(1)).toBeCloseTo(golden.rappor["q*"], 3);
  expect(reported(0)).toBeCloseTo(golden.rappor["p*"], 3);
});

test("with epsilon classes and outcomes are randomised, and what would reveal them is left out", () => {
  const { record, collect } = recorder({ sampling: 1, classes: true, epsilon: 0.1 });
  for (let n = 0; n < 400; n += 1) record(feedback(n, { correct: true, class: 3 }));
  const collected = collect();
  expect(collected?.batch.metrics.some(({ name }) => name === "ml.prediction.squared_error")).toBe(false);
  const outcomes = collected?.batch.metrics.find(({ name }) => name === "ml.prediction.outcomes")?.points ?? [];
  const wrong = outcomes.find(({ attributes }) => attributes["ml.prediction.outcome"] === "incorrect") as {
    value: number;
  };
  // Nearly half of them: e^0.1 / (e^0.1 + 1) = 0.525 keep their value.
  expect(wrong.value).toBeGreaterThan(100);
  expect(outcomes.every(({ attributes }) => attributes["ml.privacy.epsilon"] === "0.1")).toBe(true);
});

test("sums only: no event is recorded, and every figure is", () => {
  const { record, collect } = recorder({ sampling: 1, sumsOnly: true });
  expect(record(predicted(1))).toBe(1);
  expect(record({ kind: "fellBack", from: "webgpu", to: "wasm", errorType: "device_lost" })).toBe(1);
  expect(collect()?.batch).toMatchObject({ events: [] });
});

test("the next batch reports what was dropped, as a sum and as an event", () => {
  const made = recorder();
  made.dropped("events", "queue_overflow", 7);
  const batch = made.collect()?.batch;
  expect(batch?.events).toMatchObject([{ name: "ml.telemetry.report", attributes: { "events.queue_overflow": 7 } }]);
  expect(batch?.metrics).toMatchObject([{ name: "ml.telemetry.dropped", points: [{ value: 7 }] }]);
});

const SECRETS = [
  "https://shop.example/orders/4711?token=s3cr3t",
  "file:///home/alice/pictures/passport.png",
  "/home/alice/passport.png",
  "C:\\Users\\alice\\passport.png",
  "alice@example.org",
  '"alice smith"',
  "'alice'",
  "4111 1111 1111 1111",
  "2024-11-23",
  "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
  "d41d8cd98f00b204e9800998ecf8427e",
  "data:image/png;base64,iVBORw0KGgo",
  "192.168.17.23",
];

test.each(SECRETS)("a message is sent without %s", (secret) => {
  const scrubbed = scrub(`Loading ${secret} failed at ${secret}: not found`);
  for (const part of secret
    .split(/[\s/\\?=:@.,;'"-]+/)
    .filter(
      (word) =>
        word.length > 3 && !/^(https?|file|data|home|Users|image|base64|shop|orders|pictures|example)$/.test(word),
    ))
    expect(scrubbed).not.toContain(part);
  expect(scrubbed).toContain("failed at");
});

test("a message is at most 256 bytes, whatever it is", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 2000 }), (message) => {
      expect(Buffer.byteLength(scrub(message))).toBeLessThanOrEqual(256);
    }),
  );
  expect(scrub("ü".repeat(300))).toBe("ü".repeat(128));
});

test("however many predictions are recorded, what waits is bounded, and what is dropped is counted", () => {
  const { record, collect, drops } = recorder();
  for (let n = 0; n < 20_000; n += 1) record(predicted(n, { id: randomHex() }));
  const collected = collect();
  expect(collected?.batch.events.length).toBeLessThanOrEqual(501);
  expect(collected?.batch.metrics.every(({ points }) => points.length <= 12)).toBe(true);
  expect(drops.length).toBeGreaterThan(1000);
});

const CANARY = { "ml.model.name": "digits", "ml.model.version": "1.2.0", "ml.rollout.arm": "canary" };

/** What one record becomes: the points of each metric, and the attributes of each event. */
function written(all: TelemetryRecord[], deps: Partial<RecorderDeps> = {}) {
  const { record, collect } = recorder({ sampling: 1, ...deps });
  for (const one of all) record(one);
  const batch = collect()?.batch;
  return {
    metrics: Object.fromEntries((batch?.metrics ?? []).map(({ name, points }) => [name, points])),
    events: (batch?.events ?? []).map(({ name, attributes }) => ({ name, attributes })),
  };
}

test("a failure keeps the arm of its version; without a rollout it is the stable one", () => {
  const failed = (model: typeof MODEL): TelemetryRecord => ({
    kind: "failed",
    stage: "predict",
    errorType: "timeout",
    model,
    message: "",
  });
  for (const [model, arm] of [
    [{ ...MODEL, arm: "canary" } as const, "canary"],
    [MODEL, "stable"],
  ] as const) {
    const { metrics, events } = written([failed(model)]);
    expect(metrics["ml.inference.duration"]).toMatchObject([{ attributes: { ...CANARY, "ml.rollout.arm": arm } }]);
    expect(events).toMatchObject([{ attributes: { "ml.rollout.arm": arm } }]);
  }
});

test("a decision of a rollout is counted and told, with its reason and where it came from", () => {
  const attributes = { ...CANARY, "ml.rollout.action": "rolled_back", "ml.rollout.reason": "failures" };
  const { metrics, events } = written([
    { kind: "rollout", model: MODEL, arm: "canary", action: "rolled_back", reason: "failures", from: "1.3.0" },
  ]);
  expect(metrics).toEqual({ "ml.rollout.decisions": [{ attributes, value: 1 }] });
  expect(events).toEqual([{ name: "ml.rollout.decision", attributes: { ...attributes, "ml.rollout.from": "1.3.0" } }]);
});

test("a comparison with the shadow version is counted; what was not compared is left out", () => {
  const version = { ...CANARY, "ml.rollout.arm": "shadow" };
  const { metrics, events } = written([
    { kind: "shadow", model: MODEL, result: "disagree", difference: 0.4, slowdown: 1.2 },
    { kind: "shadow", model: MODEL, result: "failed" },
  ]);
  expect(metrics["ml.shadow.comparisons"]).toEqual([
    { attributes: { ...version, "ml.shadow.result": "disagree" }, value: 1 },
    { attributes: { ...version, "ml.shadow.result": "failed" }, value: 1 },
  ]);
  expect(metrics["ml.shadow.difference"]).toMatchObject([{ attributes: version, count: 1, sum: 0.4 }]);
  const [slowdown] = metrics["ml.shadow.slowdown"] as { buckets: number[] }[];
  // 1.2 lies between the bounds 1 and 1.41.
  expect(slowdown?.buckets).toEqual([0, 0, 0, 0, 1, 0, 0, 0, 0]);
  expect(events).toEqual([]);
});

test("a drift is counted and told, with what the detector compared", () => {
  const { metrics, events } = written([drift()]);
  const attributes = { ...CANARY, "ml.drift.detector": "adwin", "ml.drift.target": "confidence" };
  expect(metrics).toEqual({ "ml.drift.detections": [{ attributes, value: 1 }] });
  expect(events).toEqual([
    {
      name: "ml.drift.detected",
      attributes: {
        ...attributes,
        "ml.drift.n": 480,
        "ml.drift.since": 1_700_000_000_000,
        "ml.drift.statistic": 0.31,
        "ml.drift.threshold": 0.12,
      },
    },
  ]);
  // Global Privacy Control: the sum only.
  expect(written([drift()], { sumsOnly: true })).toMatchObject({ metrics, events: [] });
});

test("the features of an input are told as quantiles, by feature, and what is missing is counted", () => {
  const { metrics, events } = written([inputs(), inputs({ quantiles: {}, missing: ["image.width"] })]);
  const feature = (name: string) => ({ ...CANARY, "ml.input.feature": name });
  const [brightness, width] = metrics["ml.input.quantile"] as { attributes: object; buckets: number[] }[];
  expect(brightness).toMatchObject({ attributes: feature("image.brightness"), count: 1 });
  expect(brightness?.buckets[1]).toBe(1);
  expect(width).toMatchObject({ attributes: feature("image.width"), count: 1 });
  expect(width?.buckets[19]).toBe(1);
  expect(metrics["ml.input.missing"]).toEqual([{ attributes: feature("image.width"), value: 1 }]);
  expect(events).toEqual([]);
});

test("with epsilon quantiles are randomised to the middle of a bin, and a missing value looks like any other", () => {
  const records = Array.from({ length: 4000 }, () => inputs({ quantiles: { a: 0.97 }, missing: ["b"] }));
  const { metrics } = written(records, { epsilon: 1 });
  expect(metrics["ml.input.missing"]).toBeUndefined();
  const [a, b] = metrics["ml.input.quantile"] as { attributes: object; buckets: number[]; min: number; max: number }[];
  expect(a).toMatchObject({
    attributes: { "ml.input.feature": "a", "ml.privacy.epsilon": "1" },
    min: 0.025,
    max: 0.975,
  });
  // e / (e + 19) = 0.125 keep their bin, 0.046 fall into each other one; five standard deviations.
  expect(Math.abs((a?.buckets[19] as number) - 500.6)).toBeLessThan(5 * 20.9);
  for (const count of a?.buckets.slice(0, 19) ?? []) expect(Math.abs(count - 184.2)).toBeLessThan(5 * 13.3);
  // Of a missing value nothing is told: each bin is as likely, and it has the same minimum and maximum.
  expect(b).toMatchObject({ min: 0.025, max: 0.975 });
  for (const count of b?.buckets ?? []) expect(Math.abs(count - 200)).toBeLessThan(5 * 13.8);
});

test("predicted classes are counted with the option `classes`, for at most 100 classes", () => {
  const decided = { class: 3, confidence: 0.9, margin: 0.5, entropy: 0.1, classes: 10 };
  expect(written([predicted(1, { decided })]).metrics["ml.prediction.classes"]).toBeUndefined();
  const { metrics, events } = written([predicted(1, { decided, arm: "canary" })], { classes: true });
  const attributes = { ...CANARY, "ml.prediction.class": "3" };
  expect(metrics["ml.prediction.classes"]).toEqual([{ attributes, value: 1 }]);
  expect(events).toMatchObject([{ attributes: { "ml.prediction.class": 3 } }]);
  const many = predicted(1, { decided: { ...decided, classes: 101 } });
  expect(written([many], { classes: true }).metrics["ml.prediction.classes"]).toBeUndefined();
});

test("with epsilon the class of a prediction is randomised once, for its event and for the sum", () => {
  const all = Array.from({ length: 300 }, () => predicted(1, { id: randomHex() }));
  const { metrics, events } = written(all, { classes: true, epsilon: 0.5 });
  const counts: Record<string, number> = {};
  for (const { attributes } of events) {
    const key = String(attributes["ml.prediction.class"]);
    counts[key] = (counts[key] ?? 0) + 1;
  }
  const sums = (metrics["ml.prediction.classes"] as { attributes: Record<string, string>; value: number }[]).map(
    ({ attributes, value }) => [attributes["ml.prediction.class"], value],
  );
  expect(Object.fromEntries(sums)).toEqual(counts);
  expect(Object.keys(counts).length).toBeGreaterThan(5);
});
