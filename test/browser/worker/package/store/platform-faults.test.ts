// Each call of the platform that a load makes fails once: the old or the new version runs, and the next load works.
import { afterAll, beforeAll, expect, test } from "vitest";
import { hangs, nameOf, pointsOf, SCENARIOS, table, violations } from "../../../../support/fault-cases.js";
import type { Outcome, Point, Scenario } from "../../../../support/fault-page.js";
import { type FaultSite, openFaultSite } from "../../../../support/fault-site.js";

// One point alone, as the list of violations names it, or all that begin so: INSITU_FAULT="update:idb-put:3:abort".
const ONLY = process.env.INSITU_FAULT;
// Cases that run side by side. Those that hang do little but wait.
const LANES = 3;
const HANGING_LANES = 10;

let site: FaultSite;

beforeAll(async () => {
  site = await openFaultSite();
  const prepare = (scenario: Scenario) => site.page.evaluate((wanted) => window.faults.prepare(wanted), scenario);
  await site.publish(1);
  expect(await prepare("update")).toMatchObject({ source: "network", release: 1 });
  await site.publish(2);
  expect(await prepare("warm")).toMatchObject({ source: "network", release: 2 });
});
afterAll(() => site?.close());

async function pointsIn(scenario: Scenario): Promise<Point[]> {
  const counts = await site.page.evaluate((wanted) => window.faults.count(wanted), scenario);
  return pointsOf(scenario, counts);
}

/** Side by side in as many databases as there are lanes. */
function run(points: Point[], name: string, lanes: number): Promise<Outcome[]> {
  const names = Array.from({ length: lanes }, (_, index) => `${name}-${index}`);
  return site.page.evaluate(([each, databases]) => window.faults.run(each, databases), [points, names] as const);
}

async function runAll(points: Point[]): Promise<Outcome[]> {
  const hanging = points.filter(hangs);
  const answering = points.filter((point) => !hangs(point));
  const both = [run(answering, "answering", LANES), run(hanging, "hanging", HANGING_LANES)];
  const outcomes = (await Promise.all(both)).flat();
  // On a busy machine a short deadline may pass before the call that should have hung.
  const missed = outcomes.filter(({ fired }) => !fired).map(({ point }) => ({ ...point, timeout: 4 * point.timeout }));
  return [...outcomes.filter(({ fired }) => fired), ...(await run(missed, "missed", LANES))];
}

// Some five hundred loads that fail, each with two or three that must work after it: minutes of processor time.
const HANGS_AFTER = 1_200_000;
const CHOSEN = SCENARIOS.filter((scenario) => !ONLY || ONLY.split(":")[0] === scenario);

test.each(CHOSEN)(
  "whichever call of a load (%s) fails, the old version or the new one runs, and the next load works",
  {
    timeout: HANGS_AFTER,
  },
  async (scenario) => {
    const all = await pointsIn(scenario);
    const points = all.filter((point) => !ONLY || `${nameOf(point)}:`.startsWith(`${ONLY}:`));
    expect(points, `${ONLY} is none of ${all.length} points`).not.toEqual([]);
    const outcomes = await runAll(points);
    const tried = outcomes.filter(({ fired }) => fired).map(({ point }) => point);
    console.log(`${table(tried)}\n\nfault points tried: ${tried.length}`);
    if (ONLY) console.log(JSON.stringify(outcomes, null, 2));
    const broken = outcomes.flatMap((outcome) =>
      violations(outcome).map(
        (problem) => `${nameOf(outcome.point)} - ${problem}\n  broken load: ${JSON.stringify(outcome.faulted)}`,
      ),
    );
    // As one text: of a list, a report would say only how long it is.
    expect(broken.join("\n")).toBe("");
    // Calls that run side by side may be some more in one load than in another.
    expect(tried.length).toBeGreaterThan(0.97 * points.length);
  },
);

test("INSITU_FAULT names a scenario", () => expect(CHOSEN, ONLY).not.toEqual([]));
