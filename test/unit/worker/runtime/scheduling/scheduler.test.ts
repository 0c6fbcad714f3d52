// Whose turn it is: priorities, batches of one model, aborts, and failures that stay where they are.
import { expect, test } from "vitest";
import { type BatchQueue, Scheduler } from "../../../../../src/worker/runtime/scheduling/scheduler.js";

const settle = async <T>(items: T[]) => items.map((value) => ({ status: "fulfilled" as const, value }));

/** A queue that writes down what ran together. */
function queue(maxBatchSize: number, batchTimeout = 0, run: BatchQueue<number, number>["run"] = settle) {
  const runs: number[][] = [];
  const recorded: BatchQueue<number, number> = {
    maxBatchSize: () => maxBatchSize,
    batchTimeout,
    run(items) {
      runs.push(items);
      return run(items);
    },
  };
  return { queue: recorded, runs };
}

test("what waits at the same time runs together, in batches of powers of two, in order", async () => {
  const scheduler = new Scheduler();
  const { queue: mine, runs } = queue(8);
  const results = await Promise.all(Array.from({ length: 13 }, (_, n) => scheduler.enqueue(mine, n, {})));
  expect(results).toEqual(Array.from({ length: 13 }, (_, n) => n));
  expect(runs.map((items) => items.length)).toEqual([8, 4, 1]);
  expect(runs.flat()).toEqual(results);
});

test("a higher priority runs first, and never two at the same time", async () => {
  const scheduler = new Scheduler();
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
    scheduler.runExclusive(run("low"), { priority: "low" }),
    scheduler.runExclusive(run("normal")),
    scheduler.runExclusive(run("high"), { priority: "high" }),
    scheduler.runExclusive(run("high too"), { priority: "high" }),
  ]);
  expect(order).toEqual(["high", "high too", "normal", "low"]);
  expect(scheduler.isIdle()).toBe(true);
});

test("items of two models never run together", async () => {
  const scheduler = new Scheduler();
  const a = queue(4);
  const b = queue(4);
  await Promise.all(
    [1, 2, 3, 4].flatMap((n) => [scheduler.enqueue(a.queue, n, {}), scheduler.enqueue(b.queue, -n, {})]),
  );
  expect(a.runs).toEqual([[1, 2, 3, 4]]);
  expect(b.runs).toEqual([[-1, -2, -3, -4]]);
});

test("an aborted call that waits is dropped, and the others go on", async () => {
  const scheduler = new Scheduler();
  const { queue: mine, runs } = queue(1);
  const stop = new AbortController();
  const first = scheduler.enqueue(mine, 1, {});
  const second = scheduler.enqueue(mine, 2, { signal: stop.signal });
  const third = scheduler.enqueue(mine, 3, {});
  stop.abort();
  await expect(second).rejects.toMatchObject({ code: "aborted" });
  expect([await first, await third]).toEqual([1, 3]);
  expect(runs).toEqual([[1], [3]]);
  await expect(scheduler.enqueue(mine, 4, { signal: stop.signal })).rejects.toMatchObject({ code: "aborted" });
});

test("a failure reaches only its own call", async () => {
  const scheduler = new Scheduler();
  const { queue: mine } = queue(4, 0, async (items) =>
    items.map((value) =>
      value === 2 ? { status: "rejected", reason: new Error("two") } : { status: "fulfilled", value },
    ),
  );
  const results = await Promise.allSettled([1, 2, 3].map((n) => scheduler.enqueue(mine, n, {})));
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  await expect(scheduler.runExclusive(() => Promise.reject(new Error("alone")))).rejects.toThrow("alone");
  expect(await scheduler.runExclusive(async () => "next")).toBe("next");
});

test("a batch waits for more as long as it may, and not when it is full", async () => {
  const scheduler = new Scheduler();
  const { queue: patient, runs } = queue(4, 40);
  const started = performance.now();
  const early = scheduler.enqueue(patient, 1, {});
  setTimeout(() => void scheduler.enqueue(patient, 2, {}), 10);
  await early;
  expect(performance.now() - started).toBeGreaterThan(35);
  expect(runs).toEqual([[1, 2]]);
  await Promise.all([3, 4, 5, 6].map((n) => scheduler.enqueue(patient, n, {})));
  expect(runs.at(-1)).toEqual([3, 4, 5, 6]);
});

test("while a turn is away others run, one at a time, and afterwards it goes on before all that wait", async () => {
  const scheduler = new Scheduler();
  const order: string[] = [];
  let arrive: (bytes: string) => void = () => undefined;
  const bytes = new Promise<string>((resolve) => {
    arrive = resolve;
  });
  const opening = scheduler.runExclusive(async (turn) => {
    order.push("begins");
    order.push(await turn.away(bytes));
  });
  const run = (name: string, also?: () => void) =>
    scheduler.runExclusive(async () => {
      order.push(`${name} begins`);
      also?.();
      await new Promise((resolve) => setTimeout(resolve, 5));
      order.push(`${name} ends`);
    });
  const [first, second] = [run("first", () => arrive("goes on")), run("second")];
  await Promise.all([opening, first, second]);
  expect(order).toEqual(["begins", "first begins", "first ends", "goes on", "second begins", "second ends"]);
  expect(scheduler.isIdle()).toBe(true);
});

test("a turn that waits for what fails gets the failure, and the engine is free after it", async () => {
  const scheduler = new Scheduler();
  const opening = scheduler.runExclusive((turn) => turn.away(Promise.reject(new Error("lost"))));
  await expect(opening).rejects.toThrow("lost");
  expect(await scheduler.runExclusive(async () => "next")).toBe("next");
});
