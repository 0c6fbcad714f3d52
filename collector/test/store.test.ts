// The store on a real file: old detail goes, sums stay, and a batch that cannot be written costs no other.
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, expect, it } from "vitest";
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
