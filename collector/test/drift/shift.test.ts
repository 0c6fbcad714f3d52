// The hour at which a shift began: found where it is strong, near it where values resemble each other, and the first hour where nothing came before.
import { describe, expect, it } from "vitest";
import { shiftOf } from "../../src/drift/shift.js";
import { randomOf } from "../support/random.js";

const HOUR = 3_600_000;
const BINS = 20;

/** Hours of 30 values from 6 senders, of which those from `began` on are squared. */
function hoursOf(seed: number, hours: number, began: number, power = 2) {
  const random = randomOf(seed);
  return Array.from({ length: hours }, (_, hour) => {
    const counts = new Array<number>(BINS).fill(0);
    for (let sender = 0; sender < 6; sender += 1) {
      const own = 0.3 * random.next();
      for (let i = 0; i < 5; i += 1) {
        const value = (0.7 * random.next() + own) ** (hour >= began ? power : 1);
        const place = Math.min(BINS - 1, Math.floor(value * BINS));
        counts[place] = (counts[place] ?? 0) + 1;
      }
    }
    return { time: hour * HOUR, counts };
  });
}

describe("the hour of a shift", () => {
  it.each([5, 24, 40])("at hour %i of 48 is found within two hours in 90 of 100 seeds", (began) => {
    let near = 0;
    for (let seed = 0; seed < 100; seed += 1) {
      const found = (shiftOf(hoursOf(seed, 48, began)) ?? 0) / HOUR;
      if (Math.abs(found - began) <= 2) near += 1;
    }
    console.log(`shift at hour ${began}: within two hours in ${near} of 100 seeds`);
    expect(near).toBeGreaterThanOrEqual(90);
  });

  it("is the first one with values where nothing changed within the hours, in 95 of 100 seeds", () => {
    let first = 0;
    for (let seed = 0; seed < 100; seed += 1) {
      const hours = hoursOf(seed, 48, 0).map((one, hour) => (hour < 3 ? { ...one, counts: [] } : one));
      if (shiftOf(hours) === 3 * HOUR) first += 1;
    }
    expect(first).toBeGreaterThanOrEqual(95);
  });

  it("of nothing, or of hours without values, is not known", () => {
    expect(shiftOf([])).toBeUndefined();
    expect(shiftOf([{ time: 0, counts: [0, 0] }])).toBeUndefined();
  });
});
