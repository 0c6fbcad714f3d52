// The questions that the simulation answers, each with the world it is asked of and the target that its answer is compared with.
import { type FastResult, runFastDrift, runFastRollout } from "./fast-fleet.js";
import { quantile, shareOf, spread } from "./statistics.js";
import { STABLE, WORLD, type World } from "./world.js";

/** One row of the table. */
export interface Row {
  question: string;
  found: string;
  target: string;
  isMet: boolean;
}

export interface ScenarioOptions {
  seeds: number;
  /** Of the fleet. */
  pages: number;
  /** Called after each seed. */
  onRun?: (done: number) => void;
}

export interface Scenario {
  id: string;
  title: string;
  run(options: ScenarioOptions): Promise<Row[]>;
}

const WORSE = { ...STABLE, accuracy: STABLE.accuracy - 0.06 };
const BETTER = { ...STABLE, accuracy: STABLE.accuracy + 0.03 };
const SLOW = { ...STABLE, latency: STABLE.latency * 1.3 };

/** Runs `world` once for each seed, with a number of looks a day. */
async function repeat(
  world: Partial<World>,
  { seeds, pages, onRun }: ScenarioOptions,
  looks = 4,
): Promise<FastResult[]> {
  const results: FastResult[] = [];
  for (let seed = 1; seed <= seeds; seed += 1) {
    results.push(runFastRollout({ ...WORLD, ...world, pages }, seed, looks));
    onRun?.(seed);
    // The progress line is written meanwhile.
    await new Promise(setImmediate);
  }
  return results;
}

const count = (results: readonly FastResult[], action: FastResult["action"], reason?: FastResult["reason"]) =>
  results.filter((one) => one.action === action && (reason === undefined || one.reason === reason));

const days = (results: readonly FastResult[]) =>
  spread(
    results.flatMap((one) => one.days ?? []),
    1,
  );

export const SCENARIOS: readonly Scenario[] = [
  {
    id: "worse",
    title: "A canary with 6 points less accuracy, 5 % of the browsers, labels at 5 % of predictions",
    async run(options) {
      const results = await repeat({ canary: WORSE }, options);
      const back = count(results, "rollback");
      const pages = Math.round(options.pages * (WORLD.weight / 100));
      return [
        row(
          "rolled back within 30 days",
          shareOf(back.length, results.length),
          "at least 95 %",
          back.length >= 0.95 * results.length,
        ),
        row("days until then, 4 looks a day", days(back)),
        row("predictions that saw it", `${spread(back.map((one) => one.exposed))} of some ${pages} pages`),
        row("labels that it took", spread(back.map((one) => one.labels))),
      ];
    },
  },
  {
    id: "labels",
    title: "The same with labels at 1 % of predictions, and at 5 % with a share of 20 % of the browsers",
    async run(options) {
      const few = await repeat({ canary: WORSE, labels: 0.01 }, options);
      const wide = await repeat({ canary: WORSE, weight: 20 }, options);
      const [back, soon] = [count(few, "rollback"), count(wide, "rollback")];
      return [
        row("1 % labels: rolled back within 30 days", `${shareOf(back.length, few.length)}, days ${days(back)}`),
        row(
          "5 % labels, share 20 %",
          `${shareOf(soon.length, wide.length)}, days ${days(soon)}`,
          "at least 95 %",
          soon.length >= 0.95 * wide.length,
        ),
      ];
    },
  },
  {
    id: "equal",
    title: "An equal canary, 20 % of the browsers, 4 looks a day for 30 days",
    async run(options) {
      const results = await repeat({ weight: 20 }, options);
      const back = count(results, "rollback");
      return [
        row("rolled back", shareOf(back.length, results.length), "at most 5 %", back.length <= 0.05 * results.length),
      ];
    },
  },
  {
    id: "better",
    title: "A canary with 3 points more accuracy, 20 % of the browsers, labels at 5 % by the site's own backend",
    async run(options) {
      const trusted = await repeat({ canary: BETTER, weight: 20, labels: 0, trustedLabels: 0.05 }, options);
      const pagesOnly = await repeat({ canary: BETTER, weight: 20 }, options);
      const promoted = count(trusted, "promote");
      const back = count(trusted, "rollback");
      const lured = pagesOnly.filter((one) => one.wasPromoted);
      return [
        row(
          "promoted within 30 days",
          shareOf(promoted.length, trusted.length),
          "at least 95 %",
          promoted.length >= 0.95 * trusted.length,
        ),
        row("days until then", days(promoted)),
        row("rolled back", shareOf(back.length, trusted.length), "at most 5 %", back.length <= 0.05 * trusted.length),
        row("promoted by pages' data alone", shareOf(lured.length, pagesOnly.length), "none", lured.length === 0),
      ];
    },
  },
  {
    id: "drift",
    title:
      "Inputs that are darker from the eleventh day on (quantile u becomes u to the power of 1.6), a look every 3 hours",
    async run({ seeds, pages, onRun }) {
      const runs = [];
      for (let seed = 1; seed <= seeds; seed += 1) {
        runs.push(await runFastDrift({ ...WORLD, pages, days: 20, shiftAt: 10 }, seed));
        onRun?.(seed);
        await new Promise(setImmediate);
      }
      const quiet = runs.filter(({ falseAlarms }) => falseAlarms === 0);
      const found = runs.flatMap((one) => one.found ?? []);
      const both = runs.filter(({ falseAlarms, found: at }) => falseAlarms === 0 && at !== undefined);
      return [
        row(
          "no alarm in ten quiet days, and the shift found",
          shareOf(both.length, runs.length),
          "at least 95 %",
          both.length >= 0.95 * runs.length,
        ),
        row("no alarm in ten quiet days", shareOf(quiet.length, runs.length)),
        row(
          "predictions of the fleet until found",
          `${spread(found)}; 95 of 100 within ${Math.round(quantile(found, 0.95)).toLocaleString("en")}`,
        ),
        row("hours until found", spread(runs.flatMap(({ hours }) => hours ?? []))),
      ];
    },
  },
  {
    id: "slow",
    title: "A canary that is 30 % slower and otherwise equal, 20 % of the browsers, trusted labels at 5 %",
    async run(options) {
      const results = await repeat({ canary: SLOW, weight: 20, trustedLabels: 0.05 }, options);
      const held = count(results, "hold", "latency");
      const promoted = results.filter((one) => one.wasPromoted);
      return [
        row(
          "held by latency after 30 days",
          shareOf(held.length, results.length),
          "at least 95 %",
          held.length >= 0.95 * results.length,
        ),
        row(
          "promoted",
          shareOf(promoted.length, results.length),
          "at most 5 %",
          promoted.length <= 0.05 * results.length,
        ),
      ];
    },
  },
  {
    id: "liars",
    title: "10 % of the pages report that the canary is always right and the stable version always wrong",
    async run(options) {
      const liars = { liars: 0.1, weight: 20 };
      const equal = await repeat(liars, options);
      const worse = await repeat({ ...liars, canary: WORSE, trustedLabels: 0.05 }, options);
      const lured = [...equal, ...worse].filter((one) => one.wasPromoted);
      const back = count(worse, "rollback");
      return [
        row(
          "promoted, equal or 6 points worse",
          shareOf(lured.length, equal.length + worse.length),
          "none",
          lured.length === 0,
        ),
        row(
          "6 points worse, trusted labels at 5 %: rolled back all the same",
          `${shareOf(back.length, worse.length)}, days ${days(back)}`,
        ),
      ];
    },
  },
];

function row(question: string, found: string, target = "", isMet = true): Row {
  return { question, found, target, isMet };
}
