// Every statistic against the golden values of test/fixtures/monitoring.json, and against more of SciPy (fixtures/scipy.json).
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { contingency, goodnessOfFit } from "../../src/statistics/chi-square.js";
import { chiSquareQuantile, chiSquareTail, normalTail } from "../../src/statistics/distributions.js";
import {
  hellinger,
  jensenShannon,
  kullbackLeibler,
  lInfinity,
  psi,
  totalVariation,
} from "../../src/statistics/divergence.js";
import { holm } from "../../src/statistics/holm.js";
import { binnedKsDistance, ksAsymptotic, ksDistance, ksExact } from "../../src/statistics/kolmogorov-smirnov.js";
import { binnedMannWhitney, mannWhitney } from "../../src/statistics/mann-whitney.js";
import { twoProportions } from "../../src/statistics/two-proportions.js";
import { binnedWasserstein, wasserstein } from "../../src/statistics/wasserstein.js";
import { wilson } from "../../src/statistics.js";

const load = (path: string) => JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8"));
const golden = load("../../../test/fixtures/monitoring.json");
const scipy = load("../fixtures/scipy.json");

interface Samples {
  a: number[];
  b: number[];
}

/** To 1e-9, of a tail probability relative to its size. */
function expectNear(found: number, expected: number): void {
  expect(Math.abs(found - expected), `${found}, not ${expected}`).toBeLessThanOrEqual(
    1e-9 * Math.min(1, Math.abs(expected) || 1),
  );
}

describe("two proportions", () => {
  it.each<{
    stable: [number, number];
    canary: [number, number];
    z: number;
    p_one_sided_canary_worse: number;
  }>(golden.two_prop_z)("$stable against $canary", ({ stable, canary, z, p_one_sided_canary_worse }) => {
    const share = ([successes, n]: [number, number]) => ({ successes, n });
    const found = twoProportions(share(stable), share(canary));
    expectNear(found.z, z);
    expectNear(found.p, p_one_sided_canary_worse);
  });

  it("say nothing where nothing differs", () => {
    expect(twoProportions({ successes: 9, n: 9 }, { successes: 5, n: 5 })).toEqual({ z: 0, p: 0.5 });
    expect(twoProportions({ successes: 0, n: 0 }, { successes: 0, n: 0 })).toEqual({ z: 0, p: 0.5 });
  });
});

describe("Mann-Whitney", () => {
  it.each<Samples & { u: number; p: number }>(scipy.mannWhitney)("U = $u, p = $p", ({ a, b, u, p }) => {
    const found = mannWhitney(a, b);
    expectNear(found.u, u);
    expectNear(found.p, p);
    expectNear(found.superiority, u / (a.length * b.length));
  });

  it("of bins is that of values with ties", () => {
    const { a, b } = scipy.mannWhitney.at(-1) as Samples;
    const bins = (values: number[]) => Array.from({ length: 15 }, (_, i) => values.filter((one) => one === i).length);
    expect(binnedMannWhitney(bins(a), bins(b))).toEqual(mannWhitney(a, b));
  });

  it("of nothing is 1", () => {
    expect(mannWhitney([], [])).toEqual({ u: 0, superiority: 0.5, p: 1 });
    expect(binnedMannWhitney([5], [7])).toEqual({ u: 17.5, superiority: 0.5, p: 1 });
  });
});

