// A ranker from items to an order: explained scores, events that outlive the page, other tabs, limits, stored data of earlier releases.
import { expect, test, vi } from "vitest";
import type { TableRow } from "../../../../../src/page/lazy/ranking/event-log.js";
import { createRanker, forgetRankers, listRankers, openRanker } from "../../../../../src/page/lazy/ranking/ranker.js";
import type { RankerDeps } from "../../../../../src/page/lazy/ranking/ranker-state.js";
import type { PersonalRanker, RankingItem } from "../../../../../src/page/lazy/ranking/types.js";
import { createTable } from "../../../../../src/page/lib/idb-table.js";
import { InsituError } from "../../../../../src/shared/errors.js";
import { seeded } from "../../../../support/ports.js";

const GENRES = ["Drama", "Comedy", "Horror", "Western"];
const items: RankingItem[] = Array.from({ length: 200 }, (_, index) => ({
  id: `film ${index}`,
  features: Float32Array.of(index / 100),
  traits: [`genre:${GENRES[index % 4]}`, `director:${index % 50}`, `once:${index}`],
}));

const clicked = new WeakMap<PersonalRanker, Set<string>>();

/** Without IndexedDB a table is memory: two rankers of one table are two pages of one browser. */
const browser = () => createTable<TableRow>("none");

async function open(given: Partial<RankerDeps> = {}): Promise<PersonalRanker> {
  const ranker = await createRanker({
    name: "films",
    model: "ranker",
    storeName: `test ${Math.random()}`,
    random: seeded(4),
    score: async (features) => features,
    ...given,
  });
  await ranker.setItems(items);
  return ranker;
}

const count = async (ranker: PersonalRanker) => (await ranker.events()).length;

/** Shows the first ten, clicks the first one of the genre that was not clicked before. */
async function click(ranker: PersonalRanker, genre: string, before = clicked.get(ranker) ?? new Set()): Promise<void> {
  const list = ranker.rank().filter(({ id }) => !before.has(id));
  await ranker.recordEvents(list.slice(0, 10).map(({ id }, position) => ({ kind: "shown", item: id, position })));
  const position = list.findIndex(({ index }) => items[index]?.traits[0] === `genre:${genre}`);
  const item = list[position]?.id ?? "";
  clicked.set(ranker, before.add(item));
  await ranker.recordEvents({ kind: "clicked", item, position });
}

test("without events the order is the base model's", async () => {
  const ranker = await open();
  const order = ranker.rank();
  expect(order.map(({ index }) => index)).toEqual(items.map((_, index) => 199 - index));
  expect(order[0]).toMatchObject({ id: "film 199", reasons: [], base: Math.fround(1.99) });
  expect(order[0]?.uncertainty).toBeGreaterThan(0);
  expect(ranker.rank({ top: 3 })).toEqual(order.slice(0, 3));
  await ranker.dispose();
});

test("clicks raise their genre, and an item's score is the sum of its reasons and its base score", async () => {
  const ranker = await open();
  for (let n = 0; n < 6; n += 1) await click(ranker, "Western");
  const [first, second] = ranker.tastes();
  expect([first?.trait, second?.trait]).toContain("genre:Western");
  const order = ranker.rank();
  expect(order.slice(0, 10).filter(({ index }) => index % 4 === 3).length).toBeGreaterThanOrEqual(8);
  const tastes = new Map(ranker.tastes().map(({ trait, weight }) => [trait, weight]));
  const values = items.map(({ features }) => features[0] as number);
  const mean = values.reduce((sum, value) => sum + value, 0) / 200;
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 200);
  const tasteOf = (index: number) =>
    (items[index]?.traits ?? []).reduce((sum, trait) => sum + (tastes.get(trait) ?? 0), 0);
  // What is left of a score once its traits' part is taken off is the base score times one weight, the same for all.
  const trusts = order.map(({ index, score, base }) => (score - tasteOf(index)) / ((base - mean) / deviation));
  for (const trust of trusts) expect(trust).toBeCloseTo(trusts[0] as number, 4);
  for (const { index, reasons } of order) {
    const raising = (items[index]?.traits ?? []).filter((trait) => (tastes.get(trait) ?? 0) > 0);
    expect(reasons.map(({ trait }) => trait).sort()).toEqual(raising.sort());
    for (const { trait, weight } of reasons) expect(weight).toBe(tastes.get(trait));
    expect(reasons.map(({ weight }) => weight)).toEqual(reasons.map(({ weight }) => weight).sort((a, b) => b - a));
  }
  // What one film alone has is no taste.
  expect([...tastes.keys()].some((trait) => trait.startsWith("once:"))).toBe(false);
  await ranker.dispose();
});

