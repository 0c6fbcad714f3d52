// When the triggers of retraining are met: ADWIN against river's values, and each trigger on windows with known counts.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Adwin, adwinChanges } from "../src/retrain/adwin.js";
import { parseRetrain, type TriggerConfig } from "../src/retrain/config.js";
import { clocksOf, coolsUntil, holdOf, rearm, remember } from "../src/retrain/cycle.js";
import type { ErrorStep, Observed } from "../src/retrain/observe.js";
import type { Run } from "../src/retrain/run.js";
import { type Clocks, judge, type TriggerName, type Verdict } from "../src/retrain/triggers.js";
import { wilson } from "../src/statistics.js";

const { streams, expected } = JSON.parse(
  readFileSync(new URL("../../test/fixtures/monitoring.json", import.meta.url), "utf8"),
) as { streams: Record<string, string>; expected: Record<string, number[]> };
const digits = (stream: string) => [...stream].map(Number);

describe("ADWIN", () => {
  it.each([
    ["adwin_ph_doc", "adwin_doc"],
    ["adwin_ph_numpy", "adwin_numpy"],
  ])("finds the changes of river's stream %s at the same index", (stream, name) => {
    const changes = adwinChanges(digits(streams[stream] as string), { confidence: 0.002 });
    expect(changes.map(({ at }) => at)).toEqual(expected[name]);
  });

  it("has river's width, total and variance", () => {
    const adwin = new Adwin({ confidence: 0.002 });
    for (let i = 0; i < 200; i += 1) adwin.update(i % 7);
    expect([adwin.width, adwin.total]).toEqual([200, 594]);
    expect(adwin.variance).toBeCloseTo(797.82, 9);
  });
});

const CONFIG = parseRetrain({
  models: {
    digits: {
      webhook: { url: "http://127.0.0.1/", secret: "0123456789abcdef" },
      triggers: {
        age: { max: "30d" },
        accuracy: { baseline: 0.95, delta: 0.05, windows: 3 },
        drift: {},
        estimate: { floor: 0.9, windows: 2 },
        labels: { count: 500 },
      },
      coolDown: "1d",
    },
  },
}).models.digits as NonNullable<ReturnType<typeof parseRetrain>["models"][string]>;
const DAY = 86_400_000;
const CLOCKS: Clocks = { now: 100 * DAY, ageFrom: 90 * DAY, cronAt: 99 * DAY, labelsFrom: 90 * DAY };

/** Windows of a day, each of [correct, labelled]. */
const accuracy = (...days: [number, number][]) =>
  days.map(([correct, labelled], i) => {
    const [low, high] = wilson(correct, labelled);
    return { from: i * DAY, to: (i + 1) * DAY, correct, labelled, low, high };
  });

function verdict(
  trigger: TriggerName,
  given: Partial<Observed>,
  clocks = CLOCKS,
  triggers: TriggerConfig = CONFIG.triggers,
) {
  const observed = { accuracy: [], estimate: [], errors: [], labels: 0, ...given };
  return judge(triggers, observed, clocks).find((one) => one.trigger === trigger) as Verdict;
}

describe("accuracy", () => {
  it("is met when the upper bound is under baseline - delta in three successive windows", () => {
    // wilson(160, 200) ends at 0.849, wilson(176, 200) at 0.918.
    expect(verdict("accuracy", { accuracy: accuracy([160, 200], [160, 200], [160, 200]) }).isMet).toBe(true);
    expect(verdict("accuracy", { accuracy: accuracy([160, 200], [160, 200]) }).isMet).toBe(false);
    expect(verdict("accuracy", { accuracy: accuracy([160, 200], [176, 200], [160, 200]) }).isMet).toBe(false);
    expect(verdict("accuracy", { accuracy: accuracy([160, 200], [160, 200], [176, 200]) }).isMet).toBe(false);
  });

  it("looks at the newest windows that have enough labels", () => {
    const some = accuracy([190, 200], [160, 200], [10, 99], [160, 200], [0, 20], [160, 200]);
    expect(verdict("accuracy", { accuracy: some }).isMet).toBe(true);
    expect(verdict("accuracy", { accuracy: accuracy([10, 99], [10, 99], [10, 99]) }).isMet).toBe(false);
  });

  it("has recovered when the newest window is half of the way back, not at the limit itself", () => {
    expect(verdict("accuracy", { accuracy: accuracy([184, 200]) }).isRecovered).toBe(false);
    expect(verdict("accuracy", { accuracy: accuracy([185, 200]) }).isRecovered).toBe(true);
    expect(verdict("accuracy", { accuracy: [] }).isRecovered).toBe(false);
  });
});

