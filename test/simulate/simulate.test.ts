import { expect, test } from "vitest";
import { runFastDrift, runFastRollout } from "../../simulate/fast-fleet.js";
import { ranCanary, wholeRun } from "../../simulate/whole-run.js";
import { STABLE, WORLD, type World } from "../../simulate/world.js";

// Few seeds, fixed ones: what is measured over a hundred is printed by `npm run simulate`.
const SEEDS = [1, 2, 3, 4, 5];
const LOOKS_PER_DAY = 2;
const WORSE = { ...STABLE, accuracy: STABLE.accuracy - 0.06 };
const BETTER = { ...STABLE, accuracy: STABLE.accuracy + 0.03 };

const rollouts = (world: Partial<World>) =>
  SEEDS.map((seed) => runFastRollout({ ...WORLD, weight: 20, ...world }, seed, LOOKS_PER_DAY));

test("a canary with 6 points less accuracy is rolled back", () => {
  for (const { action, reason } of rollouts({ canary: WORSE }))
    expect({ action, reason }).toEqual({ action: "rollback", reason: "accuracy" });
});

test("an equal canary stays, and pages' data alone do not promote it", () => {
  for (const { action, wasPromoted } of rollouts({}))
    expect({ action, wasPromoted }).toEqual({ action: "hold", wasPromoted: false });
});

test("a better canary is promoted by trusted labels, and by nothing else", () => {
  for (const { action } of rollouts({ canary: BETTER, trustedLabels: 0.05 })) expect(action).toBe("promote");
  for (const { wasPromoted } of rollouts({ canary: BETTER })) expect(wasPromoted).toBe(false);
});

test("a canary that is 30 % slower is held by its latency", () => {
  const slow = { ...STABLE, latency: STABLE.latency * 1.3 };
  for (const { action, reason } of rollouts({ canary: slow }))
    expect({ action, reason }).toEqual({ action: "hold", reason: "latency" });
});

test("a tenth of the pages that lie promotes nothing, and hides no worse canary", () => {
  for (const { wasPromoted } of rollouts({ liars: 0.1 })) expect(wasPromoted).toBe(false);
  for (const { action } of rollouts({ liars: 0.1, canary: WORSE, trustedLabels: 0.05 }))
    expect(action).toBe("rollback");
});

test("an input shift is found, and ten quiet days give no alarm", async () => {
  for (const seed of SEEDS.slice(0, 2)) {
    const { falseAlarms, found } = await runFastDrift({ ...WORLD, days: 14, shiftAt: 10 }, seed);
    expect(falseAlarms).toBe(0);
    expect(found).toBeGreaterThan(0);
  }
});

test("over HTTP, with real pages: a worse canary leaves every browser, and no prediction fails", async () => {
  const world = { ...WORLD, pages: 600, days: 30, visits: 0.8, canary: WORSE, weight: 30 };
  const result = await wholeRun({ world, seed: 3, realPages: 3, say: () => undefined });
  expect(result.steps.at(-1)?.action).toBe("rollback");
  expect(result.exposedPredictions).toBeGreaterThan(0);
  expect(result.exposedPages).toBeLessThan(world.pages / 2);
  const { during, after, accuracy } = result.real ?? expect.fail("There were no real pages.");
  expect(accuracy.stable - accuracy.canary).toBeGreaterThanOrEqual(0.06);
  expect(ranCanary(during)).toBeGreaterThan(0);
  expect(ranCanary(after)).toBe(0);
  expect(during.failed + after.failed).toBe(0);
  // The history says when and why.
  expect(result.decision.history.some(({ action }) => action === "rollback")).toBe(true);
});
