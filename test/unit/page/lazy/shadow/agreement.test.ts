// Whether two versions agree, for each kind of task.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareValues } from "../../../../../src/page/lazy/shadow/agreement.js";
import type { ClassScore, Detection } from "../../../../../src/shared/types/model.js";

const classes = (...scores: [string, number][]): ClassScore[] =>
  scores.map(([label, score], index) => ({ label, index, score }));
const found = (label: string, score: number, x: number, size = 100): Detection => ({
  label,
  index: 0,
  score,
  box: { x, y: 0, width: size, height: size },
});

describe("classification", () => {
  test("the same top label, wherever the versions list it", () => {
    const main = classes(["cat", 0.9], ["dog", 0.1]);
    const shadow = [{ label: "cat", index: 7, score: 0.6 }];
    expect(compareValues("classification", main, shadow)).toEqual({
      agrees: true,
      difference: expect.closeTo(0.3, 12),
    });
    expect(compareValues("classification", main, classes(["dog", 0.9]))).toEqual({ agrees: false, difference: 0 });
  });

  test("two that name no class agree", () => {
    expect(compareValues("classification", [], [])).toEqual({ agrees: true, difference: 0 });
    expect(compareValues("classification", [], classes(["cat", 0.5]))).toEqual({ agrees: false, difference: 0.5 });
  });
});

describe("detection", () => {
  test("boxes of the same label that overlap by half", () => {
    // Intersection 70 of a union of 130: 0.54; 60 of 140: 0.43.
    expect(compareValues("detection", [found("cup", 0.9, 0)], [found("cup", 0.8, 30)])).toEqual({
      agrees: true,
      difference: expect.closeTo(0.1, 12),
    });
    expect(compareValues("detection", [found("cup", 0.9, 0)], [found("cup", 0.8, 40)]).agrees).toBe(false);
    expect(compareValues("detection", [found("cup", 0.9, 0)], [found("cat", 0.9, 0)]).agrees).toBe(false);
  });

  test("nothing agrees with nothing", () => {
    expect(compareValues("detection", [], [])).toEqual({ agrees: true, difference: 0 });
    expect(compareValues("detection", [], [found("cup", 0.4, 0)])).toEqual({ agrees: false, difference: 0.4 });
  });

  test("three quarters of the objects are enough, and what one does not see differs by its score", () => {
    const three = [found("a", 0.9, 0), found("b", 0.9, 500), found("c", 0.9, 1_000)];
    const one = compareValues("detection", [...three, found("d", 0.4, 2_000)], three);
    expect(one).toEqual({ agrees: true, difference: expect.closeTo(0.1, 12) });
    expect(compareValues("detection", three, three.slice(0, 1)).agrees).toBe(false);
  });

  test("a box is matched once", () => {
    const twins = [found("cup", 0.9, 0), found("cup", 0.8, 5)];
    expect(compareValues("detection", twins, twins.slice(0, 1)).agrees).toBe(false);
  });

  test("property: the order of detections and of versions changes nothing", () => {
    const detection = fc
      .tuple(fc.constantFrom("a", "b"), fc.integer({ min: 1, max: 100 }), fc.integer({ min: 0, max: 9 }))
      // Far apart: each object has one possible match only.
      .map(([label, score, place]) => found(label, score / 100, place * 1_000));
    const list = fc.uniqueArray(detection, { maxLength: 8, selector: ({ label, box }) => label + box.x });
    fc.assert(
      fc.property(list, list, (a, b) => {
        const there = compareValues("detection", a, b);
        const back = compareValues("detection", [...b].reverse(), [...a].reverse());
        expect(back.agrees).toBe(there.agrees);
        expect(back.difference).toBeCloseTo(there.difference ?? -1, 12);
        expect(there.difference).toBeGreaterThanOrEqual(0);
        expect(there.difference).toBeLessThanOrEqual(1);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("numbers", () => {
  test("regression: five percent of the longer vector", () => {
    expect(compareValues("regression", [100], [95.1])).toEqual({ agrees: true });
    expect(compareValues("regression", [100], [94])).toEqual({ agrees: false });
    expect(compareValues("regression", [0], [0])).toEqual({ agrees: true });
    expect(compareValues("regression", [1], [-1])).toEqual({ agrees: false });
    expect(compareValues("regression", [1, 2], [1])).toEqual({ agrees: false });
  });

  test("embedding: the direction, not the length", () => {
    const vector = Float32Array.of(1, 2, 3);
    expect(
      compareValues(
        "embedding",
        vector,
        vector.map((value) => value * 7),
      ).agrees,
    ).toBe(true);
    expect(compareValues("embedding", vector, Float32Array.of(-1, -2, -3)).agrees).toBe(false);
    expect(compareValues("embedding", Float32Array.of(0, 0), Float32Array.of(0, 0)).agrees).toBe(true);
    expect(compareValues("embedding", Float32Array.of(0, 0), Float32Array.of(1, 0)).agrees).toBe(false);
    expect(compareValues("embedding", vector, Float32Array.of(1, 2)).agrees).toBe(false);
  });

  test("ranking: the same first candidate", () => {
    const first = (index: number) => [{ index, score: 1 }];
    expect(compareValues("ranking", first(3), first(3)).agrees).toBe(true);
    expect(compareValues("ranking", first(3), first(4)).agrees).toBe(false);
  });

  test("raw: each output, infinite values included", () => {
    const outputs = (...data: number[]) => ({
      mask: { data: Float32Array.from(data), shape: [data.length], dtype: "float32" as const },
    });
    expect(compareValues("raw", outputs(1, 2), outputs(1.01, 2)).agrees).toBe(true);
    expect(compareValues("raw", outputs(1, 2), outputs(2, 2)).agrees).toBe(false);
    const low = Number.NEGATIVE_INFINITY;
    expect(compareValues("raw", outputs(1, low), outputs(1, low)).agrees).toBe(true);
    expect(compareValues("raw", outputs(1, low), outputs(1, 5)).agrees).toBe(false);
    expect(compareValues("raw", outputs(1), {}).agrees).toBe(false);
  });
});

test("versions of different tasks do not agree", () => {
  expect(compareValues("classification", [], [], "detection")).toEqual({ agrees: false });
});
