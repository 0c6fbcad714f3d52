// What a sender's report adds to the evidence: counts from points, limits of one sender and day, and rows that are written once.
import { describe, expect, it } from "vitest";
import { POWERS } from "../../src/catalogue.js";
import { type CountedPoint, contributionsOf } from "../../src/evidence/contributions.js";
import { Evidence } from "../../src/evidence/evidence.js";
import { addIndependent, emptyMoments, fromSums, growCluster, squareSum, toSums } from "../../src/evidence/moments.js";
import { FAILED, SECONDS_SUM } from "../../src/evidence/subjects.js";
import { thin } from "../../src/evidence/thin.js";
import type { Amount } from "../../src/records.js";
import { BOUNDS } from "../support/otlp.js";
import { randomOf } from "../support/random.js";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOON = 20_000 * DAY + 12 * HOUR;
const VERSION = { "ml.model.name": "digits", "ml.model.version": "1.0.0", "ml.rollout.arm": "stable" };

function point(
  name: string,
  amount: Partial<Amount>,
  attributes: Record<string, string>,
  bounds: readonly number[] = [],
): CountedPoint {
  const kind = bounds.length > 0 ? "histogram" : "counter";
  return {
    metric: { name, kind, unit: "", description: "", bounds },
    attributes: Object.entries({ ...VERSION, ...attributes }),
    amount: { count: 0, sum: 0, buckets: [], ...amount },
  };
}

const outcome = (value: string, sum: number, more: Record<string, string> = {}) =>
  point("ml.prediction.outcomes", { sum }, { "ml.prediction.outcome": value, ...more });

describe("contributions", () => {
  it("of outcomes are one cell, by epsilon, and trusted with a trusted key only", () => {
    const points = [
      outcome("correct", 3),
      outcome("incorrect", 2),
      outcome("correct", 5, { "ml.privacy.epsilon": "1" }),
    ];
    expect(contributionsOf(points, false).map(({ cell, counts }) => [cell.detail, cell.trusted, counts])).toEqual([
      ["", false, [3, 2]],
      ["1", false, [5, 0]],
    ]);
    expect(contributionsOf(points, true).every(({ cell }) => cell.trusted)).toBe(true);
  });

  it.each([
    ["no version", { "ml.model.version": "" }],
    ["an arm that does not exist", { "ml.rollout.arm": "boss" }],
    ["an outcome that does not exist", { "ml.prediction.outcome": "perhaps" }],
    ["an epsilon that is no number", { "ml.privacy.epsilon": "NaN" }],
    ["a negative epsilon", { "ml.privacy.epsilon": "-1" }],
    ["an epsilon of 1e9", { "ml.privacy.epsilon": "1e9" }],
  ])("of an outcome with %s are none", (_name, attributes) => {
    expect(contributionsOf([outcome("correct", 3, attributes)], true)).toEqual([]);
  });

  it("of predictions count buckets, failures and seconds, and not what the caller caused", () => {
    const buckets: number[] = [...BOUNDS.map((_, i) => (i === 4 ? 2 : 0)), 1];
    const run = (attributes: Record<string, string>, amount = { count: 3, sum: 500_000.03, buckets }) =>
      point("ml.inference.duration", amount, attributes, BOUNDS);
    const [ok] = contributionsOf([run({})], false);
    expect(ok?.counts.slice(0, FAILED)).toEqual(buckets);
    // Two of at most 20 ms, and one above 10.24 s, which counts as twice that.
    expect(ok?.counts[SECONDS_SUM]).toBeCloseTo(2 * 0.02 + 2 * 10.24, 9);
    expect(contributionsOf([run({ "error.type": "output_invalid" })], true)[0]).toMatchObject({
      cell: { trusted: false },
    });
    expect(contributionsOf([run({ "error.type": "output_invalid" })], false)[0]?.counts[FAILED]).toBe(3);
    for (const type of ["aborted", "input_invalid", "overloaded"])
      expect(contributionsOf([run({ "error.type": type })], false)).toEqual([]);
  });

  it("of exponential histograms are in the catalogue's buckets", () => {
    const buckets = new Array<number>(POWERS.length + 1).fill(0);
    // 2^-7 to 2^-6: 7.8 to 15.6 ms, which are both sides of 10 ms.
    buckets[14] = 100;
    const [found] = contributionsOf(
      [point("ml.inference.duration", { count: 100, sum: 1.1, buckets }, {}, POWERS)],
      false,
    );
    const counts = found?.counts.slice(0, FAILED) ?? [];
    expect(counts.reduce((sum, count) => sum + count, 0)).toBeCloseTo(100, 9);
    expect([counts[3], counts[4]].every((count) => (count ?? 0) > 10)).toBe(true);
  });
});