describe("Kolmogorov-Smirnov", () => {
  it.each<Samples & { D: number; p_exact: number; p_asymp: number }>([...golden.ks_2samp, ...scipy.ks])(
    "D = $D, p = $p_exact",
    ({ a, b, D, p_exact, p_asymp }) => {
      const distance = ksDistance(a, b);
      expectNear(distance, D);
      // 1 minus a share of paths: absolute.
      expect(Math.abs(ksExact(distance, a.length, b.length) - p_exact)).toBeLessThan(1e-9);
      expect(Math.abs(ksAsymptotic(distance, a.length, b.length) - p_asymp)).toBeLessThan(1e-9);
    },
  );

  it("of large samples is that of the limit, to 1e-3", () => {
    // SciPy 1.17: kstwo.sf(0.05, 500), kstwo.sf(0.02, 5000).
    expect(Math.abs(ksAsymptotic(0.05, 1000, 1000) - 0.15866260223815387)).toBeLessThan(1e-3);
    expect(Math.abs(ksAsymptotic(0.02, 10_000, 10_000) - 0.03613941395325637)).toBeLessThan(1e-3);
  });

  it("of bins is at most that of values", () => {
    expectNear(binnedKsDistance([0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]), 0.4);
    expect(ksAsymptotic(0, 10, 10)).toBe(1);
    expect(ksAsymptotic(1, 10, 10)).toBe(0);
  });
});

describe("histograms", () => {
  it.each<{ ref: number[]; cur: number[] } & Record<string, number>>(golden.hist)("$ref and $cur", (row) => {
    const { ref, cur } = row;
    expectNear(psi(ref, cur), row["psi_eps1e-4"] as number);
    expectNear(kullbackLeibler(ref, cur), row["kl_ref_cur_nat_eps1e-4_renorm"] as number);
    expectNear(jensenShannon(ref, cur), row.js_distance_base2 as number);
    expectNear(jensenShannon(ref, cur, Math.E), row.js_distance_nat as number);
    expectNear(hellinger(ref, cur), row.hellinger as number);
    expectNear(lInfinity(ref, cur), row.linf as number);
    expectNear(totalVariation(ref, cur), row.tvd as number);
    expectNear(contingency(ref, cur).p, row.chi2_contingency_p as number);
    expectNear(goodnessOfFit(cur, ref).p, row.chi2_gof_p_evidently as number);
  });

  it.each<Samples & { statistic: number; p: number }>(scipy.chiSquare)("chi-square $statistic", ({ a, b, ...row }) => {
    const found = contingency(a, b);
    expect(Math.abs(found.statistic - row.statistic)).toBeLessThan(1e-9);
    expectNear(found.p, row.p);
  });
});

describe("Wasserstein", () => {
  it.each<Samples & { w: number }>([...golden.wasserstein, ...scipy.wasserstein])("$w", ({ a, b, w }) => {
    expect(Math.abs(wasserstein(a, b) - w)).toBeLessThan(1e-9);
  });
  it("of nothing is 0", () => expect(wasserstein([], [1])).toBe(0));
  it("of bins is that of their places, as a share of the range", () => {
    expectNear(binnedWasserstein([1, 0, 0, 0], [0, 0, 0, 1]), wasserstein([0], [3]) / 4);
    expectNear(binnedWasserstein([0.5, 0.5, 0, 0], [0, 0.5, 0, 0.5]), wasserstein([0, 1], [1, 3]) / 4);
    expect(binnedWasserstein([1], [1])).toBe(0);
  });
});

it.each<{ k: number; n: number; ci: number[] }>(golden.wilson95)("Wilson's interval of $k of $n", ({ k, n, ci }) => {
  for (const [i, found] of wilson(k, n).entries()) expectNear(found, ci[i] as number);
});

it("tails and quantiles of the distributions", () => {
  const { normalTail: normal, chiSquareTail: chi, chiSquareQuantile: quantile } = scipy.distributions;
  for (const [z, p] of normal) expectNear(normalTail(z), p);
  for (const [x, k, p] of chi) expectNear(chiSquareTail(x, k), p);
  for (const [p, k, x] of quantile) expect(Math.abs(chiSquareQuantile(p, k) - x)).toBeLessThan(1e-9 * x);
});

it("Holm's correction keeps the order, and multiplies the smallest by the number of values", () => {
  const found = holm([0.01, 0.04, 0.03, 0.005]);
  for (const [i, p] of [0.03, 0.06, 0.06, 0.02].entries()) expectNear(found[i] as number, p);
  expect(holm([])).toEqual([]);
});
