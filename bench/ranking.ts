// What a personal order is worth: simulated users click through lists of films, and how much of what they like comes first.
import { join } from "node:path";
import { catalogue, type FilmItem } from "../models/ranker/catalogue.js";
import { predictWith } from "../models/ranker/measure.js";
import type { EventRow } from "../src/page/lazy/ranking/event-log.js";
import { createRanker } from "../src/page/lazy/ranking/ranker.js";
import type { PersonalRanker, RankingOptions } from "../src/page/lazy/ranking/types.js";
import { createTable } from "../src/page/lib/idb-table.js";
import { ROOT } from "./page-build.js";
import { changeTastes, createUser, ndcg, type User } from "./ranking-user.js";
import type { Report } from "./report.js";
import { percentile } from "./statistics.js";

/** Issue 6. */
const USERS = 200;
const MARKS = [0, 5, 10, 20, 50];
const LEAD_AT_20 = 0.2;
// Of the lead over the base order that the learner had before tastes changed.
const REGAINED = 0.9;
const RANK_MS = 5;

const PAGE_SIZE = 10;
// After so many pages without a click the user comes again another day.
const PAGES = 5;
const DAY_MS = 24 * 3600 * 1000;

/** A user's visits, until so many clicks in all. */
interface Session {
  ranker: PersonalRanker;
  user: User;
  clicks: number;
  seen: Set<number>;
  rest(): void;
}

async function openSession(
  films: FilmItem[],
  base: Float32Array,
  seed: number,
  options: RankingOptions,
): Promise<Session> {
  const user = createUser(films, seed);
  let time = 1.7e12;
  const ranker = await createRanker({
    name: "bench",
    model: "ranker",
    storeName: "bench",
    options,
    random: user.random,
    // No IndexedDB here: rows stay in memory.
    table: createTable<EventRow>("bench"),
    now: () => time,
    score: async () => base,
  });
  await ranker.setItems(films);
  // A few lists a day.
  const rest = () => {
    time += DAY_MS / 4;
  };
  return { ranker, user, clicks: 0, seen: new Set(), rest };
}

/** Shows pages until something was clicked; what was clicked once is not shown again. */
async function nextClick({ ranker, user, seen, rest, ...session }: Session): Promise<number> {
  rest();
  for (let page = 0; ; page = (page + 1) % PAGES) {
    const wanted = seen.size + (page + 1) * PAGE_SIZE;
    const list = ranker.rank({ top: wanted }).filter(({ index }) => !seen.has(index));
    const shown = list.slice(page * PAGE_SIZE, (page + 1) * PAGE_SIZE);
    await ranker.recordEvents(shown.map(({ id }, position) => ({ kind: "shown", item: id, position })));
    let clicks = 0;
    for (const [position, { id, index }] of shown.entries()) {
      if (user.random() >= user.looks(position) || !user.clicks(index)) continue;
      await ranker.recordEvents({ kind: "clicked", item: id, position });
      seen.add(index);
      clicks += 1;
    }
    if (clicks > 0) return session.clicks + clicks;
  }
}

/** NDCG@10 at each of the marks. */
async function walk(session: Session, marks: number[]): Promise<number[]> {
  session.clicks = 0;
  const found: number[] = [];
  for (const mark of marks) {
    while (session.clicks < mark) session.clicks = await nextClick(session);
    found.push(
      ndcg(
        session.ranker.rank({ top: 10 }).map(({ index }) => index),
        session.user.likes,
      ),
    );
  }
  return found;
}

interface Walked {
  base: number;
  popular: number;
  /** At the marks; and, after the tastes changed, again, with the base order of then. */
  learned: number[];
  changed: number[];
  changedBase: number;
}

async function simulate(films: FilmItem[], base: Float32Array, seed: number, options: RankingOptions): Promise<Walked> {
  const session = await openSession(films, base, seed, options);
  const byBase = orderBy(base);
  const byVotes = orderBy(Float32Array.from(films, ({ votes }) => votes));
  const { likes } = session.user;
  const before = { base: ndcg(byBase, likes), popular: ndcg(byVotes, likes) };
  const learned = await walk(session, MARKS);
  changeTastes(session.user, films);
  const changedBase = ndcg(byBase, likes);
  const changed = await walk(session, MARKS);
  await session.ranker.dispose();
  return { ...before, learned, changed, changedBase };
}

