// Simulates the visits of one user to a list of films, and measures the order that the user sees.
import type { FilmItem } from "../models/ranker/catalogue.js";
import type { EventRow } from "../src/page/lazy/ranking/event-log.js";
import { createRanker } from "../src/page/lazy/ranking/ranker.js";
import type { PersonalRanker, RankingOptions } from "../src/page/lazy/ranking/types.js";
import { createTable } from "../src/page/lib/idb-table.js";
import { changeTastes, createUser, ndcg, type User } from "./ranking-user.js";

/** Numbers of clicks after which the order is measured. */
export const MARKS = [0, 5, 10, 20, 50];
const PAGE_SIZE = 10;
// After this many pages without a click the user starts from the first page again.
const PAGES = 5;
const DAY_MS = 24 * 3600 * 1000;

/** The visits of one user. */
interface Session {
  ranker: PersonalRanker;
  user: User;
  clicks: number;
  seen: Set<number>;
  rest(): void;
}

export async function openSession(
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
    // Without IndexedDB the rows stay in memory.
    table: createTable<EventRow>("bench"),
    now: () => time,
    score: async () => base,
  });
  await ranker.setItems(films);
  // Four lists per day.
  const rest = () => {
    time += DAY_MS / 4;
  };
  return { ranker, user, clicks: 0, seen: new Set(), rest };
}

/** Shows pages until a film is clicked. Clicked films are not shown again. */
export async function nextClick({ ranker, user, seen, rest, ...session }: Session): Promise<number> {
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

/** Returns the NDCG@10 at each number of clicks in `marks`. */
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

export interface SimulationResult {
  base: number;
  popular: number;
  /** NDCG@10 at each mark; then the same after the tastes changed, with the base order's NDCG at that time. */
  learned: number[];
  changed: number[];
  changedBase: number;
}

export async function simulate(
  films: FilmItem[],
  base: Float32Array,
  seed: number,
  options: RankingOptions,
): Promise<SimulationResult> {
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
