// When a page leaves a version: failures in a row, the median of the latencies, crashes and self-tests.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Guardrails, isStillBroken, loadBreach, workOf } from "../../../../../src/page/lazy/rollout/guardrails.js";
import { ERROR_CODES, type ErrorCode, InsituError } from "../../../../../src/shared/errors.js";

const COUNTED: ErrorCode[] = [
  "output_invalid",
  "timeout",
  "worker_crashed",
  "device_lost",
  "out_of_memory",
  "backend_unavailable",
  "unknown",
];
const OTHERS = ERROR_CODES.filter((code) => !COUNTED.includes(code));

/** Fails one prediction after the other. */
function failTimes(guardrails: Guardrails, times: number, code: ErrorCode = "output_invalid") {
  return Array.from({ length: times }, (_, n) => guardrails.failed(code, n * 10, n * 10 + 5));
}

describe("failures", () => {
  test("five in a row without a limit, and the first breach only", () => {
    const breaches = failTimes(new Guardrails(), 12);
    expect(breaches.findIndex((breach) => breach !== undefined)).toBe(4);
    expect(breaches.filter((breach) => breach !== undefined)).toEqual([
      {
        reason: "failures",
        count: 5,
        limit: 5,
        detail: "5 predictions in a row failed, the last one with output_invalid",
      },
    ]);
  });

  test("what the caller or the network causes neither counts nor ends a row", () => {
    const guardrails = new Guardrails({ failures: 2 });
    expect(guardrails.failed("unknown", 0, 1)).toBeUndefined();
    for (const code of OTHERS) expect(guardrails.failed(code, 2, 3), code).toBeUndefined();
    expect(guardrails.failed("timeout", 4, 5)).toMatchObject({ reason: "failures", count: 2 });
  });

  test("predictions that ran at the same time are one failure", () => {
    const guardrails = new Guardrails({ failures: 2 });
    // Eight were open when the computer slept, or the device was lost.
    for (let n = 0; n < 8; n += 1) expect(guardrails.failed("timeout", n, 100 + n)).toBeUndefined();
    expect(guardrails.failed("timeout", 101, 200)).toMatchObject({ count: 2 });
  });

  test("of the visits before count, until one succeeds", () => {
    const guardrails = new Guardrails({ failures: 4 }, 2);
    expect(guardrails.failed("timeout", 0, 1)).toBeUndefined();
    expect(guardrails.row()).toEqual({
      reason: "failures",
      count: 3,
      limit: 4,
      detail: "3 predictions in a row failed, the last one with timeout",
    });
    expect(guardrails.failed("output_invalid", 2, 3)).toMatchObject({ count: 4, limit: 4 });
    const other = new Guardrails({ failures: 4 }, 3);
    other.predicted(1);
    expect(failTimes(other, 3)).toEqual([undefined, undefined, undefined]);
  });

  test("property: a breach comes exactly where a run of k counted failures ends first", () => {
    const outcome = fc.oneof(fc.constant("ok" as const), fc.constantFrom(...ERROR_CODES));
    fc.assert(
      fc.property(fc.array(outcome, { maxLength: 60 }), fc.integer({ min: 1, max: 6 }), (outcomes, limit) => {
        const guardrails = new Guardrails({ failures: limit });
        let row = 0;
        let expected = -1;
        const found: number[] = [];
        for (const [n, each] of outcomes.entries()) {
          if (each === "ok") row = 0;
          else if (COUNTED.includes(each)) row += 1;
          if (row === limit && expected < 0) expected = n;
          const breach = each === "ok" ? guardrails.predicted(1) : guardrails.failed(each, n * 2, n * 2 + 1);
          if (breach) found.push(n);
        }
        expect(found).toEqual(expected < 0 ? [] : [expected]);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("latency", () => {
  test("no limit unless the channel sets one", () => {
    const guardrails = new Guardrails();
    for (let n = 0; n < 1_000; n += 1) expect(guardrails.predicted(1e9)).toBeUndefined();
  });

  test("the median over the limit, with its value", () => {
    const guardrails = new Guardrails({ maxLatency: 20, latencyWindow: 10 });
    for (const latency of [5, 30, 30, 5, 30, 30, 30, 5, 5]) expect(guardrails.predicted(latency)).toBeUndefined();
    expect(guardrails.predicted(31)).toEqual({
      reason: "latency",
      count: 30,
      limit: 20,
      detail: "the median of the last 10 predictions is 30.0 ms, over the limit of 20 ms",
    });
  });

  test("property: as a median that is computed anew for each window", () => {
    const latencies = fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 120 });
    fc.assert(
      fc.property(latencies, fc.integer({ min: 10, max: 30 }), (values, size) => {
        const guardrails = new Guardrails({ maxLatency: 20, latencyWindow: size });
        let isBroken = false;
        for (let n = 0; n < values.length && !isBroken; n += 1) {
          const window = values.slice(Math.max(0, n + 1 - size), n + 1).sort((a, b) => a - b);
          const median = window[(window.length - 1) >> 1] as number;
          isBroken = window.length === size && median > 20;
          const breach = guardrails.predicted(values[n] as number);
          expect(breach?.count).toBe(isBroken ? median : undefined);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("a load that failed", () => {
  const unavailable = (refused: unknown) => new InsituError("backend_unavailable", "None runs it.", { refused });
  const wrong = { backend: "wasm", reason: "the self-test failed: wasm gave 1", isWrong: true };

  test("is a breach where outputs are wrong", () => {
    const noKernel = { backend: "webgpu", reason: "no adapter" };
    expect(loadBreach(unavailable([noKernel, wrong, { ...wrong, backend: "cpu" }]))).toEqual({
      reason: "self_test",
      detail: wrong.reason,
      count: 2,
      limit: 0,
    });
  });

  test("is a breach where the page crashed too often", () => {
    const crashed = new InsituError("backend_unavailable", "Not opened.", { crashes: 3 });
    expect(loadBreach(crashed)).toMatchObject({ reason: "crashes", count: 3, limit: 2 });
    expect(loadBreach(crashed, { crashes: 3 })).toMatchObject({ limit: 3 });
  });

  test("is none where another cause is possible", () => {
    const passing = { backend: "cpu", reason: "the file could not be fetched", isPassing: true };
    expect(loadBreach(unavailable([wrong, passing]))).toBeUndefined();
    expect(loadBreach(unavailable([{ backend: "wasm", reason: "no kernel for Foo" }]))).toBeUndefined();
    expect(loadBreach(unavailable("not a list"))).toBeUndefined();
    expect(loadBreach(new InsituError("network", "", { refused: [wrong] }))).toBeUndefined();
    expect(loadBreach(new Error("other"))).toBeUndefined();
  });
});

test("a wider limit ends what a tighter one began; a self-test stays failed", () => {
  expect(isStillBroken({ reason: "latency", count: 30 }, { maxLatency: 20 })).toBe(true);
  expect(isStillBroken({ reason: "latency", count: 30 }, { maxLatency: 30 })).toBe(false);
  expect(isStillBroken({ reason: "latency", count: 30 }, {})).toBe(false);
  expect(isStillBroken({ reason: "failures", count: 5 })).toBe(true);
  expect(isStillBroken({ reason: "failures", count: 5 }, { failures: 6 })).toBe(false);
  expect(isStillBroken({ reason: "crashes", count: 2 })).toBe(true);
  expect(isStillBroken({ reason: "crashes", count: 2 }, { crashes: 9 })).toBe(false);
  expect(isStillBroken({ reason: "self_test", count: 1 }, { failures: 100 })).toBe(true);
});

test("the work of a prediction leaves the waits out, and is its part of a batch", () => {
  const timings = {
    queueMs: 100,
    preprocessMs: 1,
    executeMs: 8,
    readbackMs: 4,
    postprocessMs: 2,
  };
  expect(workOf({ timings })).toBe(15);
  expect(workOf({ timings, items: 4 })).toBe(6);
});
