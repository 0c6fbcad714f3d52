// The detectors against the indices of river's own tests and documentation, and what must hold of them for any values.
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { createAdwin } from "../../../../../src/page/lazy/drift/adwin.js";
import { createDdm } from "../../../../../src/page/lazy/drift/ddm.js";
import type { Detection, Detector } from "../../../../../src/page/lazy/drift/detector.js";
import { createPageHinkley } from "../../../../../src/page/lazy/drift/page-hinkley.js";
import { createTargetMonitor } from "../../../../../src/page/lazy/drift/target-monitor.js";
import { mulberry32 } from "../../../../../src/worker/package/seeded-noise.js";

const golden = JSON.parse(readFileSync(new URL("../../../../fixtures/monitoring.json", import.meta.url), "utf8")) as {
  streams: Record<"adwin_ph_doc" | "adwin_ph_numpy" | "ddm_doc" | "binomial_02_08", string>;
  expected: {
    adwin_doc: number[];
    adwin_numpy: number[];
    ph_doc: number[];
    ph_numpy: number[];
    ddm_doc: ["warn" | "drift", number][];
    ddm_binomial: number[];
  };
  adwin_stats: { width: number; total: number; sumsq_dev: number };
};
const { expected } = golden;
const stream = (name: keyof typeof golden.streams): number[] => [...golden.streams[name]].map(Number);

function indices(detector: Detector, values: readonly number[]): number[] {
  return values.flatMap((value, index) => (detector.update(value) ? [index] : []));
}

describe("golden values", () => {
  it.each([
    ["adwin_ph_doc", "ph_doc"],
    ["adwin_ph_numpy", "ph_numpy"],
  ] as const)("Page-Hinkley on %s", (name, found) =>
    expect(indices(createPageHinkley(), stream(name))).toEqual(expected[found]),
  );

  it.each([
    ["adwin_ph_doc", "adwin_doc"],
    ["adwin_ph_numpy", "adwin_numpy"],
  ] as const)("ADWIN on %s", (name, found) => {
    expect(indices(createAdwin(), stream(name))).toEqual(expected[found]);
    expect(expected[found]).toEqual([1023]);
  });

  it("ADWIN on four segments of 1,000", () => {
    const values = [...stream("adwin_ph_doc"), ...stream("adwin_ph_doc")];
    expect(indices(createAdwin(), values)).toEqual([1023, 2015, 3007]);
  });

  it("ADWIN's width, total and variance", () => {
    const adwin = createAdwin();
    for (let i = 0; i < 200; i += 1) adwin.update(i % 7);
    expect(adwin.width()).toBe(golden.adwin_stats.width);
    expect(adwin.total()).toBe(golden.adwin_stats.total);
    expect(adwin.deviations()).toBeCloseTo(golden.adwin_stats.sumsq_dev, 9);
  });

  it("DDM on ddm_doc: of each warning only the first is told, until a drift", () => {
    const ddm = createDdm();
    const told: [string, number][] = [];
    let mayWarn = true;
    for (const [index, value] of stream("ddm_doc").entries()) {
      const isDrift = ddm.update(value) !== undefined;
      if (isDrift) told.push(["drift", index]);
      else if (mayWarn && ddm.isWarning()) told.push(["warn", index]);
      mayWarn = isDrift || (mayWarn && !ddm.isWarning());
    }
    expect(told).toEqual(expected.ddm_doc);
  });

  it("DDM on binomial_02_08", () =>
    expect(indices(createDdm(), stream("binomial_02_08"))).toEqual(expected.ddm_binomial));
});

const DETECTORS = [
  ["Page-Hinkley", (stored?: number[]) => createPageHinkley({}, stored)],
  ["ADWIN", (stored?: number[]) => createAdwin({}, stored)],
  ["DDM", (stored?: number[]) => createDdm({}, stored)],
] as const;

describe.each(DETECTORS)("%s", (_name, create) => {
  it("goes on from its stored state as if it had never ended", () => {
    const values = fc.array(fc.constantFrom(0, 0, 0, 1), { minLength: 1, maxLength: 600 });
    fc.assert(
      fc.property(values, fc.nat(600), (given, at) => {
        const whole = create();
        let parted = create();
        for (const [i, value] of [...given, ...stream("binomial_02_08").slice(900, 1100)].entries()) {
          // Through JSON, which is what a database does to it at worst.
          if (i === at) parted = create(JSON.parse(JSON.stringify(parted.state())));
          expect(parted.update(value)).toEqual(whole.update(value));
        }
        expect(parted.state()).toEqual(whole.state());
      }),
      { numRuns: 50 },
    );
  });

  it("starts anew from a state that is damaged, and never throws", () => {
    const damaged = fc.array(fc.oneof(fc.double(), fc.integer(), fc.constant(Number.NaN)), { maxLength: 60 });
    fc.assert(
      fc.property(damaged, (state) => {
        const detector = create(state);
        for (let i = 0; i < 70; i += 1) detector.update(i % 2);
        expect(detector.state().length).toBeLessThan(500);
      }),
    );
  });

  it("keeps a state of bounded size", () => {
    const detector = create();
    for (let i = 0; i < 200_000; i += 1) detector.update(i % 2);
    expect(detector.state().length).toBeLessThan(250);
  });
});

