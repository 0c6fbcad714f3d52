// A model that has become much slower than it was measured is reported.
import { describe, expect, test } from "vitest";
import type { Residence } from "../../../../../src/shared/protocol.js";
import { createSlowdownDetector } from "../../../../../src/worker/runtime/tuning/slowdown-detector.js";

describe("speed", () => {
  function watched(p50Ms: number) {
    let now = 0;
    let told = 0;
    const residence = () =>
      ({ backend: "wasm", threads: 2, measured: [{ backend: "wasm", threads: 2, p50Ms }] }) as Residence;
    const watch = createSlowdownDetector(
      residence,
      () => {
        told += 1;
      },
      () => now,
    );
    const runs = (ms: number, count = 64) => {
      for (let n = 0; n < count; n += 1) watch.add(ms);
      return told;
    };
    return {
      runs,
      pass: (ms: number) => {
        now += ms;
      },
    };
  }

  test("a model that takes twice as long as it was measured is measured again, every ten minutes at most", () => {
    const { runs, pass } = watched(10);
    expect(runs(11)).toBe(0);
    expect(runs(19)).toBe(0);
    expect(runs(25)).toBe(1);
    expect(runs(25)).toBe(1);
    pass(11 * 60_000);
    expect(runs(25)).toBe(2);
  });

  test("some slow runs, and what is slower by less than the clock tells, are nothing", () => {
    expect(watched(10).runs(100, 63)).toBe(0);
    expect(watched(0.2).runs(0.9)).toBe(0);
  });
});
