// The heads of personal models: nearest mean, softmax layer, novelty threshold, hold-out, evaluation.
import "@tensorflow/tfjs-backend-cpu";
import { memory, setBackend } from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { seeded } from "../../../../models/digits/augment.js";
import { evaluate, measureAccuracy } from "../../../../src/worker/personal/evaluate.js";
import { applyHead, type Sample } from "../../../../src/worker/personal/head.js";
import { holdOut, stopSplit } from "../../../../src/worker/personal/hold-out.js";
import { fitNearestMean } from "../../../../src/worker/personal/nearest-mean.js";
import { noveltyThresholds, studentPoint } from "../../../../src/worker/personal/novelty.js";
import { fitSoftmax, type TrainingBackend } from "../../../../src/worker/personal/softmax-head.js";
import { unit } from "../../../../src/worker/personal/vector-math.js";
import type { Scheduler } from "../../../../src/worker/runtime/scheduling/scheduler.js";

const SIZE = 24;
const LABELS = ["a", "b", "c"];

/** Points around one direction a class; the larger the spread, the more they overlap. */
function samples(counts: number[], spread: number, seed: number): Sample[] {
  const random = seeded(seed);
  const normal = () => Math.sqrt(-2 * Math.log(random() || 1e-9)) * Math.cos(2 * Math.PI * random());
  return counts.flatMap((count, index) =>
    Array.from({ length: count }, () => ({
      class: index,
      vector: unit(Array.from({ length: SIZE }, (_, at) => (at % 3 === index ? 1 : 0) + spread * normal())),
    })),
  );
}

const labelled = (all: Sample[]) => all.map(({ vector, class: index }) => ({ vector, label: LABELS[index] as string }));

const scheduler = { runExclusive: (run: () => Promise<unknown>) => run() } as Scheduler;
const backend = (over: Partial<TrainingBackend> = {}): TrainingBackend => ({
  lease: { target: { backend: "cpu" }, run: (step) => step(), end: () => undefined },
  scheduler,
  signal: new AbortController().signal,
  deadline: performance.now() + 60_000,
  onProgress: () => undefined,
  ...over,
});

describe("the nearest mean", () => {
  it("separates distant classes with one example of each", () => {
    const head = fitNearestMean(samples([1, 1, 1], 0.05, 1), LABELS, SIZE);
    const { correct, examples } = measureAccuracy(head, labelled(samples([20, 20, 20], 0.05, 2)));
    expect([correct, examples]).toEqual([60, 60]);
    expect([...head.limits]).toEqual([Infinity, Infinity, Infinity]);
  });

  it("has calibrated scores", () => {
    const head = fitNearestMean(samples([40, 40, 40], 0.9, 3), LABELS, SIZE);
    const fresh = samples([200, 200, 200], 0.9, 4);
    const outputs = fresh.map(({ vector, class: truth }) => ({ ...applyHead(head, vector), truth }));
    const mean = outputs.reduce((sum, { scores, class: best }) => sum + (scores[best] as number), 0) / outputs.length;
    const right = outputs.filter(({ class: best, truth }) => best === truth).length / outputs.length;
    expect(right).toBeLessThan(0.99);
    expect(Math.abs(mean - right)).toBeLessThan(0.06);
  });

  it("does not depend on the length of embeddings", () => {
    const head = fitNearestMean(samples([5, 5, 5], 0.3, 5), LABELS, SIZE);
    const [{ vector } = { vector: new Float32Array(SIZE) }] = samples([1, 0, 0], 0.3, 6);
    const long = vector.map((value) => value * 1000);
    expect(applyHead(head, long).distance).toBeCloseTo(applyHead(head, vector).distance, 4);
  });
});