describe("drift", () => {
  /** Steps of 20 labels. */
  const steps = (...rates: number[]): ErrorStep[] =>
    rates.flatMap((rate, i) =>
      Array.from({ length: 20 }, (_, j) => ({ time: i * DAY + j * 1000, n: 20, errors: Math.round(20 * rate) })),
    );

  it("is met when errors become more, and says since when", () => {
    const { isMet, evidence } = verdict("drift", { errors: steps(0.05, 0.05, 0.4) });
    expect(isMet).toBe(true);
    expect(evidence).toMatchObject({ detector: "adwin", n: 1200 });
    expect(evidence.since as number).toBeGreaterThanOrEqual(DAY + 10_000);
    expect(evidence.since as number).toBeLessThan(2 * DAY + 5_000);
  });

  it("is not met when they become fewer, stay the same, or are few", () => {
    expect(verdict("drift", { errors: steps(0.4, 0.4, 0.05) }).isMet).toBe(false);
    expect(verdict("drift", { errors: steps(0.1, 0.1, 0.1) }).isMet).toBe(false);
    expect(verdict("drift", { errors: steps(0, 1).slice(13, 27) }).isMet).toBe(false);
  });
});

describe("estimate, labels and age", () => {
  const estimate = (...days: [number, number][]) =>
    days.map(([accuracy, n], i) => ({ from: i * DAY, to: (i + 1) * DAY, accuracy, n, standardError: 0.01 }));

  it("estimate is met when it is under the floor by three standard errors in each window", () => {
    expect(verdict("estimate", { estimate: estimate([0.86, 600], [0.86, 600]) }).isMet).toBe(true);
    expect(verdict("estimate", { estimate: estimate([0.86, 600], [0.88, 600]) }).isMet).toBe(false);
    expect(verdict("estimate", { estimate: estimate([0.8, 499], [0.8, 600]) }).isMet).toBe(false);
    expect(verdict("estimate", { estimate: estimate([0.919, 600]) }).isRecovered).toBe(false);
    expect(verdict("estimate", { estimate: estimate([0.92, 600]) }).isRecovered).toBe(true);
  });

  it("labels is met at the number itself", () => {
    expect([499, 500].map((labels) => verdict("labels", { labels }).isMet)).toEqual([false, true]);
  });

  it("age is met over the age, and at each time of a cron expression once", () => {
    const aged = (days: number) => verdict("age", {}, { ...CLOCKS, ageFrom: CLOCKS.now - days * DAY }).isMet;
    expect([30, 30.01].map(aged)).toEqual([false, true]);
    const age = { cron: "0 3 * * *", timeZone: "Europe/Berlin" };
    const at = (from: string, now: string) =>
      verdict("age", {}, { ...CLOCKS, cronAt: Date.parse(from), now: Date.parse(now) }, { age }).isMet;
    // 03:00 in Berlin is 02:00 UTC in winter and 01:00 in summer.
    expect(at("2026-01-10T00:00:00Z", "2026-01-10T01:59:00Z")).toBe(false);
    expect(at("2026-01-10T00:00:00Z", "2026-01-10T02:00:00Z")).toBe(true);
    expect(at("2026-07-10T00:00:00Z", "2026-07-10T01:00:00Z")).toBe(true);
    expect(at("2026-01-10T02:00:00Z", "2026-01-10T02:05:00Z")).toBe(false);
    // A collector that was away for a week.
    expect(at("2026-01-03T02:00:00Z", "2026-01-10T01:00:00Z")).toBe(true);
  });
});

describe("between checks", () => {
  const run = (given: Partial<Run>): Run => ({
    id: "1",
    model: "digits",
    version: "1.0.0",
    trigger: "accuracy",
    evidence: {},
    firedAt: 50 * DAY,
    state: "done",
    changedAt: 50 * DAY,
    nextAt: null,
    tries: 1,
    newVersion: null,
    detail: "",
    attempts: [],
    ...given,
  });
  const memory = { ...remember(undefined, "digits", "1.0.0", 10 * DAY), disarmed: ["accuracy" as const] };
  const met: Verdict = { trigger: "accuracy", isMet: true, isRecovered: false, evidence: {} };

  it("a trigger that fired is armed again when it has recovered, after a failure, and for another version", () => {
    expect(rearm(memory, [met], [run({})]).disarmed).toEqual(["accuracy"]);
    expect(rearm(memory, [{ ...met, isMet: false, isRecovered: true }], [run({})]).disarmed).toEqual([]);
    for (const state of ["failed", "expired", "dead"] as const)
      expect(rearm(memory, [met], [run({ state }), run({})]).disarmed).toEqual([]);
    expect(remember(memory, "digits", "1.1.0", 11 * DAY)).toMatchObject({ seenAt: 11 * DAY, disarmed: [] });
    expect(remember(memory, "digits", "", 11 * DAY)).toEqual(memory);
  });

  it("an open run holds everything back, then the cool-down does, from its end", () => {
    for (const state of ["pending", "sent", "running"] as const)
      expect(holdOf([run({ state })], CONFIG, 90 * DAY)).toBe("running");
    const ended = [run({ changedAt: 60 * DAY })];
    expect(coolsUntil(ended, CONFIG, 60.5 * DAY)).toBe(61 * DAY);
    expect(holdOf(ended, CONFIG, 61 * DAY - 1)).toBe("cool_down");
    expect(holdOf(ended, CONFIG, 61 * DAY)).toBe(null);
  });

  it("labels and age count from the last run that did not fail", () => {
    const runs = [run({ state: "dead", firedAt: 80 * DAY }), run({ firedAt: 70 * DAY })];
    expect(clocksOf(memory, runs, 90 * DAY)).toMatchObject({ labelsFrom: 70 * DAY, ageFrom: 70 * DAY });
  });
});