const orderBy = (scores: Float32Array) =>
  Uint32Array.from(scores, (_, index) => index).sort((a, b) => (scores[b] as number) - (scores[a] as number));

interface Mean {
  mean: number;
  low: number;
  high: number;
}

/** With 95 % by Student's t, which of 200 users is 1.972 deviations. */
function meanOf(values: number[]): Mean {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  const half = 1.972 * Math.sqrt(variance / values.length);
  return { mean, low: mean - half, high: mean + half };
}

const said = ({ mean, low, high }: Mean) => `${mean.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`;

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
    `\nPersonal ranking: ${users} simulated users, ${films.length} films; NDCG@10 of the hidden tastes, means with 95 %`,
  );
  const sides = { "places corrected": {}, "not corrected": { examination: () => 1 } } satisfies Record<
    string,
    RankingOptions
  >;
  for (const [side, options] of Object.entries(sides)) {
    const walked: Walked[] = [];
    for (let seed = first; seed < first + users; seed += 1) walked.push(await simulate(films, base, seed, options));
    if (side === "places corrected") orders(walked, report);
    learning(side, walked, side === "places corrected", report);
  }
  await costs(films, base, report);
}

function orders(walked: Walked[], report: Report): void {
  for (const order of ["base", "popular"] as const) {
    const found = meanOf(walked.map((one) => one[order]));
    report.say(`  ${`${order} order`.padEnd(34)} ${said(found)}`);
    report.row({ part: "ranking", what: `NDCG@10, ${order} order`, n: walked.length, ...found });
  }
}

function learning(side: string, walked: Walked[], isOurs: boolean, report: Report): void {
  for (const [at, clicks] of MARKS.entries()) {
    const found = meanOf(walked.map(({ learned }) => learned[at] as number));
    const lead = meanOf(walked.map(({ learned, base }) => (learned[at] as number) - base));
    const target = isOurs && clicks === 20 ? { atLeast: LEAD_AT_20 } : undefined;
    const what = `${side}, ${clicks} clicks`;
    report.say(`  ${what.padEnd(34)} ${said(found)}   over base ${said(lead)}   ${report.mark(target, lead.mean)}`);
    report.row({ part: "ranking", what: `NDCG@10, ${what}`, n: walked.length, ...found, lead, target });
  }
  const had = meanOf(walked.map(({ learned, base }) => (learned.at(-1) as number) - base)).mean;
  for (const [at, clicks] of MARKS.entries()) {
    const lead = meanOf(walked.map(({ changed, changedBase }) => (changed[at] as number) - changedBase));
    const target = isOurs && clicks === 50 ? { atLeast: REGAINED } : undefined;
    const regained = lead.mean / had;
    const what = `${side}, changed, ${clicks} clicks on`;
    report.say(
      `  ${what.padEnd(34)} over base ${said(lead)}   ${(100 * regained).toFixed(0)} % of before   ${report.mark(target, regained)}`,
    );
    report.row({ part: "ranking", what: `lead over base, ${what}`, n: walked.length, lead, regained, target });
  }
}

/** In this process, on V8 as in Chromium; that no task of a page is long is what test/browser/for-you.test.ts sees to. */
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
      RANK_MS,
      report,
    );
  }
  const list = ranker.rank({ top: 40 });
  // What the page waits for; storing goes on after it.
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
  report.say(`  ${"stored for an event".padEnd(34)} ${bytes.toFixed(0)} bytes as JSON   (reported)`);
  report.row({ part: "ranking", what: "bytes an event", bytes });
  await ranker.dispose();
}

function show(what: string, spent: number[], target: number | undefined, report: Report): void {
  const [p50, p95, p99] = [0.5, 0.95, 0.99].map((share) => percentile(spent, share)) as [number, number, number];
  report.say(
    `  ${what.padEnd(34)} p50 ${p50.toFixed(2)} ms, p95 ${p95.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms   ${report.mark(target, p95)}`,
  );
  report.row({ part: "ranking", what, n: spent.length, p50, p95, p99, target });
}
