// The export of a ranker: an import restores it, and any other file is refused and changes nothing.
import fc from "fast-check";
import { expect, test } from "vitest";
import { createRanker } from "../../../../../src/page/lazy/ranking/ranker.js";
import type { PersonalRanker } from "../../../../../src/page/lazy/ranking/types.js";
import { sha256 } from "../../../../../src/shared/sha256.js";

const NOW = 1e12;
const items = Array.from({ length: 20 }, (_, index) => ({
  id: `film ${index}`,
  features: Float32Array.of(index),
  traits: [`genre:${index % 2}`],
}));

async function open(model = "ranker"): Promise<PersonalRanker> {
  const storeName = `file ${Math.random()}`;
  const score = async (features: Float32Array) => features;
  const ranker = await createRanker({ name: "films", model, storeName, score, now: () => NOW });
  await ranker.setItems(items);
  return ranker;
}

async function taught(): Promise<PersonalRanker> {
  const ranker = await open();
  await ranker.recordEvents(items.map(({ id }, position) => ({ kind: "shown" as const, item: id, position })));
  await ranker.recordEvents([
    { kind: "clicked", item: "film 3", position: 3 },
    { kind: "dwelled", item: "film 3", position: 3, durationMs: 31_000 },
    { kind: "dismissed", item: "film 4", position: 4 },
  ]);
  return ranker;
}

interface File {
  format: string;
  version: number;
  model: string;
  sha256: string;
  events: Record<string, unknown>[];
}
const blob = (value: unknown) => new Blob([typeof value === "string" ? value : JSON.stringify(value)]);
const exported = async (): Promise<File> => JSON.parse(await (await (await taught()).export()).text()) as File;
/** With a new hash, as anyone can compute it. */
const rehashed = async (file: File): Promise<File> => ({
  ...file,
  sha256: await sha256(new TextEncoder().encode(JSON.stringify(file.events))),
});

async function expectRefused(file: Blob, ranker: PersonalRanker): Promise<void> {
  const before = [(await ranker.events()).length, JSON.stringify(ranker.tastes()), JSON.stringify(ranker.rank())];
  await expect(ranker.import(file)).rejects.toMatchObject({ name: "InsituError", code: "input_invalid" });
  expect([(await ranker.events()).length, JSON.stringify(ranker.tastes()), JSON.stringify(ranker.rank())]).toEqual(
    before,
  );
}

test("an import on another device restores the events; importing the same file again adds nothing", async () => {
  const from = await taught();
  const to = await open();
  const file = await from.export();
  const events = (await from.events()).length;
  expect(await to.import(file)).toEqual({ events, known: 0 });
  expect(await to.import(file)).toEqual({ events: 0, known: events });
  expect(await to.events()).toHaveLength(events);
  const weights = new Map(from.tastes().map(({ trait, weight }) => [trait, weight]));
  expect(
    to
      .tastes()
      .map(({ trait }) => trait)
      .sort(),
  ).toEqual([...weights.keys()].sort());
  // The second device counts what was shown last as passed over; the first does not, since its page is still open.
  for (const { trait, weight } of to.tastes()) expect(weight).toBeLessThanOrEqual(weights.get(trait) ?? 0);
  for (const ranker of [from, to]) await ranker.dispose();
});

test("a file that is not an export of this ranker is refused", async () => {
  const ranker = await taught();
  const good = await exported();
  const [event] = good.events as [Record<string, unknown>];
  const cases: Record<string, unknown> = {
    "no JSON": "{",
    "no object": [1],
    nothing: "",
    "another format": { ...good, format: "insitu-personal" },
    "a later version": { ...good, version: 2 },
    "another model's": { ...good, model: "other" },
    "a field too many": { ...good, more: 1 },
    "an event changed": { ...good, events: [{ ...event, position: 1 }, ...good.events.slice(1)] },
    "an event lost": { ...good, events: good.events.slice(1) },
    "events twice": await rehashed({ ...good, events: [event, event] }),
    "too many events": await rehashed({ ...good, events: Array.from({ length: 1_001 }, () => event) }),
    "a prototype": `${JSON.stringify(good).slice(0, -1)},"__proto__":{"events":[]}}`,
    "an event with a prototype": JSON.stringify(good).replace('{"id"', '{"__proto__":{"kind":"clicked"},"id"'),
    "events that are none": { ...good, events: { length: 1 } },
  };
  for (const [what, file] of Object.entries(cases)) {
    await expectRefused(blob(file), ranker).catch((error: unknown) => {
      throw new Error(`${what}: ${error}`);
    });
  }
  await expectRefused(new Blob([new Uint8Array(5_000_000)]), ranker);
  await expectRefused("text" as never, ranker);
  await ranker.dispose();
});

test("every field of an event is checked, also when the hash is right", async () => {
  const ranker = await taught();
  const good = await exported();
  const wrong: Record<string, unknown[]> = {
    id: ["", "x".repeat(32), 5, null, "A".repeat(32)],
    visit: ["", "short", 5],
    kind: ["liked", "__proto__", null, "constructor"],
    item: ["", "x".repeat(201), {}, "\nbase"],
    traits: ["genre", [1], ["a", "a"], ["\nreadiness"], Array.from({ length: 65 }, (_, n) => `t${n}`), { length: 0 }],
    base: [null, "1", 1e300, -1e6],
    position: [-1, 0.5, 1e7, "0", null],
    time: [-1, null, NOW + 2 * 86_400_000, 1e300],
    order: [-1, 0.5, 1e300],
    ms: [5],
  };
  for (const [field, values] of Object.entries(wrong)) {
    for (const value of values) {
      const [event, ...rest] = good.events;
      await expectRefused(blob(await rehashed({ ...good, events: [{ ...event, [field]: value }, ...rest] })), ranker);
    }
  }
  await ranker.dispose();
});

test("a changed character is noticed", async () => {
  const ranker = await open();
  const text = await (await (await taught()).export()).text();
  await fc.assert(
    fc.asyncProperty(fc.nat(text.length - 1), fc.string({ minLength: 1, maxLength: 3 }), async (at, other) => {
      const changed = text.slice(0, at) + other + text.slice(at + 1);
      // JSON may be written in more than one way: what means the same is the same.
      if (sameJson(changed, text)) return;
      await expectRefused(blob(changed), ranker);
    }),
    { numRuns: 400 },
  );
  expect(await ranker.events()).toEqual([]);
  await ranker.dispose();
});

test("any other JSON is refused with input_invalid, and pollutes no prototype", async () => {
  const ranker = await open();
  const event = fc.record({ kind: fc.string(), traits: fc.array(fc.string()), base: fc.double(), time: fc.double() });
  const file = fc.record({
    format: fc.constantFrom("insitu-ranking", "x"),
    version: fc.constantFrom(1, 2, "1"),
    model: fc.constantFrom("ranker", "x"),
    sha256: fc.string(),
    events: fc.oneof(fc.array(event, { minLength: 1 }), fc.jsonValue()),
  });
  await fc.assert(
    fc.asyncProperty(fc.oneof(file, fc.jsonValue()), async (value) => {
      await expectRefused(blob(value), ranker);
    }),
    { numRuns: 300 },
  );
  expect(({} as Record<string, unknown>).events).toBeUndefined();
  await ranker.dispose();
});

function sameJson(a: string, b: string): boolean {
  try {
    return JSON.stringify(JSON.parse(a)) === JSON.stringify(JSON.parse(b));
  } catch {
    return false;
  }
}
