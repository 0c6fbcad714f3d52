// Measures personal ranking with simulated users who click through lists of films: NDCG@10 of their hidden tastes, and cost.
import { join } from "node:path";
import { catalogue, type FilmItem } from "../models/ranker/catalogue.js";
import { predictWith } from "../models/ranker/measure.js";
import type { RankingOptions } from "../src/page/lazy/ranking/types.js";
import { ROOT } from "./page-build.js";
import { MARKS, nextClick, openSession, type SimulationResult, simulate } from "./ranking-session.js";
import type { Report } from "./report.js";
import { percentile } from "./statistics.js";

/** Issue 6. */
const USERS = 200;
const MIN_LEAD_AT_20 = 0.2;
// Share of the earlier lead over the base order that must be regained after the tastes changed.
const MIN_REGAINED = 0.9;
const MAX_RANK_MS = 5;

interface Mean {
  mean: number;
  low: number;
  high: number;
}

/** Mean with its 95 % confidence interval by Student's t, whose quantile for 200 users is 1.972. */
function meanOf(values: number[]): Mean {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  const half = 1.972 * Math.sqrt(variance / values.length);
  return { mean, low: mean - half, high: mean + half };
}

const meanText = ({ mean, low, high }: Mean) => `${mean.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`;

export async function benchRanking(
  { users = USERS, first = 1 }: { users?: number; first?: number },
  report: Report,
): Promise<void> {
  const films = catalogue();
  const base = await predictWith(
    join(ROOT, "models/ranker/package/model.json"),
    films.map(({ features }) => features),
  );
  report.say(
    `\nPersonal ranking: ${users} simulated users, ${films.length} films; NDCG@10 of the hidden tastes, means with 95 % confidence intervals; with and without correction of position bias`,
  );
  const sides = { corrected: {}, uncorrected: { examination: () => 1 } } satisfies Record<string, RankingOptions>;
  for (const [side, options] of Object.entries(sides)) {
    const walked: SimulationResult[] = [];
    for (let seed = first; seed < first + users; seed += 1) walked.push(await simulate(films, base, seed, options));
    if (side === "corrected") orders(walked, report);
    learning(side, walked, side === "corrected", report);
  }
  await costs(films, base, report);
}

function orders(walked: SimulationResult[], report: Report): void {
  for (const order of ["base", "popular"] as const) {
    const found = meanOf(walked.map((one) => one[order]));
    report.say(`  ${`${order} order`.padEnd(36)} ${meanText(found)}`);
    report.row({ part: "ranking", what: `NDCG@10, ${order} order`, n: walked.length, ...found });
  }
}

function learning(side: string, walked: SimulationResult[], isOurs: boolean, report: Report): void {
  for (const [at, clicks] of MARKS.entries()) {
    const found = meanOf(walked.map(({ learned }) => learned[at] as number));
    const lead = meanOf(walked.map(({ learned, base }) => (learned[at] as number) - base));
    const target = isOurs && clicks === 20 ? { atLeast: MIN_LEAD_AT_20 } : undefined;
    const what = `${side}, ${clicks} clicks`;
    report.say(
      `  ${what.padEnd(36)} ${meanText(found)}   over base ${meanText(lead)}   ${report.mark(target, lead.mean)}`,
    );
    report.row({ part: "ranking", what: `NDCG@10, ${what}`, n: walked.length, ...found, lead, target });
  }
  const had = meanOf(walked.map(({ learned, base }) => (learned.at(-1) as number) - base)).mean;
  for (const [at, clicks] of MARKS.entries()) {
    const lead = meanOf(walked.map(({ changed, changedBase }) => (changed[at] as number) - changedBase));
    const target = isOurs && clicks === 50 ? { atLeast: MIN_REGAINED } : undefined;
    const regained = lead.mean / had;
    const what = `${side}, changed, ${clicks} more clicks`;
    report.say(
      `  ${what.padEnd(36)} over base ${meanText(lead)}   ${(100 * regained).toFixed(0)} % of before   ${report.mark(target, regained)}`,
    );
    report.row({ part: "ranking", what: `lead over base, ${what}`, n: walked.length, lead, regained, target });
  }
}

/** Runs in Node, whose V8 is that of Chromium; test/browser/demo/for-you.test.ts checks that the page has no long task. */
async function costs(films: FilmItem[], base: Float32Array, report: Report): Promise<void> {
  const session = await openSession(films, base, 1, {});
  for (let n = 0; n < 60; n += 1) session.clicks = await nextClick(session);
  const { ranker } = session;
  const times = (run: () => unknown, rounds: number) =>
    Array.from({ length: rounds }, () => {
      const started = performance.now();
      run();
      return performance.now() - started;
    });
  for (const explore of ["none", "thompson", "ucb"] as const) {
    times(() => ranker.rank({ explore }), 20);
    show(
      `rank all, ${explore}`,
      times(() => ranker.rank({ explore }), 200),
      MAX_RANK_MS,
      report,
    );
  }
  const list = ranker.rank({ top: 40 });
  // Only the synchronous part is timed; storing continues afterwards.
  let place = 0;
  const batch = () => list.slice(0, 10).map(({ id }, position) => ({ kind: "shown" as const, item: id, position }));
  show(
    "record ten shown",
    times(() => void ranker.recordEvents(batch()), 50),
    undefined,
    report,
  );
  show(
    "record a click, and the next list",
    times(() => {
      place = (place + 1) % 40;
      void ranker.recordEvents({ kind: "clicked", item: list[place]?.id ?? "", position: place % 10 });
      void ranker.recordEvents(batch());
    }, 50),
    undefined,
    report,
  );
  const bytes = (await ranker.export()).size / (await ranker.events()).length;
  report.say(`  ${"stored per event".padEnd(36)} ${bytes.toFixed(0)} bytes as JSON   (reported)`);
  report.row({ part: "ranking", what: "bytes per event", bytes });
  await ranker.dispose();
}

function show(what: string, spent: number[], target: number | undefined, report: Report): void {
  const [p50, p95, p99] = [0.5, 0.95, 0.99].map((share) => percentile(spent, share)) as [number, number, number];
  report.say(
    `  ${what.padEnd(36)} p50 ${p50.toFixed(2)} ms, p95 ${p95.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms   ${report.mark(target, p95)}`,
  );
  report.row({ part: "ranking", what, n: spent.length, p50, p95, p99, target });
}