describe("moments", () => {
  it("have the sum of squares of the clusters, however they grew, also after they were written", () => {
    const random = randomOf(1);
    const clusters = Array.from({ length: 30 }, () => [random.below(9), random.below(9), random.below(9)]);
    const moments = emptyMoments(3);
    for (const cluster of clusters) {
      const half = cluster.map((count) => Math.floor(count / 2));
      growCluster(moments, undefined, half);
      growCluster(moments, half, cluster);
    }
    const coefficients = [0.5, -1, 2];
    const expected = clusters.reduce(
      (sum, one) => sum + one.reduce((all, count, i) => all + count * (coefficients[i] ?? 0), 0) ** 2,
      0,
    );
    expect(squareSum(fromSums(toSums(moments), 3), coefficients)).toBeCloseTo(expected, 6);
    expect(moments.clusters).toBe(30);
    const alone = emptyMoments(2);
    addIndependent(alone, [3, 4]);
    expect([alone.clusters, squareSum(alone, [1, 1]), squareSum(alone, [1, -1])]).toEqual([7, 7, 7]);
  });
});

describe("one sender", () => {
  const said = (correct: number, incorrect = 0) =>
    contributionsOf([outcome("correct", correct), outcome("incorrect", incorrect)], false);
  const totals = (evidence: Evidence) => evidence.take().rows.map(({ sums }) => sums.slice(0, 3));

  it("counts for 50 outcomes a day, thinned in proportion", () => {
    const evidence = new Evidence();
    evidence.add(said(800, 200), "192.0.2.1", NOON);
    expect(totals(evidence)).toEqual([[1, 40, 10]]);
    for (let hour = 0; hour < 12; hour += 1) evidence.add(said(1_000), "192.0.2.1", NOON + hour * HOUR);
    expect(totals(evidence).flatMap(([, correct]) => correct)).toEqual([40]);
    // The next day, and another sender.
    evidence.add(said(1_000), "192.0.2.1", NOON + DAY);
    evidence.add(said(7, 1), "192.0.2.2", NOON + DAY);
    expect(totals(evidence).at(-1)).toEqual([2, 57, 1]);
  });

  it("begins a limited number of cells, and leaves room for others", () => {
    const evidence = new Evidence();
    const inventing = (i: number) =>
      contributionsOf([outcome("correct", 1, { "ml.model.version": `9.${i}.0` })], false);
    for (let i = 0; i < 1_000; i += 1) evidence.add(inventing(i), "192.0.2.1", NOON);
    expect(evidence.take().rows).toHaveLength(150);
    evidence.add(said(1), "192.0.2.2", NOON);
    expect(evidence.take().rows).toHaveLength(151);
  });

  it("does not limit a trusted one, whose outcomes are clusters of their own", () => {
    const evidence = new Evidence();
    const trusted = contributionsOf([outcome("correct", 900), outcome("incorrect", 100)], true);
    evidence.add(trusted, "192.0.2.1", NOON);
    expect(totals(evidence)).toEqual([[1_000, 900, 100]]);
  });
});

describe("rows", () => {
  const said = contributionsOf([outcome("correct", 1)], false);

  it("are written when they changed, with all of their hour, and forgotten when the hour is over", () => {
    const evidence = new Evidence();
    evidence.add(said, "a", NOON);
    const first = evidence.take();
    expect(first.rows).toHaveLength(1);
    // Not written: they come again.
    expect(evidence.take().rows).toHaveLength(1);
    evidence.add(said, "b", NOON + 1);
    first.written();
    // What came meanwhile is not lost.
    const second = evidence.take();
    expect(second.rows[0]?.sums.slice(0, 2)).toEqual([2, 2]);
    second.written();
    expect(evidence.take().rows).toEqual([]);
    evidence.add(said, "a", NOON + HOUR);
    expect(evidence.take().rows.map(({ hour, sums }) => [hour, sums[1]])).toEqual([[NOON + HOUR, 1]]);
  });
});

describe("thinning", () => {
  it.each([
    [[10, 0, 5], 3, 100, [10, 0, 5]],
    [[10, 0, 10], 3, 10, [5, 0, 5]],
    [[1, 1, 1, 1, 1, 1], 6, 3, [1, 0, 1, 0, 1, 0]],
    [[100, 100, 60], 2, 50, [25, 25, 15]],
    [[5], 1, 0, null],
    [[5], 1, -3, null],
    [[0, 0], 2, 10, null],
  ])("of %j, %i of them counted, to %i is %j", (counts, counted, most, expected) => {
    expect(thin(counts, counted, most)).toEqual(expected);
  });

  it("keeps the total exact, whatever the counts", () => {
    const random = randomOf(2);
    for (let i = 0; i < 200; i += 1) {
      const counts = Array.from({ length: 17 }, () => random.below(1_000));
      const thinned = thin(counts, 17, 200) ?? [];
      expect(thinned.reduce((sum, count) => sum + count, 0)).toBe(200);
      expect(thinned.every((count, place) => count >= 0 && count <= (counts[place] ?? 0))).toBe(true);
    }
  });
});