test("a detection says where the change was, and what the mean was before and after it", () => {
  const random = mulberry32(5);
  const values = Array.from({ length: 1500 }, (_, i) => (random() < (i < 1000 ? 0.05 : 0.5) ? 1 : 0));
  for (const [name, create] of DETECTORS) {
    const detector = create();
    let found: { at: number; detection: Detection } | undefined;
    for (const [at, value] of values.entries()) {
      const detection = detector.update(value);
      // Before the change it is a false one, of which DDM has many.
      if (at < 1000) continue;
      if (detection && !found) found = { at, detection };
    }
    const { at, detection } = found as { at: number; detection: Detection };
    expect(at, name).toBeGreaterThan(1000);
    expect(detection.statistic, name).toBeGreaterThan(detection.threshold);
    expect(detection.before, name).toBeLessThan(0.15);
    expect(detection.after, name).toBeGreaterThan(detection.before);
    if (name === "DDM") continue;
    expect(Math.abs(at - detection.since - 1000), name).toBeLessThan(150);
    expect(detection.after, name).toBeGreaterThan(0.3);
  }
});

/** The steps after `change` at which a drift of errors was told, for each of `seeds` runs. */
function simulate(seeds: number, length: number, rateAt: (step: number) => number, change = 0) {
  return Array.from({ length: seeds }, (_, seed) => {
    const random = mulberry32(seed * 7919 + 1);
    const monitor = createTargetMonitor("error");
    const told: number[] = [];
    for (let step = 0; step < length; step += 1)
      if (monitor.update(random() < rateAt(step) ? 1 : 0, step)) told.push(step - change);
    return told;
  });
}

test.each([0.02, 0.05, 0.1, 0.2])(
  "at most 1 % of stationary runs of 1,000 predictions raise an alarm (errors: %d)",
  (rate) => {
    const alarms = simulate(1000, 1000, () => rate).filter((told) => told.length > 0).length;
    expect(alarms).toBeLessThanOrEqual(10);
  },
);

test("confidences that stay as they are raise no alarm, whatever their distribution", () => {
  for (const power of [0.2, 1, 5]) {
    let alarms = 0;
    for (let seed = 0; seed < 300; seed += 1) {
      const random = mulberry32(seed + 1);
      const monitor = createTargetMonitor("confidence");
      let isTold = false;
      for (let step = 0; step < 1000; step += 1)
        isTold = monitor.update(random() ** power, step) !== undefined || isTold;
      if (isTold) alarms += 1;
    }
    expect(alarms, `power ${power}`).toBeLessThanOrEqual(3);
  }
});

test.each([
  [500, 230],
  [1000, 200],
])(
  "a fall of the accuracy from 0.95 to 0.75 after %d predictions is told within %d, in 95 of 100 runs",
  (change, steps) => {
    const runs = simulate(100, change + 1000, (step) => (step < change ? 0.05 : 0.25), change);
    const found = runs.filter((told) => told.some((at) => at >= 0 && at < steps)).length;
    expect(found).toBeGreaterThanOrEqual(95);
    // Once for the change: the detectors start again after it.
    for (const told of runs) expect(told.length).toBeLessThanOrEqual(1);
  },
);

test("with fewer than 100 values nothing is told, however great the change", () => {
  for (let change = 20; change < 60; change += 1) {
    const monitor = createTargetMonitor("error");
    for (let step = 0; step < 99; step += 1) expect(monitor.update(step < change ? 0 : 1, step)).toBeUndefined();
  }
});

test("what is told of a change: when it began, and the means in the unit of the target", () => {
  const monitor = createTargetMonitor("confidence");
  const random = mulberry32(3);
  let told: ReturnType<typeof monitor.update>;
  let at = 0;
  for (; !told && at < 2000; at += 1) told = monitor.update((at < 600 ? 0.05 : 0.5) + 0.05 * random(), 1000 + at);
  expect(told).toMatchObject({ target: "confidence", detector: "adwin", n: at, detectedAt: 999 + at });
  expect(Math.abs((told?.startedAt as number) - 1600)).toBeLessThan(40);
  expect(told?.before).toBeCloseTo(0.925, 1);
  expect(told?.after).toBeCloseTo(0.475, 1);
  expect(monitor.state()).toMatchObject({ n: 0, last: told });
});

test("a change that matters to nobody is not told, however many values show it", () => {
  const monitor = createTargetMonitor("confidence");
  const random = mulberry32(9);
  let told = 0;
  for (let step = 0; step < 40_000; step += 1)
    if (monitor.update((step < 20_000 ? 0.05 : 0.06) + 0.001 * random(), step)) told += 1;
  expect(told).toBe(0);
});
