// Whose turn it is: priorities, batches of one model, aborts, and failures that stay where they are.
import { expect, test } from "vitest";
import { type BatchQueue, createScheduler } from "../../../../../src/worker/runtime/scheduling/scheduler.js";

const settle = async <T>(items: T[]) => items.map((value) => ({ status: "fulfilled" as const, value }));

/** A lane that writes down what ran together. */
function lane(maxBatchSize: number, batchTimeout = 0, run: BatchQueue<number, number>["run"] = settle) {
  const runs: number[][] = [];
  const recorded: BatchQueue<number, number> = {
    maxBatchSize: () => maxBatchSize,
    batchTimeout,
    run(items) {
      runs.push(items);
      return run(items);
    },
  };
  return { lane: recorded, runs };
}

test("what waits at the same time runs together, in batches of powers of two, in order", async () => {
  const turns = createScheduler();
  const { lane: mine, runs } = lane(8);
  const results = await Promise.all(Array.from({ length: 13 }, (_, n) => turns.enqueue(mine, n, {})));
  expect(results).toEqual(Array.from({ length: 13 }, (_, n) => n));
  expect(runs.map((items) => items.length)).toEqual([8, 4, 1]);
  expect(runs.flat()).toEqual(results);
});

test("a higher priority runs first, and never two at the same time", async () => {
  const turns = createScheduler();
  const order: string[] = [];
  let running = 0;
  const run = (name: string) => async () => {
    running += 1;
    expect(running).toBe(1);
    order.push(name);
    await new Promise((resolve) => setTimeout(resolve, 1));
    running -= 1;
  };
  await Promise.all([
    turns.runExclusive(run("low"), { priority: "low" }),
    turns.runExclusive(run("normal")),
    turns.runExclusive(run("high"), { priority: "high" }),
    turns.runExclusive(run("high too"), { priority: "high" }),
  ]);
  expect(order).toEqual(["high", "high too", "normal", "low"]);
  expect(turns.isIdle()).toBe(true);
});

test("items of two models never run together", async () => {
  const turns = createScheduler();
  const a = lane(4);
  const b = lane(4);
  await Promise.all([1, 2, 3, 4].flatMap((n) => [turns.enqueue(a.lane, n, {}), turns.enqueue(b.lane, -n, {})]));
  expect(a.runs).toEqual([[1, 2, 3, 4]]);
  expect(b.runs).toEqual([[-1, -2, -3, -4]]);
});

test("an aborted call that waits is dropped, and the others go on", async () => {
  const turns = createScheduler();
  const { lane: mine, runs } = lane(1);
  const stop = new AbortController();
  const first = turns.enqueue(mine, 1, {});
  const second = turns.enqueue(mine, 2, { signal: stop.signal });
  const third = turns.enqueue(mine, 3, {});
  stop.abort();
  await expect(second).rejects.toMatchObject({ code: "aborted" });
  expect([await first, await third]).toEqual([1, 3]);
  expect(runs).toEqual([[1], [3]]);
  await expect(turns.enqueue(mine, 4, { signal: stop.signal })).rejects.toMatchObject({ code: "aborted" });
});

test("a failure reaches only its own call", async () => {
  const turns = createScheduler();
  const { lane: mine } = lane(4, 0, async (items) =>
    items.map((value) =>
      value === 2 ? { status: "rejected", reason: new Error("two") } : { status: "fulfilled", value },
    ),
  );
  const results = await Promise.allSettled([1, 2, 3].map((n) => turns.enqueue(mine, n, {})));
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  await expect(turns.runExclusive(() => Promise.reject(new Error("alone")))).rejects.toThrow("alone");
  expect(await turns.runExclusive(async () => "next")).toBe("next");
});

test("a batch waits for more as long as it may, and not when it is full", async () => {
  const turns = createScheduler();
  const { lane: patient, runs } = lane(4, 40);
  const started = performance.now();
  const early = turns.enqueue(patient, 1, {});
  setTimeout(() => void turns.enqueue(patient, 2, {}), 10);
  await early;
  expect(performance.now() - started).toBeGreaterThan(35);
  expect(runs).toEqual([[1, 2]]);
  await Promise.all([3, 4, 5, 6].map((n) => turns.enqueue(patient, n, {})));
  expect(runs.at(-1)).toEqual([3, 4, 5, 6]);
});
