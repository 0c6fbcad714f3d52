// The Gaussian over tastes: against the batch solution of a Bayesian regression, its way back to the prior, and draws from it.
// biome-ignore-all lint/style/noNonNullAssertion: matrices are as large as they were made.
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  createPosterior,
  factorOf,
  MAX_WEIGHTS,
  normalOf,
  type Observation,
  observe,
  predict,
  relax,
  sample,
} from "../../../../../src/page/lazy/ranking/posterior.js";
import { seeded } from "../../../../support/ports.js";

const prior = (name: string) => ({ mean: name === "a" ? 1 : 0, variance: name === "a" ? 0.25 : 0.5 });
const NAMES = ["a", "b", "c", "d", "e"];

/** Gauss and Jordan. */
function inverse(matrix: number[][]): number[][] {
  const size = matrix.length;
  const rows = matrix.map((row, i) => [...row, ...row.map((_, j) => (i === j ? 1 : 0))]);
  for (let i = 0; i < size; i += 1) {
    const best = rows.slice(i).reduce((at, row, k) => (Math.abs(row[i]!) > Math.abs(rows[at]![i]!) ? i + k : at), i);
    [rows[i], rows[best]] = [rows[best]!, rows[i]!];
    const pivot = rows[i]![i]!;
    rows[i] = rows[i]!.map((value) => value / pivot);
    for (let k = 0; k < size; k += 1) {
      const share = rows[k]![i]!;
      if (k !== i) rows[k] = rows[k]!.map((value, j) => value - share * rows[i]![j]!);
    }
  }
  return rows.map((row) => row.slice(size));
}

/** All at once: precision = prior's + X' N^-1 X (Bishop 2006, 3.50 and 3.51). */
function batch(observations: Observation[]): { mean: number[]; covariance: number[][] } {
  const precision = NAMES.map((name, i) => NAMES.map((_, j) => (i === j ? 1 / prior(name).variance : 0)));
  const pulled = NAMES.map((name) => prior(name).mean / prior(name).variance);
  for (const { terms, value, variance } of observations) {
    const x = NAMES.map((name) => terms.find((term) => term.name === name)?.factor ?? 0);
    for (let i = 0; i < x.length; i += 1) {
      pulled[i] = pulled[i]! + (x[i]! * value) / variance;
      for (let j = 0; j < x.length; j += 1) precision[i]![j] = precision[i]![j]! + (x[i]! * x[j]!) / variance;
    }
  }
  const covariance = inverse(precision);
  return { covariance, mean: covariance.map((row) => row.reduce((sum, value, j) => sum + value * pulled[j]!, 0)) };
}

const number = (min: number, max: number) => fc.double({ min, max, noNaN: true });
const observation: fc.Arbitrary<Observation> = fc.record({
  terms: fc
    .subarray(NAMES, { minLength: 1 })
    .chain((names) => fc.tuple(...names.map((name) => number(-3, 3).map((factor) => ({ name, factor }))))),
  value: number(-10, 10),
  variance: number(0.1, 50),
});

test("sequential observations give the batch solution", () => {
  fc.assert(
    fc.property(fc.array(observation, { maxLength: 40 }), (observations) => {
      const state = createPosterior(prior);
      for (const one of observations) observe(state, one);
      const { mean, covariance } = batch(observations);
      for (const [i, name] of NAMES.entries()) {
        for (const [j, other] of NAMES.entries()) {
          const both = [name, other].map((each) => state.slots.get(each));
          if (both[0] === undefined || both[1] === undefined) continue;
          expect(state.covariance[both[0] * state.stride + both[1]]).toBeCloseTo(covariance[i]![j]!, 7);
        }
        // Also of what was never met, which is nowhere in the block.
        expect(predict(state, [{ name, factor: 1 }]).mean).toBeCloseTo(mean[i]!, 7);
        expect(predict(state, [{ name, factor: 1 }]).variance).toBeCloseTo(covariance[i]![i]!, 7);
      }
    }),
  );
});

const taught = () => {
  const state = createPosterior(prior);
  const random = seeded(5);
  for (let n = 0; n < 60; n += 1) {
    const terms = NAMES.filter(() => random() < 0.5).map((name) => ({ name, factor: random() * 2 - 1 }));
    if (terms.length > 0) observe(state, { terms, value: random() * 4 - 2, variance: 0.5 });
  }
  return state;
};

test("decay halves the mean after a half-life, and ends at the prior", () => {
  const before = taught();
  const after = taught();
  relax(after, 0.5);
  for (const [name, slot] of before.slots) {
    const { mean, variance } = prior(name);
    const own = slot * before.stride + slot;
    expect(after.means[slot]).toBeCloseTo(mean + (before.means[slot]! - mean) / 2, 12);
    expect(after.covariance[own]).toBeCloseTo(before.covariance[own]! / 4 + 0.75 * variance, 12);
  }
  // Two halves of a time are the whole.
  const [twice, once] = [taught(), taught()];
  relax(twice, 0.9);
  relax(twice, 0.7);
  relax(once, 0.63);
  for (const [at, value] of once.covariance.entries()) expect(twice.covariance[at]).toBeCloseTo(value, 12);
  relax(after, 0);
  for (const [name, slot] of after.slots) expect(after.means[slot]).toBeCloseTo(prior(name).mean, 12);
});

test("draws have the posterior's mean and covariance", () => {
  const state = taught();
  const factor = factorOf(state);
  const normal = normalOf(seeded(9));
  const size = state.slots.size;
  const draws = Array.from({ length: 20_000 }, () => sample(state, factor, normal));
  const means = Array.from({ length: size }, (_, i) => draws.reduce((sum, draw) => sum + draw[i]!, 0) / draws.length);
  for (let i = 0; i < size; i += 1) {
    const own = state.covariance[i * state.stride + i]!;
    // Five standard errors.
    expect(Math.abs(means[i]! - state.means[i]!)).toBeLessThan(5 * Math.sqrt(own / draws.length));
    for (let j = 0; j < size; j += 1) {
      const expected = state.covariance[i * state.stride + j]!;
      const found =
        draws.reduce((sum, draw) => sum + (draw[i]! - means[i]!) * (draw[j]! - means[j]!), 0) / draws.length;
      const scale = Math.sqrt(own * state.covariance[j * state.stride + j]!);
      expect(Math.abs(found - expected)).toBeLessThan((5 * Math.SQRT2 * scale) / Math.sqrt(draws.length));
    }
  }
});

test("beyond the maximum number of weights, those with the least evidence are dropped", () => {
  const state = createPosterior(prior);
  observe(state, { terms: [{ name: "loved", factor: 1 }], value: 5, variance: 0.1 });
  for (let n = 0; n < MAX_WEIGHTS * 2; n += 1) {
    observe(state, {
      terms: [
        { name: `t${n}`, factor: 1 },
        { name: "a", factor: 0.5 },
      ],
      value: 0.1,
      variance: 20,
    });
  }
  expect(state.slots.size).toBe(MAX_WEIGHTS);
  expect(new Set(state.slots.values()).size).toBe(MAX_WEIGHTS);
  expect(predict(state, [{ name: "loved", factor: 1 }]).mean).toBeGreaterThan(4);
  expect(factorOf(state).every(Number.isFinite)).toBe(true);
});