describe("the softmax layer", () => {
  beforeAll(() => setBackend("cpu"));

  it("separates classes whose means are close", async () => {
    const random = seeded(7);
    const make = (): Sample[] =>
      Array.from({ length: 120 }, (_, index) => {
        const [x, y] = [random() * 2 - 1, random() * 2 - 1];
        // Beside a wide axis that both classes share, a narrow one that separates them.
        return { class: y > 0 ? 1 : 0, vector: unit([3 * x, y * 0.5 + (y > 0 ? 0.2 : -0.2), 1, index % 2]) };
      });
    const nearest = fitNearestMean(make(), ["down", "up"], 4);
    const softmax = await fitSoftmax(make(), nearest, backend());
    const fresh = make().map(({ vector, class: index }) => ({ vector, label: ["down", "up"][index] as string }));
    expect(measureAccuracy(softmax, fresh).correct).toBeGreaterThanOrEqual(measureAccuracy(nearest, fresh).correct);
    expect(measureAccuracy(softmax, fresh).accuracy).toBeGreaterThan(0.95);
  });

  it("weights classes equally, however many examples they have", async () => {
    const few = samples([60, 3, 3], 0.5, 8);
    const softmax = await fitSoftmax(few, fitNearestMean(few, LABELS, SIZE), backend());
    const fresh = labelled(samples([50, 50, 50], 0.5, 9));
    const rows = [0, 1, 2].map(
      (index) => measureAccuracy(softmax, fresh.slice(index * 50, index * 50 + 50)).accuracy ?? 0,
    );
    for (const accuracy of rows) expect(accuracy).toBeGreaterThan(0.7);
  });

  it("leaks no tensor, also when it is aborted", async () => {
    const some = samples([12, 12, 12], 0.4, 10);
    const nearest = fitNearestMean(some, LABELS, SIZE);
    const before = memory().numTensors;
    await fitSoftmax(some, nearest, backend());
    expect(memory().numTensors).toBe(before);
    const controller = new AbortController();
    const aborted = fitSoftmax(
      some,
      nearest,
      backend({ signal: controller.signal, onProgress: () => controller.abort() }),
    );
    await expect(aborted).rejects.toMatchObject({ code: "aborted" });
    expect(memory().numTensors).toBe(before);
  });

  it("stops early, and keeps its best weights at the deadline", async () => {
    const steps: number[] = [];
    const some = samples([12, 12, 12], 0.4, 11);
    const nearest = fitNearestMean(some, LABELS, SIZE);
    await fitSoftmax(some, nearest, backend({ onProgress: ({ done }) => steps.push(done) }));
    expect(Math.max(...steps)).toBeLessThan(300);
    const late = await fitSoftmax(some, nearest, backend({ deadline: 0 }));
    expect(measureAccuracy(late, labelled(samples([20, 20, 20], 0.4, 12))).accuracy).toBeGreaterThan(0.8);
  });
});