test("thompson draws another order each time, ucb raises uncertain items; with a seed both repeat", async () => {
  const ranker = await open();
  const again = await open();
  await click(ranker, "Drama");
  await click(again, "Drama");
  const ids = (one: PersonalRanker, explore: "thompson" | "ucb" | "none") => one.rank({ explore }).map(({ id }) => id);
  const drawn = ids(ranker, "thompson");
  expect(drawn).toEqual(ids(again, "thompson"));
  expect(ids(ranker, "thompson")).not.toEqual(drawn);
  expect(ids(ranker, "ucb")).toEqual(ids(ranker, "ucb"));
  const [sure, hopeful] = [ranker.rank(), ranker.rank({ explore: "ucb" })];
  const scores = new Map(sure.map(({ id, score }) => [id, score]));
  for (const { id, score, uncertainty } of hopeful) expect(score).toBeCloseTo((scores.get(id) ?? 0) + uncertainty, 9);
  await ranker.dispose();
  await again.dispose();
});

test("the next page knows what was learned, until it is forgotten", async () => {
  const table = browser();
  const now = () => 1e12;
  const first = await open({ table, now });
  for (let n = 0; n < 4; n += 1) await click(first, "Horror");
  const [order, tastes, events] = [first.rank(), first.tastes(), await count(first)];
  await first.dispose();
  const next = await open({ table, now });
  expect(await count(next)).toBe(events);
  const before = new Map(tastes.map(({ trait, weight }) => [trait, weight]));
  // Of the last list, which nothing followed, what was passed over has been counted since.
  for (const { trait, weight } of next.tastes()) expect(weight).toBeLessThanOrEqual((before.get(trait) ?? 0) + 0.1);
  expect(next.tastes()[0]?.trait).toBe("genre:Horror");
  expect(next.rank({ top: 1 })[0]?.id).toBe(order[0]?.id);
  await next.forget();
  expect([await count(next), next.tastes().length]).toEqual([0, 0]);
  expect(await table.change((rows) => rows.all())).toEqual([]);
  await next.dispose();
  const last = await open({ table, now });
  expect([await count(last), last.tastes().length]).toEqual([0, 0]);
  await last.dispose();
});

test("two tabs that record at once know all events, and what one forgets the other forgets", async () => {
  const table = browser();
  const storeName = `tabs ${Math.random()}`;
  const [one, two] = [await open({ table, storeName }), await open({ table, storeName })];
  const other = await open({ table, storeName, name: "books" });
  await Promise.all([
    ...Array.from({ length: 30 }, (_, n) => one.recordEvents({ kind: "clicked", item: `film ${n}`, position: n % 10 })),
    ...Array.from({ length: 30 }, (_, n) =>
      two.recordEvents({ kind: "dismissed", item: `film ${n + 50}`, position: n % 10 }),
    ),
  ]);
  expect((await table.change((rows) => rows.all())).length).toBe(60);
  await vi.waitFor(async () => expect(await Promise.all([one, two, other].map(count))).toEqual([60, 60, 0]));
  const known = (ranker: PersonalRanker) =>
    ranker
      .tastes()
      .map(({ trait }) => trait)
      .sort();
  expect(known(one)).toEqual(known(two));
  await two.forget();
  await vi.waitFor(async () => expect(await count(one)).toBe(0));
  for (const ranker of [one, two, other]) await ranker.dispose();
});

