// The store on a real file: old detail goes, sums stay, and a batch that cannot be written costs no other.
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, describe, expect, it } from "vitest";
import type { Event, Point } from "../src/records.js";
import { openStore } from "../src/store.js";
import { temporaryFolder } from "./support/run.js";

const folder = temporaryFolder();
afterAll(() => folder.remove());

const metric = { name: "ml.errors", kind: "counter" as const, unit: "{error}", description: "", bounds: [] };
const point = (sum: number, time: number): Point => ({
  metric,
  attributes: [],
  time,
  amount: { count: 0, sum, buckets: [] },
});

async function ask(path: string, sql: string): Promise<Record<string, unknown>[]> {
  const instance = await DuckDBInstance.create(path);
  const connection = await instance.connect();
  const rows = (await connection.runAndReadAll(sql)).getRowObjectsJS();
  connection.closeSync();
  instance.closeSync();
  return rows;
}

it("forgets points, events and silent streams from before a time, and keeps the sums", async () => {
  const path = join(folder.path, "old.db");
  const store = await openStore(path);
  const stream = (name: string, time: number) => ({
    ...point(5, time),
    cumulative: { stream: name, start: "1", time: `${time}000000` },
  });
  const event = (time: number): Event => ({ time, name: "e", severity: 9, body: null, attributes: [], resource: [] });
  await store.append({ points: [point(1, 1000), point(2, 3000), stream("old", 1000), stream("new", 3000)] });
  await store.append({ events: [event(1000), event(3000)] });
  await store.forget(2000);
  expect(store.series().map(({ total }) => total.sum)).toEqual([13]);
  await store.close();
  const counts = "SELECT (SELECT count(*) FROM points)::INTEGER p, (SELECT count(*) FROM events)::INTEGER e";
  expect(await ask(path, `${counts}, (SELECT string_agg(stream) FROM streams) s`)).toEqual([{ p: 2, e: 1, s: "new" }]);
  const again = await openStore(path);
  expect(again.series().map(({ total }) => total.sum)).toEqual([13]);
  await again.close();
});

it("costs no other batch when one cannot be written", async () => {
  const store = await openStore(join(folder.path, "bad.db"));
  // No parser lets this time through; the column refuses it, and with it the whole transaction.
  const bad = point(100, Number.NaN);
  const answers = await Promise.allSettled([
    store.append({ points: [point(1, 0)] }),
    store.append({ points: [point(2, 0)] }),
    store.append({ points: [bad] }),
    store.append({ points: [point(4, 0)] }),
  ]);
  expect(answers.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected", "fulfilled"]);
  expect(store.series().map(({ total }) => total.sum)).toEqual([7]);
  await store.check();
  await store.close();
});

describe("a series without points", () => {
  const other = { ...metric, name: "shop.orders" };
  const of = (kind: string, time: number, sum = 1): Point => ({
    ...point(sum, time),
    attributes: [["error.type", kind]],
  });

  it("retires, from the file as well, frees its place, and begins again", async () => {
    const path = join(folder.path, "retired.db");
    const store = await openStore(path);
    await store.append({ points: [of("old", 1000, 5), of("live", 1000), { ...of("old", 1000), metric: other }] });
    await store.append({ points: [of("live", 5000)] });
    await store.forget(3000);
    expect(store.series().map(({ attributes, total }) => [attributes[0]?.[1], total.sum])).toEqual([["live", 2]]);
    // The first sender after that defines it again.
    const histogram = { ...other, kind: "histogram" as const, bounds: [1] };
    const amount = { count: 1, sum: 1, buckets: [1, 0] };
    const { rejected } = await store.append({
      points: [of("old", 6000), { ...of("x", 6000), metric: histogram, amount }],
    });
    expect(rejected).toEqual([]);
    await store.close();
    expect(await ask(path, "SELECT count(*)::INTEGER n, count(DISTINCT id)::INTEGER ids FROM totals")).toEqual([
      { n: 3, ids: 3 },
    ]);
    expect(await ask(path, "SELECT kind FROM metrics ORDER BY id")).toEqual([
      { kind: "counter" },
      { kind: "histogram" },
    ]);
    const again = await openStore(path);
    expect(again.series().map(({ total }) => total.sum)).toEqual([2, 1, 1]);
    await again.append({ points: [of("new", 7000)] });
    await again.forget(6500);
    expect(again.series().map(({ attributes }) => attributes[0]?.[1])).toEqual(["new"]);
    await again.close();
  });

  it("retires after two days when few places are left, and after all of them otherwise", async () => {
    const store = await openStore(":memory:");
    const now = Date.now();
    const days = 24 * 3600 * 1000;
    const many = (count: number, time: number) =>
      store.append({ points: Array.from({ length: count }, (_, i) => of(`${time}-${i}`, time)) });
    await many(4_000, now - 3 * days);
    await many(500, now - days);
    await store.forget(now - 30 * days);
    expect(store.series()).toHaveLength(4_500);
    await many(200, now);
    await store.forget(now - 30 * days);
    expect(store.series()).toHaveLength(700);
    await store.close();
  });
});
