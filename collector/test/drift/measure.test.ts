// Drift by simulation: no false alarm in ten quiet days at several sizes, a shift found within some hundred values, and what a reference is worth.
import { describe, expect, it } from "vitest";
import { type Measured, measure } from "../../src/drift/measure.js";
import { binsOf, registeredReference } from "../../src/drift/targets.js";
import { effectiveSize, emptySpread, growSpread, type Spread } from "../../src/evidence/spread.js";
import type { Cell } from "../../src/evidence/subjects.js";
import { holm } from "../../src/statistics/holm.js";
import { type Random, randomOf } from "../support/random.js";

const BINS = 20;
const UNIFORM = new Array<number>(BINS).fill(1 / BINS);
/** As `drift.ts`. */
const ALPHA = 0.0002;
const TARGETS = 18;

/** One sender's values: they resemble each other by a shift of its own. */
function cluster(random: Random, values: number, likeness: number, shift = 0): number[] {
  const counts = new Array<number>(BINS).fill(0);
  const own = likeness * (random.next() - 0.5);
  for (let i = 0; i < values; i += 1) {
    const value = random.next() ** (1 + shift) + own;
    const place = Math.floor((value - Math.floor(value)) * BINS);
    counts[place] = (counts[place] ?? 0) + 1;
  }
  return counts;
}

/** Sums of spreads are spreads of the sums: `sign` -1 takes an hour out again. */
function add(sum: Spread, one: Spread, sign: 1 | -1): void {
  sum.clusters += sign * one.clusters;
  sum.sizes += sign * one.sizes;
  for (const key of ["total", "squares", "cross"] as const)
    for (const [i, value] of one[key].entries()) sum[key][i] = (sum[key][i] as number) + sign * value;
}

function hourOf(random: Random, senders: number, likeness: number, shift = 0): Spread {
  const spread = emptySpread(BINS);
  for (let i = 0; i < senders; i += 1)
    growSpread(spread, undefined, cluster(random, 1 + random.below(9), likeness, shift));
  return spread;
}

function isDrift(all: readonly (Measured | null)[]): boolean {
  const found = all.flatMap((one) => (one ? [one] : []));
  const adjusted = holm(found.map(({ chi2 }) => chi2.p));
  return found.some(({ psi, threshold }, i) => psi > threshold && (adjusted[i] ?? 1) < ALPHA);
}

describe("ten quiet days", () => {
  it.each([
    ["12 senders a day", 0.5, 0],
    ["100 senders a day", 4, 0],
    ["100 senders a day whose values resemble each other", 4, 0.6],
    ["1,000 senders a day whose values resemble each other", 40, 0.6],
  ])("of %s have no false alarm in 95 of 100 seeds", (_name, senders, likeness) => {
    const seeds = 100;
    let alarms = 0;
    for (let seed = 0; seed < seeds; seed += 1) {
      const random = randomOf(seed);
      // The reference is a sample as well.
      const size = 1_000;
      // Fewer targets at the largest size: the time is that of the random numbers.
      const targets = Array.from({ length: senders > 10 ? 3 : TARGETS }, () => ({
        hours: [] as Spread[],
        day: emptySpread(BINS),
      }));
      let isAlarm = false;
      for (let hour = 0; hour < 264 && !isAlarm; hour += 1) {
        const count = Math.floor(senders) + (random.isTrue(senders % 1) ? 1 : 0);
        for (const { hours, day } of targets) {
          const newest = hourOf(random, count, likeness);
          hours.push(newest);
          add(day, newest, 1);
          if (hours.length > 24) add(day, hours.shift() as Spread, -1);
        }
        // Every second hour: two windows in a row share 23 of 24 hours.
        if (hour >= 24 && hour % 2 === 0)
          isAlarm = isDrift(targets.map(({ day }) => measure(day, { shares: UNIFORM, size })));
      }
      if (isAlarm) alarms += 1;
    }
    console.log(`${_name}: false alarms in ${alarms} of ${seeds} seeds`);
    expect(alarms).toBeLessThanOrEqual(5);
  });
});