test("at most the newest thousand events are stored", async () => {
  const table = browser();
  let time = 1e12;
  const now = () => (time += 1000);
  const ranker = await open({ table, now });
  for (let n = 0; n < 1_200; n += 1)
    await ranker.recordEvents({ kind: "clicked", item: `film ${n % 200}`, position: 0 });
  expect(await count(ranker)).toBe(1_000);
  const stored = await table.change((rows) => rows.all());
  expect(stored.length).toBe(1_000);
  expect(Math.min(...stored.map((row) => row.time))).toBeGreaterThanOrEqual(1e12 + 200 * 1000);
  await ranker.dispose();
});

test("invalid items and events are refused, and nothing is learned from them", async () => {
  const ranker = await open();
  const refused = { code: "input_invalid" };
  const [film] = items as [RankingItem];
  await expect(ranker.setItems([film, film])).rejects.toMatchObject(refused);
  await expect(ranker.setItems([{ ...film, features: Float32Array.of(1, 2) }, film])).rejects.toMatchObject(refused);
  await expect(ranker.setItems([{ ...film, id: "" }])).rejects.toMatchObject(refused);
  await expect(ranker.setItems([{ ...film, traits: ["\nbase"] }])).rejects.toMatchObject(refused);
  await expect(ranker.setItems([{ ...film, traits: ["a", "a"] }])).rejects.toMatchObject(refused);
  await expect(ranker.setItems(items, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "aborted" });
  await expect(
    ranker.recordEvents([
      { kind: "clicked", item: "film 1", position: 0 },
      { kind: "clicked", item: "nowhere", position: 0 },
    ]),
  ).rejects.toMatchObject(refused);
  for (const wrong of [
    { position: -1 },
    { position: 0.5 },
    { kind: "liked" },
    { kind: "dwelled" },
    { kind: "dwelled", durationMs: Number.NaN },
  ]) {
    const event = { kind: "clicked", item: "film 1", position: 0, ...wrong } as never;
    await expect(ranker.recordEvents(event)).rejects.toMatchObject(refused);
  }
  expect([await count(ranker), ranker.tastes().length]).toEqual([0, 0]);
  // The items of before are ranked still.
  expect(ranker.rank().length).toBe(200);
  await ranker.dispose();
  await ranker.dispose();
  expect(() => ranker.rank()).toThrow(expect.objectContaining({ code: "disposed" }));
});

test("a base model that computes NaN is reported with output_invalid", async () => {
  const broken = open({ score: async (features) => features.map(() => Number.NaN) });
  await expect(broken).rejects.toMatchObject({ code: "output_invalid" });
});

test("events of pages that only showed items are removed after a day", async () => {
  const table = browser();
  let time = 1e12;
  const now = () => time;
  const page = async () => {
    const ranker = await open({ table, now });
    await ranker.recordEvents({ kind: "shown", item: "film 1", position: 0 });
    await ranker.dispose();
  };
  for (let n = 0; n < 5; n += 1) await page();
  expect((await table.change((rows) => rows.all())).length).toBe(5);
  time += 2 * 24 * 3600 * 1000;
  await page();
  await vi.waitFor(async () => expect((await table.change((rows) => rows.all())).length).toBe(1));
});

test("all rankers of a site are listed and forgotten, also those that are open", async () => {
  const table = browser();
  const storeName = `site ${Math.random()}`;
  const [films, books] = [await open({ table, storeName }), await open({ table, storeName, name: "books" })];
  await click(films, "Drama");
  await books.recordEvents({ kind: "clicked", item: "film 1", position: 0 });
  const kept = await listRankers(storeName, table);
  expect(kept.every(({ kind }) => kind === "ranker")).toBe(true);
  expect(kept.map(({ name, events }) => [name, events]).sort()).toEqual([
    ["books", 1],
    ["films", await count(films)],
  ]);
  for (const { bytes, events } of kept) expect(bytes / events).toBeGreaterThan(100);
  await forgetRankers(storeName, table);
  expect(await listRankers(storeName, table)).toEqual([]);
  await vi.waitFor(async () =>
    expect([await count(films), await count(books), films.tastes().length]).toEqual([0, 0, 0]),
  );
  for (const ranker of [films, books]) await ranker.dispose();
});

