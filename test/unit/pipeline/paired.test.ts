// The comparison of two versions: McNemar's exact test against known values, and when a version may be published.
import { expect, it } from "vitest";
import { verdict } from "../../../pipeline/steps/evaluate.js";
import { comparePaired, mcnemar, type PairedResult } from "../../../pipeline/steps/paired.js";

/** `both` right, `gained`, `lost`, `neither`. */
function outcomes(both: number, gained: number, lost: number, neither: number): [boolean[], boolean[]] {
  const pairs = [
    ...Array(both).fill([true, true]),
    ...Array(gained).fill([false, true]),
    ...Array(lost).fill([true, false]),
    ...Array(neither).fill([false, false]),
  ] as [boolean, boolean][];
  return [pairs.map(([a]) => a), pairs.map(([, b]) => b)];
}

it.each([
  // scipy.stats.binomtest(k, n, 0.5).pvalue
  [10, 2, 0.03857421875],
  [2, 10, 0.03857421875],
  [5, 5, 1],
  [0, 0, 1],
  [1, 0, 1],
  [20, 0, 1.9073486328125e-6],
])("McNemar's exact p of %i gained and %i lost is %f", (gained, lost, p) => {
  expect(mcnemar(gained, lost)).toBeCloseTo(p, 12);
});

it("counts, and has an interval about the difference as wide as its standard error says", () => {
  const [before, after] = outcomes(600, 120, 30, 250);
  const { n, low, high, ...rest } = comparePaired(before, after);
  expect(n).toBe(1000);
  expect(rest).toMatchObject({ gained: 120, lost: 30 });
  expect([rest.before, rest.after, rest.difference]).toEqual([0.63, 0.72, 0.09]);
  // sqrt((g + l) / n - d^2) / sqrt(n)
  const error = Math.sqrt((0.15 - 0.09 ** 2) / 1000);
  expect(low).toBeCloseTo(0.09 - 1.96 * error, 2);
  expect(high).toBeCloseTo(0.09 + 1.96 * error, 2);
});

it("refuses results that are not pairs", () => {
  expect(() => comparePaired([], [])).toThrow("at least one");
  expect(() => comparePaired([true], [true, false])).toThrow("the same inputs");
});

it("publishes only what is better on the site's digits and has not forgotten the others", () => {
  const of = (given: [number, number, number, number]): PairedResult => comparePaired(...outcomes(...given));
  const better = of([200, 60, 5, 35]);
  const same = of([980, 2, 4, 14]);
  expect(verdict(better, same)).toMatchObject({ isBetter: true });
  expect(verdict(of([200, 9, 5, 86]), same)).toMatchObject({
    isBetter: false,
    reason: expect.stringContaining("not better"),
  });
  expect(verdict(better, of([950, 2, 30, 18]))).toMatchObject({
    isBetter: false,
    reason: expect.stringContaining("worse by 2 points"),
  });
});