describe("the novelty threshold", () => {
  /** Shares of a class's own inputs that are unknown, for each of 60 draws of the examples. */
  const ownUnknown = (spread: number, each: number) =>
    Array.from({ length: 60 }, (_, seed) => {
      const head = fitNearestMean(samples([each, each, each], spread, 100 + seed), LABELS, SIZE);
      const own = samples([20, 20, 20], spread, 500 + seed);
      return own.filter(({ vector }) => applyHead(head, vector).distance > 1).length / own.length;
    });
  const mean = (shares: number[]) => shares.reduce((sum, share) => sum + share, 0) / shares.length;

  it("reports about 5 % of a class's own inputs as unknown where classes overlap, over many draws", () => {
    const share = mean(ownUnknown(1, 8));
    expect(share).toBeGreaterThan(0.01);
    expect(share).toBeLessThan(0.1);
  });

  it.each([4, 6, 8])(
    "reports at most 2 % where classes are far apart, and at most a tenth in the worst of 60 draws: %i of each",
    (each) => {
      const shares = ownUnknown(0.3, each);
      expect(mean(shares)).toBeLessThan(0.02);
      expect(Math.max(...shares)).toBeLessThan(0.1);
    },
  );

  it("reports inputs between two classes that are far apart as unknown", () => {
    const [a, b] = [samples([8, 0, 0], 0.1, 21), samples([0, 8, 0], 0.1, 22)];
    const head = fitNearestMean([...a, ...b], LABELS.slice(0, 2), SIZE);
    const between = a.map(({ vector }, index) => unit(vector.map((value, at) => value + (b[index]?.vector[at] ?? 0))));
    expect(between.filter((vector) => applyHead(head, vector).distance > 1).length).toBe(8);
  });

  it("keeps to 5 % where only one class is known, since nothing says how near strangers are", () => {
    const one = samples([8, 0, 0], 0.3, 23);
    const alone = fitNearestMean(one, ["a"], SIZE).limits[0] as number;
    const both = fitNearestMean([...one, ...samples([0, 8, 0], 0.3, 24)], ["a", "b"], SIZE).limits[0] as number;
    expect(alone).toBeLessThan(both);
  });

  it("reports inputs of another direction as unknown", () => {
    const head = fitNearestMean(samples([8, 8, 0], 0.3, 13), LABELS.slice(0, 2), SIZE);
    const others = samples([0, 0, 50], 0.3, 14).filter(({ vector }) => applyHead(head, vector).distance > 1);
    expect(others.length).toBeGreaterThanOrEqual(48);
  });

  it("uses quantiles of Student's t that match the tables", () => {
    // Abramowitz & Stegun, table 26.10, one-sided 95 %.
    for (const [freedom, point] of [
      [1, 6.314],
      [2, 2.92],
      [3, 2.353],
      [5, 2.015],
      [10, 1.812],
      [30, 1.697],
      [120, 1.658],
    ] as const)
      expect(studentPoint(freedom)).toBeCloseTo(point, 1);
    expect([...noveltyThresholds([], 2)]).toEqual([Infinity, Infinity]);
  });
});

describe("the hold-out", () => {
  it("takes one of four examples of each class, never one of the first three, and keeps its choice", () => {
    const arbitrary = fc.array(fc.constantFrom("x", "y", "z"), { maxLength: 60 });
    fc.assert(
      fc.property(arbitrary, fc.nat(60), (labels, cut) => {
        const all = labels.map((label, index) => ({ id: String(index), label }));
        const before = holdOut(all.slice(0, cut));
        const seen = all.slice(0, cut).map((one) => ({ ...one, heldOut: before.has(one.id) }));
        const after = holdOut([...seen, ...all.slice(cut)]);
        for (const one of seen) expect(after.has(one.id)).toBe(one.heldOut);
        for (const label of ["x", "y", "z"]) {
          const mine = all.filter((one) => one.label === label);
          expect(mine.filter(({ id }) => after.has(id)).length).toBe(Math.floor(mine.length / 4));
          for (const { id } of mine.slice(0, 3)) expect(after.has(id)).toBe(false);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("takes every fourth sample of a class for early stopping", () => {
    expect(stopSplit([0, 0, 0, 0, 1, 1, 1, 0])).toEqual([false, false, false, true, false, false, false, false]);
  });
});

describe("the evaluation", () => {
  it("counts unknown examples as wrong, and lists classes that the head does not have", () => {
    const head = fitNearestMean(samples([8, 8, 0], 0.2, 15), LABELS.slice(0, 2), SIZE);
    const evaluation = evaluate(head, 3, labelled(samples([10, 10, 10], 0.2, 16)));
    expect(evaluation.labels).toEqual(["a", "b", "c"]);
    expect(evaluation.examples).toBe(30);
    expect(evaluation.unknown).toBeGreaterThanOrEqual(9);
    const cells = evaluation.confusion.reduce((sum, { count }) => sum + count, 0);
    expect(cells + evaluation.unknown).toBe(30);
    const diagonal = evaluation.confusion.filter(({ truth, predicted }) => truth === predicted);
    expect(diagonal.reduce((sum, { count }) => sum + count, 0)).toBe(evaluation.correct);
  });

  it("has no accuracy without examples", () => {
    const head = fitNearestMean(samples([2, 2, 2], 0.2, 17), LABELS, SIZE);
    expect(measureAccuracy(head, [])).toEqual({ examples: 0, correct: 0, interval: [0, 1], loss: 0 });
  });
});