test("without consent nothing is learned, and the order is still available", async () => {
  const assertConsent = () => {
    throw new InsituError("consent_denied", "The user denied consent.");
  };
  const ranker = await open({ assertConsent });
  const denied = { code: "consent_denied" };
  await expect(ranker.recordEvents({ kind: "clicked", item: "film 1", position: 0 })).rejects.toMatchObject(denied);
  await expect(ranker.import(new Blob(["{}"]))).rejects.toMatchObject(denied);
  expect([await count(ranker), ranker.rank().length]).toEqual([0, 200]);
  await ranker.dispose();
});

test("a ranker takes its scores from the model's predictions", async () => {
  const predict = async (input: Float32Array) => ({
    value: Array.from(input, (score, index) => ({ index, score })).toSorted((a, b) => b.score - a.score),
  });
  const parts = { predict, name: "films", model: "ranker", storeName: `handle ${Math.random()}` };
  const ranker = await openRanker(parts);
  await ranker.setItems(items);
  expect(ranker.rank({ top: 1 })[0]).toMatchObject({ id: "film 199", base: Math.fround(1.99) });
  await ranker.dispose();
  const mute = await openRanker({ ...parts, predict: async () => ({ value: [] }) });
  await expect(mute.setItems(items)).rejects.toMatchObject({ code: "output_invalid" });
  await mute.dispose();
});

test("events() returns what was recorded, the oldest first", async () => {
  const ranker = await open({ now: () => 1e12 });
  await ranker.recordEvents([
    { kind: "shown", item: "film 4", position: 0 },
    { kind: "dwelled", item: "film 8", position: 1, durationMs: 2_000 },
    { kind: "dwelled", item: "film 9", position: 2, durationMs: 1e12 },
  ]);
  const events = await ranker.events();
  const [shown] = events;
  expect(events.map(({ item, durationMs }) => [item, durationMs])).toEqual([
    ["film 4", undefined],
    ["film 8", 2_000],
    ["film 9", 24 * 3600 * 1000],
  ]);
  expect(shown).toEqual({
    id: expect.stringMatching(/^[0-9a-f]{32}$/),
    kind: "shown",
    item: "film 4",
    position: 0,
    traits: ["genre:Drama", "director:4"],
    recordedAt: 1e12,
  });
  await ranker.dispose();
  await expect(ranker.events()).rejects.toMatchObject({ code: "disposed" });
  await ranker.forget();
});

test("rows that an earlier release stored are read", async () => {
  const table = browser();
  const stored = {
    id: "0123456789abcdef0123456789abcdef",
    model: "ranker",
    name: "films",
    kind: "dwelled" as const,
    item: "film 3",
    traits: ["genre:Western"],
    base: 0.5,
    position: 2,
    time: 1_700_000_000_000,
    visit: "0123456789abcdef",
    order: 1,
    ms: 4_000,
  };
  await table.change((rows) => rows.put(stored));
  const ranker = await open({ table });
  expect(await ranker.events()).toMatchObject([{ item: "film 3", recordedAt: 1_700_000_000_000, durationMs: 4_000 }]);
  expect(ranker.tastes()[0]).toMatchObject({ trait: "genre:Western" });
  await ranker.dispose();
});

test("setItems that is aborted rejects with the signal's reason as its cause", async () => {
  const ranker = await open();
  const reason = new Error("the user left");
  const aborted = ranker.setItems(items, { signal: AbortSignal.abort(reason) });
  await expect(aborted).rejects.toMatchObject({ code: "aborted", name: "AbortError", cause: reason });
  await ranker.dispose();
});
