// When the shadow predicts, what it counts, and that it never holds more than one input.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  type ComparisonDeps,
  Comparisons,
  type ShadowComparison,
  type ShadowModel,
} from "../../../../../src/page/lazy/shadow/comparisons.js";
import type { ModelRef } from "../../../../../src/shared/types/model.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const REF: ModelRef = { name: "digits", version: "2.0.0", release: 2, digest: "d" };
const says = (label: string, score: number) => [{ label, index: 0, score }];
const MAIN = { value: says("3", 0.9), task: "classification" as const, workMs: 10 };

interface Copy {
  input: number;
}

function setUp(changes: Partial<ComparisonDeps<Copy>> = {}, predict?: ShadowModel<Copy>["predict"]) {
  const state = { busy: false, problem: undefined as string | undefined, opened: 0, disposed: 0 };
  const records: ShadowComparison[] = [];
  const freed: number[] = [];
  const predicted: number[] = [];
  const shadow = new Comparisons<Copy>({
    share: 1,
    async open() {
      state.opened += 1;
      return {
        ref: REF,
        task: "classification",
        async predict(copy) {
          predicted.push(copy.input);
          return predict ? predict(copy) : { value: says("3", 0.8), workMs: 15 };
        },
        async dispose() {
          state.disposed += 1;
        },
      };
    },
    isBusy: () => state.busy,
    conditions: { problem: () => state.problem },
    free: (copy) => void freed.push(copy.input),
    record: (comparison) => void records.push(comparison),
    ...changes,
  });
  /** One prediction of the main version, and time for the shadow. */
  const predictOnce = async (input: number, main: typeof MAIN | undefined = MAIN) => {
    const end = shadow.started(async () => ({ input }));
    shadow.ended();
    end?.(main);
    await vi.advanceTimersByTimeAsync(3_000);
    return end !== undefined;
  };
  return { shadow, state, records, freed, predicted, predictOnce };
}

describe("loading", () => {
  test("waits for a page that rests, and no input is copied before", async () => {
    const { shadow, state, predictOnce, predicted } = setUp();
    state.busy = true;
    expect(await predictOnce(1)).toBe(false);
    expect(state.opened).toBe(0);
    state.busy = false;
    shadow.ended();
    await vi.advanceTimersByTimeAsync(1_000);
    // The note of what ran last is not removed yet.
    expect(state.opened).toBe(0);
    await vi.advanceTimersByTimeAsync(500);
    expect(state.opened).toBe(1);
    expect(shadow.counts().status).toBe("on");
    expect(predicted).toEqual([]);
  });

  test("is tried again by later predictions where the page never rested", async () => {
    const { shadow, state } = setUp();
    state.busy = true;
    shadow.ended();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(shadow.counts().status).toBe("waiting");
    state.busy = false;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(state.opened).toBe(0);
    shadow.ended();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(state.opened).toBe(1);
  });

  test("never on a device that should not", async () => {
    const { state, predictOnce } = setUp();
    state.problem = "the battery is low";
    await predictOnce(1);
    expect(state.opened).toBe(0);
  });

  test("that fails ends the shadow", async () => {
    const { shadow, predictOnce } = setUp({ open: () => Promise.reject(new Error("no such package")) });
    await predictOnce(1);
    await predictOnce(2);
    expect(shadow.counts()).toMatchObject({ status: "off", problem: "it could not be loaded: no such package" });
  });

  test("that ends after the model was disposed leaves nothing open", async () => {
    const { shadow, state } = setUp();
    shadow.ended();
    await vi.advanceTimersByTimeAsync(1_150);
    shadow.dispose();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(state).toMatchObject({ opened: 0, disposed: 0 });
  });
});

describe("comparing", () => {
  test("records agreement, difference and slowdown", async () => {
    const { predictOnce, records, shadow } = setUp();
    await predictOnce(1);
    await predictOnce(2);
    expect(records).toEqual([{ model: REF, result: "agree", difference: expect.closeTo(0.1, 12), slowdown: 1.5 }]);
    expect(shadow.counts()).toMatchObject({ status: "on", agreed: 1, disagreed: 0, failed: 0, dropped: 0 });
    await predictOnce(3, { ...MAIN, value: says("8", 0.9) });
    expect(shadow.counts()).toMatchObject({ agreed: 1, disagreed: 1 });
  });

  test("takes its share of the inputs", async () => {
    const draws = [0.05, 0.5, 0.09, 0.1];
    const { predictOnce, predicted } = setUp({ share: 0.1, random: () => draws.shift() ?? 1 });
    await predictOnce(0);
    for (const input of [1, 2, 3, 4]) await predictOnce(input);
    expect(predicted).toEqual([1, 3]);
  });

  test("holds one input at a time, and drops it where the page does not rest", async () => {
    const { shadow, state, predictOnce, freed, predicted } = setUp();
    await predictOnce(0);
    state.busy = true;
    shadow.started(async () => ({ input: 1 }))?.(MAIN);
    expect(shadow.started(async () => ({ input: 2 }))).toBeUndefined();
    await vi.advanceTimersByTimeAsync(9_000);
    expect(freed).toEqual([]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect({ freed, predicted }).toEqual({ freed: [1], predicted: [] });
    expect(shadow.counts().dropped).toBe(1);
    state.busy = false;
    expect(await predictOnce(3)).toBe(true);
    expect(predicted).toEqual([3]);
  });

  test("forgets what the main version could not predict, and what cannot be copied", async () => {
    const { shadow, predictOnce, freed, predicted, records } = setUp();
    await predictOnce(0);
    shadow.started(async () => ({ input: 1 }))?.(undefined);
    await vi.advanceTimersByTimeAsync(0);
    shadow.started(() => Promise.reject(new Error("detached")))?.(MAIN);
    await vi.advanceTimersByTimeAsync(3_000);
    expect({ freed, predicted, records }).toEqual({ freed: [1], predicted: [], records: [] });
    expect(await predictOnce(2)).toBe(true);
  });

  test("counts failures, and gives up after five in a row", async () => {
    let isBroken = true;
    const { shadow, state, records, predictOnce } = setUp({}, async () => {
      if (isBroken) throw new Error("NaN");
      return { value: says("3", 0.9), workMs: 10 };
    });
    await predictOnce(0);
    for (let n = 0; n < 4; n += 1) await predictOnce(n);
    isBroken = false;
    await predictOnce(4);
    isBroken = true;
    for (let n = 0; n < 4; n += 1) await predictOnce(n);
    expect(shadow.counts()).toMatchObject({ status: "on", failed: 8, agreed: 1 });
    await predictOnce(5);
    expect(shadow.counts()).toMatchObject({
      status: "off",
      failed: 9,
      problem: "5 predictions in a row failed, the last one: NaN",
    });
    expect(records.filter(({ result }) => result === "failed")).toHaveLength(9);
    expect(await predictOnce(6)).toBe(false);
    expect(state.disposed).toBe(1);
  });

  test("says nothing after its end", async () => {
    let finish: (value: Awaited<ReturnType<ShadowModel<Copy>["predict"]>>) => void = () => undefined;
    const { shadow, records, predictOnce } = setUp(
      {},
      () =>
        new Promise((resolve) => {
          finish = resolve;
        }),
    );
    await predictOnce(0);
    await predictOnce(1);
    shadow.giveUp("the device ran out of memory");
    finish({ value: says("3", 0.9), workMs: 1 });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(records).toEqual([]);
    expect(shadow.counts()).toMatchObject({ status: "off", problem: "the device ran out of memory" });
  });
});
