// Learning from events: position bias is corrected, lists wait for their end, tastes appear, decay and change.
import { expect, test } from "vitest";
import type { EventRow } from "../../../../../src/page/lazy/ranking/event-log.js";
import {
  createEventModel,
  eventModelOf,
  examinationOf,
  type LearnedEvents,
  learn,
  READINESS,
} from "../../../../../src/page/lazy/ranking/event-model.js";
import { factorOf, MAX_WEIGHTS, predict } from "../../../../../src/page/lazy/ranking/posterior.js";
import { inSlices, replay } from "../../../../../src/page/lazy/ranking/replay.js";
import { seeded } from "../../../../support/ports.js";

const DAY_MS = 24 * 3600 * 1000;
const NEVER = { halfLifeActions: 1e12, halfLife: 1e20 };
let rows = 0;

function row(kind: EventRow["kind"], item: string, given: Partial<EventRow> = {}): EventRow {
  rows += 1;
  return {
    id: String(rows),
    model: "m",
    name: "n",
    kind,
    item,
    traits: [item],
    base: 0,
    position: 0,
    time: 1e12,
    visit: "v",
    order: rows,
    ...given,
  };
}

const weight = ({ posterior }: LearnedEvents, name: string) => predict(posterior, [{ name, factor: 1 }]).mean;

test("the examination probability of items without a click reproduces the click rate of the position-based model", () => {
  // Over many showings, clicks and looks without a click must stand as appeal to no appeal.
  for (const examined of [0.1, 0.5, 1]) {
    for (const appeal of [0.05, 0.4, 0.9]) {
      const clicks = examined * appeal;
      const passed = (1 - clicks) * examinationOf(examined, appeal);
      expect(clicks / (clicks + passed)).toBeCloseTo(appeal, 12);
    }
  }
});

/** Two kinds of films that appeal equally; one is always first, the other always sixth, where one in six looks. */
function simulate(examination?: (position: number) => number): { first: number; sixth: number; readiness: number } {
  const learning = eventModelOf({ ...NEVER, ...(examination && { examination }) });
  const learned = createEventModel();
  const random = seeded(3);
  const appeal = 0.3;
  for (let n = 0; n < 6_000; n += 1) {
    for (const [item, position] of [
      ["first", 0],
      ["sixth", 5],
    ] as const) {
      learn(learned, row("shown", item, { position }), learning);
    }
    for (const [item, position] of [
      ["first", 0],
      ["sixth", 5],
    ] as const) {
      const looked = random() < 1 / (1 + position);
      if (looked && random() < appeal) learn(learned, row("clicked", item, { position }), learning);
    }
    // Something else of the list, so that it ends.
    learn(learned, row("dismissed", "other"), learning);
  }
  return { first: weight(learned, "first"), sixth: weight(learned, "sixth"), readiness: weight(learned, READINESS) };
}

test("an item at a low position is not liked less for its position; without the correction it is", () => {
  const corrected = simulate();
  const logOdds = Math.log(0.3 / 0.7);
  expect(corrected.readiness + corrected.first).toBeCloseTo(logOdds, 0.8);
  expect(Math.abs(corrected.first - corrected.sixth)).toBeLessThan(0.25);
  const plain = simulate(() => 1);
  expect(plain.first - plain.sixth).toBeGreaterThan(1.2);
});

test("a list counts as passed over once another one is shown after an action, and not before", () => {
  const learning = eventModelOf(NEVER);
  const learned = createEventModel();
  const shown = ["a", "b", "c"].map((item) => row("shown", item));
  for (const one of shown) expect(learn(learned, one, learning)).toEqual([]);
  // The same list again, after a reload say, is no evidence, and the first row of it need not be kept.
  expect(learn(learned, row("shown", "a"), learning)).toEqual([shown[0]?.id]);
  expect(weight(learned, "a")).toBe(0);
  learn(learned, row("clicked", "b"), learning);
  // Clicked second: it was not passed over before.
  learn(learned, row("clicked", "c"), learning);
  expect(weight(learned, "a")).toBe(0);
  expect(weight(learned, "c")).toBeGreaterThan(0);
  learn(learned, row("shown", "d"), learning);
  expect(weight(learned, "a")).toBeLessThan(0);
});

