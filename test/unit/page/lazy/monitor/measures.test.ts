// The measures of accuracy against values that others computed, and what must hold of them for any input.
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { accuracyReport } from "../../../../../src/page/lazy/monitor/accuracy-report.js";
import { brier, ece, eceEqualMass, logLoss, mce } from "../../../../../src/page/lazy/monitor/calibration.js";
import { estimateAccuracy, estimateBinary } from "../../../../../src/page/lazy/monitor/estimate.js";
import { wilsonInterval } from "../../../../../src/shared/wilson-interval.js";

const golden = JSON.parse(readFileSync(new URL("../../../../fixtures/monitoring.json", import.meta.url), "utf8")) as {
  calibration: { y: number[]; p: number[] } & Record<string, number>;
  cbpe_binary: { p: number[]; threshold: number } & Record<string, number>;
  wilson95: { k: number; n: number; ci: [number, number] }[];
};
const close = (actual: number, expected: number | undefined) =>
  expect(Math.abs(actual - (expected as number))).toBeLessThan(1e-9);

describe("golden values", () => {
  const { y, p, ...calibration } = golden.calibration;
  it("Brier", () => close(brier(y, p), calibration.brier));
  it("log-loss", () => close(logLoss(y, p), calibration.logloss));
  it("ECE of 10 bins", () => close(ece(y, p), calibration.ece10_equal_width));
  it("ECE of 5 bins", () => close(ece(y, p, 5), calibration.ece5_equal_width));
  it("MCE of 10 bins", () => close(mce(y, p), calibration.mce10));
  it("ECE of 4 bins of equal mass", () => close(eceEqualMass(y, p, 4), calibration.ece4_equal_mass_nannyml));

  const { p: probabilities, threshold, ...expected } = golden.cbpe_binary;
  const estimate = estimateBinary(probabilities, threshold);
  it.each([
    ["tp", "TP"],
    ["fp", "FP"],
    ["fn", "FN"],
    ["tn", "TN"],
    ["accuracy", "accuracy"],
    ["precision", "precision"],
    ["recall", "recall"],
    ["f1", "f1"],
    ["auroc", "auroc"],
  ] as const)("CBPE %s", (ours, theirs) => close(estimate[ours], expected[theirs]));

  it("the accuracy that the truths tell", () => {
    const outcomes = probabilities.map((probability, i) => {
      const [predicted, truth] = [probability >= threshold ? 1 : 0, y[i] as number];
      const confidence = Math.max(probability, 1 - probability);
      const score = predicted === truth ? 1 : 0;
      return {
        id: `${i}`,
        model: "m",
        version: "1",
        arm: "stable",
        class: predicted,
        confidence,
        time: i,
        truth: { score, class: truth },
      };
    });
    const [version] = accuracyReport(outcomes, 100);
    close(version?.accuracy as number, expected.realized_accuracy);
    // The estimate without truths, by the probability of the predicted class.
    close(version?.estimate?.accuracy as number, expected.accuracy);
  });

  it.each(golden.wilson95)("Wilson $k of $n", ({ k, n, ci }) => {
    const [low, high] = wilsonInterval(k, n);
    close(low, ci[0]);
    close(high, ci[1]);
  });
  it("Wilson of the research's other values", () => {
    expect(wilsonInterval(950, 1000).map((end) => end.toFixed(4))).toEqual(["0.9347", "0.9619"]);
    expect(wilsonInterval(0, 20).map((end) => end.toFixed(4))).toEqual(["0.0000", "0.1611"]);
  });
});

const pairs = fc.array(fc.tuple(fc.constantFrom(0, 1), fc.double({ min: 0, max: 1, noNaN: true })), {
  minLength: 1,
  maxLength: 100,
});

test("whatever comes, the measures keep within their bounds", () => {
  fc.assert(
    fc.property(pairs, fc.integer({ min: 1, max: 20 }), (given, bins) => {
      const truths = given.map(([truth]) => truth);
      const confidences = given.map(([, p]) => p);
      for (const value of [
        brier(truths, confidences),
        ece(truths, confidences, bins),
        mce(truths, confidences, bins),
        eceEqualMass(truths, confidences, bins),
      ]) {
        expect(value).toBeGreaterThanOrEqual(0);
        expect(value).toBeLessThanOrEqual(1);
      }
      expect(Number.isFinite(logLoss(truths, confidences))).toBe(true);
      expect(ece(truths, confidences, bins)).toBeLessThanOrEqual(mce(truths, confidences, bins) + 1e-12);
      const { tp, fp, fn, tn, accuracy } = estimateBinary(confidences);
      expect(tp + fp + fn + tn).toBeCloseTo(given.length, 9);
      // It cannot say less than a half: that is what it predicts by.
      expect(accuracy).toBeGreaterThanOrEqual(0.5 - 1e-9);
      const estimate = estimateAccuracy(confidences);
      expect(estimate.standardError).toBeLessThanOrEqual(0.5 / Math.sqrt(given.length) + 1e-12);
    }),
  );
});

test("Wilson's interval holds the share, lies in 0 to 1, and narrows with more", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5000 }), fc.double({ min: 0, max: 1, noNaN: true }), (n, share) => {
      const k = Math.round(share * n);
      const [low, high] = wilsonInterval(k, n);
      expect(low).toBeGreaterThanOrEqual(0);
      expect(high).toBeLessThanOrEqual(1);
      expect(low - 1e-12).toBeLessThanOrEqual(k / n);
      expect(high + 1e-12).toBeGreaterThanOrEqual(k / n);
      const [wider, than] = wilsonInterval(k * 4, n * 4);
      expect(than - wider).toBeLessThan(high - low);
    }),
  );
  expect(wilsonInterval(0, 0)).toEqual([0, 1]);
});

test("an ECE's bin holds its upper border and not its lower one, also where a border is no exact number", () => {
  for (let bins = 1; bins <= 20; bins += 1)
    for (let bin = 0; bin < bins; bin += 1) {
      const upper = (bin + 1) / bins;
      // One at the border, one just over it: in one bin only if the border were open.
      const over = Math.min(1, upper + 1e-9);
      const gaps = ece([1, 0], [upper, over], bins);
      const apart = bin < bins - 1;
      expect(gaps).toBeCloseTo(apart ? (Math.abs(1 - upper) + over) / 2 : Math.abs(0.5 - (upper + over) / 2), 6);
    }
});

test("of nothing they are NaN, not a number that looks like one", () => {
  for (const value of [
    brier([], []),
    logLoss([], []),
    ece([], []),
    mce([], []),
    eceEqualMass([], [], 4),
    estimateAccuracy([]).accuracy,
  ])
    expect(value).toBeNaN();
});

test("the estimate of several classes is the mean of what was said of the predicted one", () => {
  const estimate = estimateAccuracy([0.9, 0.5, 0.6, 0.7, 0.6]);
  expect(estimate.accuracy).toBeCloseTo(0.66, 12);
  expect(estimate.n).toBe(5);
});
