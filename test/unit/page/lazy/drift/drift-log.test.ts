// The state of the detectors over visits, tabs and pages that end, on a table whose transactions run one after the other.
import { expect, test } from "vitest";
import { judgeEstimate, judgeLabels, limitsOf } from "../../../../../src/page/lazy/drift/degraded.js";
import { createDriftLog, type DriftRow, type DriftValue } from "../../../../../src/page/lazy/drift/drift-log.js";
import { createTargetMonitor } from "../../../../../src/page/lazy/drift/target-monitor.js";
import { accuracyReport } from "../../../../../src/page/lazy/monitor/accuracy-report.js";
import type { Outcome } from "../../../../../src/page/lazy/monitor/outcome-log.js";
import type { MonitoredVersion } from "../../../../../src/page/lazy/monitor/types.js";
import type { Table } from "../../../../../src/page/lib/idb-table.js";
import { mulberry32 } from "../../../../../src/worker/package/seeded-noise.js";

/** As IndexedDB: rows are copies, and transactions do not overlap. */
function createTestTable() {
  const rows = new Map<string, DriftRow>();
  let last: Promise<unknown> = Promise.resolve();
  const table: Table<DriftRow> = {
    change(run) {
      const next = last.then(() =>
        run({
          put: async (row) => rows.set(row.id, structuredClone(row)),
          get: async (id) => structuredClone(rows.get(id)),
          all: async () => structuredClone([...rows.values()]),
          remove: async (id) => void rows.delete(id),
        }),
      );
      last = next.catch(() => undefined);
      return next;
    },
  };
  return { table, rows };
}

const STEPS = 1_000;
/** Errors: 5 % of 700, then 60 %. */
function values(changes: Partial<DriftValue> = {}): DriftValue[] {
  const random = mulberry32(11);
  return Array.from({ length: STEPS }, (_, time) => ({
    version: "1.0.0",
    arm: "stable",
    target: "error",
    value: random() < (time < 700 ? 0.05 : 0.6) ? 1 : 0,
    time,
    ...changes,
  }));
}

test("visits of ten predictions find the change that one visit finds", async () => {
  const whole = createTargetMonitor("error");
  const expected = values().flatMap(({ value, time }) => whole.update(value, time) ?? []);
  expect(expected).toHaveLength(1);
  const { table, rows } = createTestTable();
  const all = values();
  const found: unknown[] = [];
  for (let visit = 0; visit < STEPS / 10; visit += 1) {
    // A new page each time, half of which end without a word.
    const log = createDriftLog("digits", table);
    for (const value of all.slice(visit * 10, visit * 10 + 10)) log.add(value);
    if (visit % 2 === 0) log.journal();
    else found.push(...(await log.settle()).findings);
  }
  found.push(...(await createDriftLog("digits", table).settle()).findings);
  expect(found).toEqual(expected.map((finding) => ({ ...finding, version: "1.0.0", arm: "stable" })));
  expect([...rows.keys()]).toEqual(["digits\n1.0.0\nstable"]);
  expect(JSON.stringify([...rows.values()]).length).toBeLessThan(8_000);
});

test("two tabs pass each value to the detectors once, and one of them tells the change", async () => {
  const { table, rows } = createTestTable();
  const tabs = [createDriftLog("digits", table), createDriftLog("digits", table)];
  const all = values();
  const found: unknown[] = [];
  for (const [i, value] of all.entries()) {
    tabs[i % 2]?.add(value);
    if (i % 5 === 4)
      for (const { findings } of await Promise.all(tabs.map((tab) => tab.settle()))) found.push(...findings);
  }
  expect(found).toHaveLength(1);
  const [row] = rows.values();
  const { n, last } = (row as { targets: { error: { n: number; last: { n: number } } } }).targets.error;
  expect(n + last.n).toBe(STEPS);
});

test("versions, arms and models do not mix, and old ones are removed", async () => {
  const { table, rows } = createTestTable();
  const log = createDriftLog("digits", table);
  const other = createDriftLog("objects", table);
  other.add({ version: "9.0.0", arm: "stable", target: "error", value: 0, time: 5 });
  await other.settle();
  for (const [time, version] of Array.from({ length: 12 }, (_, i) => [1000 + i, `1.${i}.0`] as const)) {
    log.add({ version, arm: "stable", target: "confidence", value: 0.1, time });
    log.add({ version, arm: "canary", target: "confidence", value: 0.1, time: time - 900 });
  }
  const { versions } = await log.settle();
  expect(versions).toHaveLength(8);
  expect(versions.every(({ arm }) => arm === "stable")).toBe(true);
  expect([...rows.values()].filter(({ model }) => model === "objects")).toHaveLength(1);
  log.add({ version: "2.0.0", arm: "stable", target: "error", value: 0, time: 100 * 24 * 3600 * 1000 });
  expect((await log.settle()).versions.map(({ version }) => version)).toEqual(["2.0.0"]);
  await log.clear();
  expect([...rows.values()].map(({ model }) => model)).toEqual(["objects"]);
});

function report(accuracy: number, labelled: number, confidence = 0.9): MonitoredVersion {
  const outcomes = Array.from({ length: labelled }, (_, i): Outcome => {
    const score = i < Math.round(accuracy * labelled) ? 1 : 0;
    return { id: `${i}`, model: "m", version: "1", arm: "stable", confidence, time: 1000 + i, truth: { score } };
  });
  return accuracyReport(outcomes, 2000)[0] as MonitoredVersion;
}

test("labels: degraded where even the upper end of the interval is below the limit, with at least 100", () => {
  const { labels } = limitsOf({}, { metrics: { heldOutAccuracy: 0.95 } });
  expect(labels).toBeCloseTo(0.9, 9);
  // Wilson's upper end for 84 of 100 is 0.899, for 85 it is 0.907.
  expect(judgeLabels(report(0.84, 100), labels)).toMatchObject({ isBelow: true, isOver: false, n: 100 });
  expect(judgeLabels(report(0.85, 100), labels)).toMatchObject({ isBelow: false, isOver: false });
  expect(judgeLabels(report(0.9, 100), labels)).toMatchObject({ isBelow: false, isOver: true });
  expect(judgeLabels(report(0.2, 99), labels)).toBeUndefined();
  // The last 500 count.
  expect(judgeLabels(report(0.5, 1000), labels)).toMatchObject({ n: 500, accuracy: 0 });
  expect(judgeLabels(report(0.2, 500), limitsOf({}, {}).labels)).toBeUndefined();
  expect(limitsOf({ baseline: 0.8, margin: 0.1, floor: 0.3 }, {})).toEqual({
    labels: expect.closeTo(0.7),
    estimate: 0.3,
  });
});

test("estimates: degraded where the estimate and three standard errors are below the floor", () => {
  const confidence = new Array<number>(20).fill(0);
  confidence[18] = 1;
  const { estimate } = limitsOf({}, { reference: { samples: 50, features: [], confidence } });
  expect(estimate).toBeCloseTo(0.875, 9);
  expect(judgeEstimate(report(1, 200, 0.7), estimate)).toMatchObject({ isBelow: true, n: 200 });
  expect(judgeEstimate(report(1, 200, 0.86), estimate)).toMatchObject({ isBelow: false, isOver: false });
  expect(judgeEstimate(report(1, 200, 0.93), estimate)).toMatchObject({ isBelow: false, isOver: true });
  expect(judgeEstimate(report(1, 99, 0.1), estimate)).toBeUndefined();
});
