// From raw outputs to values: scores in order, boxes in the photo's pixels, one box an object.
import fc from "fast-check";
import { expect, test } from "vitest";
import type { DetectionTask } from "../../../../src/shared/types/manifest.js";
import type { Detection } from "../../../../src/shared/types/model.js";
import type { TensorData } from "../../../../src/shared/types/tensor.js";
import {
  assertFinite,
  classes,
  detections,
  overlap,
  softmax,
  suppress,
} from "../../../../src/worker/runtime/outputs.js";

const tensor = (values: number[], shape: number[]): TensorData => ({
  data: Float32Array.from(values),
  shape,
  dtype: "float32",
});
const task: DetectionTask = {
  kind: "detection",
  labels: ["cat", "dog"],
  columns: ["left", "top", "right", "bottom", "score", "class"],
};

test("classes come best first, with their labels", () => {
  const value = classes({ kind: "classification", labels: ["a", "b", "c"], top: 2 }, tensor([0.1, 0.2, 0.7], [1, 3]));
  expect(value.map(({ label, index }) => [label, index])).toEqual([
    ["c", 2],
    ["b", 1],
  ]);
});

test("softmax adds up to 1 for any logits, also ones that overflow exp", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 50 }),
      (logits) => {
        const scores = softmax(logits);
        expect(scores.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 6);
        expect(scores.every((score) => score >= 0)).toBe(true);
      },
    ),
  );
});

test("boxes are in the pixels of the photo, cut off at its edges", () => {
  // A photo of 200 x 100 in an input of 100 x 100: half as large, 25 pixels from the top.
  const placement = { scaleX: 0.5, scaleY: 0.5, offsetX: 0, offsetY: 25, width: 200, height: 100 };
  const rows = [10, 35, 30, 55, 0.9, 0, -20, 0, 20, 50, 0.8, 1, 10, 0, 20, 20, 0.7, 0, 0, 30, 10, 40, 0.2, 0];
  const found = detections(task, tensor(rows, [1, 4, 6]), placement);
  expect(found).toEqual([
    { label: "cat", index: 0, score: expect.closeTo(0.9), box: { x: 20, y: 20, width: 40, height: 40 } },
    { label: "dog", index: 1, score: expect.closeTo(0.8), box: { x: 0, y: 0, width: 40, height: 50 } },
    // The third lies in the border, the fourth is under the least score.
  ]);
});

test("the order of the columns is the manifest's", () => {
  const swapped: DetectionTask = { ...task, columns: ["class", "score", "top", "left", "bottom", "right"] };
  const [found] = detections(swapped, tensor([1, 0.5, 1, 2, 11, 22], [1, 1, 6]));
  expect(found).toMatchObject({ label: "dog", box: { x: 2, y: 1, width: 20, height: 10 } });
});

const at = (x: number, y: number, size: number, score: number, index = 0): Detection => ({
  label: "",
  index,
  score,
  box: { x, y, width: size, height: size },
});

test("of boxes on one object the best stays; other classes and other places are kept", () => {
  const kept = suppress([at(1, 0, 10, 0.5), at(0, 0, 10, 0.9), at(0, 0, 10, 0.6, 1), at(50, 0, 10, 0.3)], 0.5);
  expect(kept.map(({ score }) => score)).toEqual([0.9, 0.6, 0.3]);
});

test("what is kept never overlaps more than allowed", () => {
  const box = fc.record({
    x: fc.nat(50),
    y: fc.nat(50),
    size: fc.integer({ min: 1, max: 50 }),
    score: fc.float({ min: 0, max: 1, noNaN: true }),
    index: fc.nat(2),
  });
  fc.assert(
    fc.property(fc.array(box, { maxLength: 40 }), fc.float({ min: 0, max: 1, noNaN: true }), (boxes, most) => {
      const kept = suppress(
        boxes.map(({ x, y, size, score, index }) => at(x, y, size, score, index)),
        most,
      );
      for (const a of kept)
        for (const b of kept)
          if (a !== b && a.index === b.index) expect(overlap(a.box, b.box)).toBeLessThanOrEqual(most);
      expect(kept.length > 0).toBe(boxes.length > 0);
    }),
  );
});

test("overlap is intersection over union", () => {
  expect(overlap({ x: 0, y: 0, width: 10, height: 10 }, { x: 5, y: 0, width: 10, height: 10 })).toBeCloseTo(1 / 3);
  expect(overlap({ x: 0, y: 0, width: 10, height: 10 }, { x: 10, y: 0, width: 10, height: 10 })).toBe(0);
});

test("NaN and infinity in an output are told by name", () => {
  expect(() => assertFinite({ scores: tensor([1, Number.NaN], [2]) }, "wasm")).toThrow(/scores holds NaN at 1/);
  expect(() => assertFinite({ scores: tensor([Number.POSITIVE_INFINITY], [1]) }, "wasm")).toThrow(/Infinity/);
});

test("only the classes of the given labels are listed, with the scores that they have among all", () => {
  const three = { kind: "classification", labels: ["a", "b", "c"], activation: "softmax" } as const;
  const output = tensor([1, 2, 3], [1, 3]);
  const task = { ...three, labels: [...three.labels] };
  const all = classes(task, output);
  expect(classes(task, output, new Set(["a", "b"]))).toEqual(all.filter(({ label }) => label !== "c"));
});

test("only detections of the given labels are returned", () => {
  const rows = [0, 0, 10, 10, 0.9, 0, 20, 20, 30, 30, 0.8, 1];
  const found = detections(task, tensor(rows, [1, 2, 6]), undefined, new Set(["dog"]));
  expect(found.map(({ label }) => label)).toEqual(["dog"]);
});
