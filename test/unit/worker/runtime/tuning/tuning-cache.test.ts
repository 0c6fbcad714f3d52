// The stored choice of a target: it holds in its environment only, and damaged values are ignored.
import { describe, expect, test } from "vitest";
import {
  type Choice,
  forget,
  recall,
  remember,
  type TuningCache,
} from "../../../../../src/worker/runtime/tuning/tuning-cache.js";

/** A cache in memory that returns copies, as IndexedDB does. */
function memoryCache(): TuningCache & { rows: Map<string, unknown> } {
  const rows = new Map<string, unknown>();
  return {
    rows,
    read: async (kind) => structuredClone(rows.get(kind)),
    write: async (kind, value) => void rows.set(kind, structuredClone(value)),
  };
}

describe("the choice", () => {
  const choice: Choice = {
    environment: "this browser",
    target: { backend: "wasm", threads: 2 },
    measured: [{ backend: "wasm", threads: 2, p50Ms: 3 }],
    refused: [],
    chosenAt: Date.now(),
  };

  test("is recalled in the same environment only, until it is forgotten", async () => {
    const cache = memoryCache();
    await remember(cache, choice);
    expect(await recall(cache, "this browser")).toEqual(choice);
    expect(await recall(cache, "the next version of it")).toBeUndefined();
    await forget(cache);
    expect(await recall(cache, "this browser")).toBeUndefined();
  });

  test.each([
    ["a month and a day old", -31 * 24 * 3600e3],
    ["from a clock that was put back since", 3600e3],
  ])("is made anew when it is %s", async (_, shift) => {
    const cache = memoryCache();
    await remember(cache, { ...choice, chosenAt: Date.now() + shift });
    expect(await recall(cache, "this browser")).toBeUndefined();
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
    const cache = memoryCache();
    cache.rows.set("choice", value);
    expect(await recall(cache, "this browser")).toBeUndefined();
  });
});