test("a long dwell strengthens a click, a short one does not; a dismissal is evidence against", () => {
  const learning = eventModelOf(NEVER);
  const after = (...events: EventRow[]) => {
    const learned = createEventModel();
    for (const event of events) learn(learned, event, learning);
    return weight(learned, "a");
  };
  const clicked = after(row("clicked", "a"));
  const long = after(row("clicked", "a"), row("dwelled", "a", { ms: 120_000 }));
  const short = after(row("clicked", "a"), row("dwelled", "a", { ms: 100 }));
  expect(long).toBeGreaterThan(clicked);
  expect(short - clicked).toBeLessThan((long - clicked) / 20);
  expect(after(row("dismissed", "a"))).toBeLessThan(0);
});

test("after a half-life a taste is half as strong", () => {
  const learning = eventModelOf({ halfLifeActions: 1e12, halfLife: 60 * DAY_MS });
  const learned = createEventModel();
  for (let n = 0; n < 5; n += 1) learn(learned, row("clicked", "a"), learning);
  const before = weight(learned, "a");
  // What is shown is no evidence yet, but the days have passed.
  learn(learned, row("shown", "b", { time: 1e12 + 60 * DAY_MS }), learning);
  expect(weight(learned, "a")).toBeCloseTo(before / 2, 9);
});

test("a new taste outweighs the old one within 50 clicks, however long the old one lasted", () => {
  const learning = eventModelOf({});
  const learned = createEventModel();
  const click = (liked: string, other: string) => {
    for (const item of [liked, other]) learn(learned, row("shown", item), learning);
    learn(learned, row("clicked", liked), learning);
  };
  for (let n = 0; n < 300; n += 1) click("old", "new");
  expect(weight(learned, "old")).toBeGreaterThan(weight(learned, "new") + 1);
  let clicks = 0;
  for (; weight(learned, "new") < weight(learned, "old"); clicks += 1) click("new", "old");
  expect(clicks).toBeLessThan(50);
});

test("a replay of the events gives the same posterior", () => {
  const learning = eventModelOf({});
  const random = seeded(8);
  const online = createEventModel();
  const log = new Map<string, EventRow>();
  const kinds = ["shown", "shown", "shown", "clicked", "dwelled", "dismissed"] as const;
  for (let n = 0; n < 800; n += 1) {
    const pick = Math.floor(random() * 40);
    const one = row(kinds[Math.floor(random() * kinds.length)] ?? "shown", `film${pick}`, {
      traits: [`genre:${pick % 5}`, `director:${pick}`],
      base: (pick - 20) / 10,
      position: Math.floor(random() * 10),
      time: 1e12 + n * 3e5,
      ms: random() * 60_000,
    });
    log.set(one.id, one);
    for (const id of learn(online, one, learning)) log.delete(id);
  }
  expect(log.size).toBeLessThan(800);
  const work = replay([...log.values()], "v", learning);
  let step = work.next();
  while (!step.done) step = work.next();
  const again = step.value.learned;
  expect([...again.posterior.slots.keys()].sort()).toEqual([...online.posterior.slots.keys()].sort());
  for (const name of online.posterior.slots.keys()) expect(weight(again, name)).toBeCloseTo(weight(online, name), 9);
});

test("half-lives that are not positive are refused", () => {
  expect(() => eventModelOf({ halfLife: 0 })).toThrow(/halfLife is 0/);
  expect(() => eventModelOf({ halfLifeActions: Number.NaN })).toThrow(/halfLifeActions is NaN/);
});

test("a replay of a thousand events with more traits than are kept runs in slices between other tasks", async () => {
  const random = seeded(6);
  const kinds = ["shown", "clicked", "dismissed"] as const;
  const log = Array.from({ length: 1_000 }, (_, n) =>
    row(kinds[n % 3] ?? "shown", `film${n}`, {
      traits: Array.from({ length: 6 }, (_, kind) => `${kind}:${Math.floor(random() * 100)}`),
      base: random() * 4 - 2,
      time: 1e12 + n * 1e6,
    }),
  );
  let turns = 0;
  const ticking = setInterval(() => {
    turns += 1;
  });
  const { learned } = await inSlices(replay(log, "another", eventModelOf({})));
  clearInterval(ticking);
  expect(turns).toBeGreaterThan(5);
  expect(learned.posterior.slots.size).toBe(MAX_WEIGHTS);
  expect(learned.posterior.means.every(Number.isFinite)).toBe(true);
  const factor = factorOf(learned.posterior);
  // A factor of a covariance that has gone wrong has pivots of zero.
  for (let i = 0; i < MAX_WEIGHTS; i += 1) expect(factor[i * MAX_WEIGHTS + i]).toBeGreaterThan(0);
});