describe("a shift", () => {
  it("of a tenth of the range is found within some hundred values", () => {
    const needed: number[] = [];
    for (let seed = 0; seed < 50; seed += 1) {
      const random = randomOf(seed);
      const spread = emptySpread(BINS);
      let n = 0;
      for (; n < 5_000; ) {
        const counts = cluster(random, 5, 0.1, 0.6);
        n += 5;
        growSpread(spread, undefined, counts);
        if (isDrift([measure(spread, { shares: UNIFORM, size: 5_000 }), ...new Array<null>(TARGETS - 1).fill(null)]))
          break;
      }
      needed.push(n);
    }
    needed.sort((a, b) => a - b);
    console.log(`a shift of the square root's size is found after ${needed[25]} values (median), ${needed[47]} (95 %)`);
    expect(needed[47]).toBeLessThan(2_000);
  });
});

describe("what is said", () => {
  it("has a threshold that falls with the number of values, to 0.1", () => {
    const at = (senders: number) => measure(hourOf(randomOf(1), senders, 0), { shares: UNIFORM, size: 1e9 });
    expect(at(20)?.threshold).toBeGreaterThan(0.3);
    expect(at(2_000)?.threshold).toBe(0.1);
  });

  it("is nothing of 49 values, nor of one sender with a thousand", () => {
    const reference = { shares: UNIFORM, size: 1_000 };
    const one = emptySpread(BINS);
    growSpread(one, undefined, new Array<number>(BINS).fill(50));
    expect(measure(one, reference)).toBeNull();
    const few = emptySpread(BINS);
    for (let i = 0; i < 49; i += 1) growSpread(few, undefined, cluster(randomOf(i), 1, 0));
    expect(measure(few, reference)).toBeNull();
  });

  it("counts values of one sender that are all the same as few", () => {
    const same = emptySpread(BINS);
    const apart = emptySpread(BINS);
    const random = randomOf(3);
    for (let i = 0; i < 100; i += 1) {
      const place = random.below(BINS);
      growSpread(
        same,
        undefined,
        UNIFORM.map((_, bin) => (bin === place ? 50 : 0)),
      );
      for (let j = 0; j < 50; j += 1) growSpread(apart, undefined, cluster(random, 1, 0));
    }
    expect(effectiveSize(same)).toBeGreaterThan(80);
    expect(effectiveSize(same)).toBeLessThan(130);
    expect(effectiveSize(apart)).toBeGreaterThan(4_000);
  });

  it("is found where a class appears that the reference does not have", () => {
    const cell: Cell = { model: "m", version: "1", arm: "stable", subject: "classes", detail: "", trusted: false };
    const profile = { model: "m", version: "1", samples: 5_000, missing: {}, classes: [0.5, 0.3, 0.2] };
    const reference = registeredReference(cell, profile);
    const spread = emptySpread(100);
    for (let i = 0; i < 300; i += 1)
      growSpread(
        spread,
        undefined,
        Array.from({ length: 100 }, (_, k) => (k === (i % 2 === 0 ? 0 : 7) ? 1 : 0)),
      );
    if (!reference) throw new Error("There is a profile.");
    const bins = binsOf(cell, reference, spread);
    expect(bins.total).toHaveLength(8);
    const found = measure(bins, reference);
    expect(found?.psi).toBeGreaterThan(found?.threshold ?? 1);
    expect(found?.chi2.p).toBeLessThan(1e-9);
  });

  it("compares classes that were randomised with a reference that is randomised likewise", () => {
    const cell: Cell = { model: "m", version: "1", arm: "stable", subject: "classes", detail: "1", trusted: false };
    const reference = registeredReference(cell, {
      model: "m",
      version: "1",
      samples: 9,
      missing: {},
      classes: [0.8, 0.2, 0, 0],
    });
    const other = 1 / (Math.E + 3);
    const expected = [0.8, 0.2, 0, 0].map((share) => share * Math.E * other + (1 - share) * other);
    for (const [i, share] of expected.entries()) expect(reference?.shares[i]).toBeCloseTo(share, 12);
  });
});
