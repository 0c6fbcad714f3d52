// What a device remembers: the choice in its environment, crashes for a day, and that a model has become slow.
import { describe, expect, test } from "vitest";
import type { Residence } from "../../../../../src/shared/protocol.js";
import { createSlowdownDetector } from "../../../../../src/worker/runtime/tuning/slowdown-detector.js";
import {
  type Choice,
  createCrashSentinel,
  forget,
  lives,
  recall,
  remember,
  type TuningCache,
} from "../../../../../src/worker/runtime/tuning/tuning-cache.js";

/** Notes as IndexedDB keeps them: what is read is a copy. */
function notes(): TuningCache & { rows: Map<string, unknown> } {
  const rows = new Map<string, unknown>();
  return {
    rows,
    read: async (kind) => structuredClone(rows.get(kind)),
    write: async (kind, value) => void rows.set(kind, structuredClone(value)),
  };
}

const HOUR = 3600 * 1000;

describe("the choice", () => {
  const choice: Choice = {
    environment: "this browser",
    target: { backend: "wasm", threads: 2 },
    measured: [{ backend: "wasm", threads: 2, p50Ms: 3 }],
    refused: [],
  };

  test("is recalled in the same environment only, until it is forgotten", async () => {
    const kept = notes();
    await remember(kept, choice);
    expect(await recall(kept, "this browser")).toEqual(choice);
    expect(await recall(kept, "the next version of it")).toBeUndefined();
    await forget(kept);
    expect(await recall(kept, "this browser")).toBeUndefined();
  });

  test.each([
    undefined,
    null,
    7,
    "x",
    [],
    { environment: "this browser" },
    { environment: "this browser", target: {} },
  ])("that is damaged (%j) is made again", async (value) => {
    const kept = notes();
    kept.rows.set("choice", value);
    expect(await recall(kept, "this browser")).toBeUndefined();
  });
});

describe("crashes", () => {
  /** Visits one after the other; each ends by a crash while a backend is at work, or in peace. */
  function visits() {
    const kept = notes();
    let now = 1e12;
    let count = 0;
    const living = new Set<string>();
    const visit = () => {
      count += 1;
      const me = `visit ${count}`;
      living.add(me);
      const sentinel = createCrashSentinel(
        kept,
        me,
        async (by) => living.has(by),
        () => now,
      );
      return { sentinel, crash: () => void living.delete(me) };
    };
    return {
      kept,
      visit,
      pass: (ms: number) => {
        now += ms;
      },
    };
  }

  test("two within a day are enough, one is not", async () => {
    const { visit } = visits();
    for (const expected of [
      [],
      [],
      [{ backend: "webgpu", reason: expect.stringMatching(/2 times within 24 hours/) }],
    ]) {
      const { sentinel, crash } = visit();
      expect(await sentinel.refused()).toEqual(expected);
      await sentinel.begin("webgpu");
      crash();
    }
  });

  test("they are forgotten after a day", async () => {
    const { visit, pass } = visits();
    for (let n = 0; n < 2; n += 1) {
      const { sentinel, crash } = visit();
      await sentinel.begin("webgpu");
      crash();
      pass(13 * HOUR);
    }
    expect(await visit().sentinel.refused()).toEqual([]);
  });

  test("who ended its work, lives on, or said goodbye has not crashed", async () => {
    const { kept, visit } = visits();
    const done = visit();
    await done.sentinel.begin("wasm");
    await done.sentinel.end();
    done.crash();
    const living = [visit(), visit(), visit()];
    for (const { sentinel } of living) await sentinel.begin("wasm");
    expect(await visit().sentinel.refused()).toEqual([]);
    for (const { crash } of living) crash();
    const closed = ["visit 2", "visit 3", "visit 4"];
    expect(await createCrashSentinel(kept, "me", lives(closed)).refused()).toEqual([]);
  });

  test("each backend is judged by its own", async () => {
    const { visit } = visits();
    for (const backend of ["webgpu", "wasm", "webgpu"] as const) {
      const { sentinel, crash } = visit();
      await sentinel.begin(backend);
      crash();
    }
    expect((await visit().sentinel.refused()).map(({ backend }) => backend)).toEqual(["webgpu"]);
  });

  test("a damaged note is none", async () => {
    const { kept, visit } = visits();
    kept.rows.set("crashes", [null, 3, { backend: 1 }, { at: "x" }]);
    const { sentinel } = visit();
    expect(await sentinel.refused()).toEqual([]);
    await sentinel.begin("cpu");
    expect(kept.rows.get("crashes")).toHaveLength(1);
  });
});

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
      for (let n = 0; n < count; n += 1) watch.ran(ms);
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
