// Crashes of the page: which backends they are counted for, for how long, and what is not a crash.
import { describe, expect, test } from "vitest";
import { createCrashSentinel, createLivenessCheck } from "../../../../../src/worker/runtime/session/crash-sentinel.js";
import type { TuningCache } from "../../../../../src/worker/runtime/tuning/tuning-cache.js";

/** A cache in memory that returns copies, as IndexedDB does. */
function memoryCache(): TuningCache & { rows: Map<string, unknown> } {
  const rows = new Map<string, unknown>();
  return {
    rows,
    read: async (kind) => structuredClone(rows.get(kind)),
    write: async (kind, value) => void rows.set(kind, structuredClone(value)),
  };
}

const HOUR = 3600 * 1000;

describe("crashes", () => {
  /** Visits one after the other; each ends by a crash while a backend is at work, or in peace. */
  function visits() {
    const cache = memoryCache();
    let now = 1e12;
    let count = 0;
    const living = new Set<string>();
    const visit = () => {
      count += 1;
      const workerId = `visit ${count}`;
      living.add(workerId);
      const sentinel = createCrashSentinel(
        cache,
        workerId,
        async (by) => living.has(by),
        () => now,
      );
      return { sentinel, crash: () => void living.delete(workerId) };
    };
    return {
      cache,
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

  test("of a version they are counted on all backends, once for each page", async () => {
    const cache = memoryCache();
    const living = new Set<string>();
    const page = async (id: string, ...backends: ("webgpu" | "wasm")[]) => {
      for (const [n, backend] of backends.entries())
        await createCrashSentinel(cache, `${id}/${n}`, async () => false).begin(backend);
    };
    const sentinel = createCrashSentinel(cache, "now/0", async (by) => living.has(by));
    expect(await sentinel.crashes()).toBe(0);
    await page("a", "webgpu", "wasm");
    expect(await sentinel.crashes()).toBe(1);
    await page("b", "wasm");
    expect(await sentinel.crashes()).toBe(2);
    living.add("c/0");
    await page("c", "wasm");
    expect(await sentinel.crashes()).toBe(2);
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
    const { cache, visit } = visits();
    const done = visit();
    await done.sentinel.begin("wasm");
    await done.sentinel.end();
    done.crash();
    const living = [visit(), visit(), visit()];
    for (const { sentinel } of living) await sentinel.begin("wasm");
    expect(await visit().sentinel.refused()).toEqual([]);
    for (const { crash } of living) crash();
    const closed = ["visit 2", "visit 3", "visit 4"];
    expect(await createCrashSentinel(cache, "me", createLivenessCheck(closed)).refused()).toEqual([]);
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
    const { cache, visit } = visits();
    cache.rows.set("crashes", [null, 3, { backend: 1 }, { at: "x" }]);
    const { sentinel } = visit();
    expect(await sentinel.refused()).toEqual([]);
    await sentinel.begin("cpu");
    expect(cache.rows.get("crashes")).toHaveLength(1);
  });
});
