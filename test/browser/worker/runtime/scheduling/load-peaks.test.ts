// Many predictions: at once on a slow machine, in batches, on several workers, and enough to show a leak.
import { afterEach, expect, test } from "vitest";
import type { BatchingOptions, ClientOptions } from "../../../../../src/index.js";
import { type LibraryPage, openLibrary } from "../../../../support/page.js";
import { count, RIGGED_WORKER, riggedWorker } from "../../../../support/rigged-worker.js";
import { openSharedLibrary } from "../../../../support/shared-browser.js";

let library: LibraryPage;
afterEach(() => library?.close());

async function open(
  options: ClientOptions = {},
  opened = openSharedLibrary({ routes: [riggedWorker] }),
  batching?: BatchingOptions,
): Promise<void> {
  library = await opened;
  await library.page.evaluate(
    async ({ options, worker, batching }) => {
      const client = window.insitu.createClient({ backends: ["wasm"], worker, ...options });
      const model = await client.load("/models/digits/", { task: "classification", batching });
      await model.tuned;
      window.digits = model;
      window.client = client;
    },
    { options, worker: RIGGED_WORKER, batching },
  );
}

test("of 1,000 calls at once on a slow machine each is answered or refused, and then it works on", async () => {
  await open();
  const session = await library.page.context().newCDPSession(library.page);
  await session.send("Emulation.setCPUThrottlingRate", { rate: 6 });
  const outcomes = await library.page.evaluate(async () => {
    const input = (n: number) => Float32Array.from({ length: 784 }, (_, at) => ((at * (n + 1)) % 97) / 97);
    const all = await Promise.all(
      Array.from({ length: 1_000 }, (_, n) =>
        window.digits.predict(input(n)).then(
          ({ value }) => value[0]?.label ?? "nothing",
          (error: { code: string }) => error.code,
        ),
      ),
    );
    const again: string[] = [];
    for (let n = 0; n < 256; n += 1) again.push((await window.digits.predict(input(n))).value[0]?.label ?? "");
    return { all, again };
  });
  // As many as may wait.
  expect(outcomes.all.slice(0, 256)).toEqual(outcomes.again);
  expect(outcomes.all.slice(256)).toEqual(Array.from({ length: 1_000 - 256 }, () => "overloaded"));
});

test("calls that wait run in batches where the page asks for them, and each gets what it would get alone", async () => {
  await open({}, undefined, { maxBatchSize: 32 });
  const { together, alone, sizes } = await library.page.evaluate(async () => {
    const input = (n: number) => Float32Array.from({ length: 784 }, (_, at) => ((at * (n + 3)) % 89) / 89);
    const numbers = Array.from({ length: 100 }, (_, n) => n);
    const answers = await Promise.all(numbers.map((n) => window.digits.predict(input(n))));
    const alone: number[][] = [];
    for (const n of numbers)
      alone.push(Array.from((await window.digits.predict(input(n))).outputs.probabilities?.data ?? []));
    return {
      together: answers.map(({ outputs }) => Array.from(outputs.probabilities?.data ?? [])),
      alone,
      // Those of one batch share its time to the last digit.
      sizes: Object.values(Object.groupBy(answers, ({ timings }) => String(timings.executeMs))).map(
        (one) => one?.length ?? 0,
      ),
    };
  });
  expect(Math.max(...sizes)).toBeGreaterThanOrEqual(8);
  for (const [n, probabilities] of together.entries())
    for (const [at, value] of probabilities.entries()) expect(value).toBeCloseTo(alone[n]?.[at] ?? Number.NaN, 5);
});

test("a call of high priority overtakes those that wait", async () => {
  await open();
  const order = await library.page.evaluate(async () => {
    const done: string[] = [];
    const call = (name: string, priority: "high" | "low") =>
      window.digits.predict(new Float32Array(784), { priority }).then(() => done.push(name));
    await Promise.all([...Array.from({ length: 200 }, () => call("low", "low")), call("high", "high")]);
    return done.indexOf("high");
  });
  expect(order).toBeLessThan(100);
});

test("a pool shares the work, and its further workers end when they are idle", async () => {
  const opened = await openSharedLibrary({ routes: [riggedWorker] });
  // The time limits of the pool run on the page's clock.
  await opened.page.clock.install();
  await open({ pool: 2 }, Promise.resolve(opened));
  const labels = await library.page.evaluate(async () => {
    const input = (n: number) => Float32Array.from({ length: 784 }, (_, at) => ((at * (n + 1)) % 97) / 97);
    const found: string[] = [];
    for await (const { value } of window.digits.predictAll(Array.from({ length: 400 }, (_, n) => input(n))))
      found.push(value[0]?.label ?? "");
    const alone: string[] = [];
    for (let n = 0; n < 400; n += 1) alone.push((await window.digits.predict(input(n))).value[0]?.label ?? "");
    return { found, alone };
  });
  expect(labels.found).toEqual(labels.alone);
  expect(library.page.workers().length).toBe(2);
  await library.page.clock.fastForward(30_000);
  await expect.poll(() => library.page.workers().length, { timeout: 60_000 }).toBe(1);
});

test("10,000 predictions leave no tensor and under 5 MB behind", async () => {
  const args = ["--enable-blink-features=ForceEagerMeasureMemory"];
  await open({}, openLibrary({ args }, { routes: [riggedWorker], isolated: true }));
  const predictMany = (count: number) =>
    library.page.evaluate(async (count) => {
      const input = new Float32Array(784).fill(0.5);
      for (let n = 0; n < count; n += 20)
        await Promise.all(Array.from({ length: 20 }, () => window.digits.predict(input)));
    }, count);
  const bytes = () =>
    library.page.evaluate(async () => {
      const { measureUserAgentSpecificMemory: measure } = performance as unknown as {
        measureUserAgentSpecificMemory(): Promise<{ bytes: number }>;
      };
      return (await measure.call(performance)).bytes;
    });
  await predictMany(500);
  const before = { ...(await count(library.page)), bytes: await bytes() };
  await predictMany(10_000);
  const after = { ...(await count(library.page)), bytes: await bytes() };
  expect(after.tensors).toBe(before.tensors);
  expect(after.bytes - before.bytes).toBeLessThan(5e6);
});

test("a worker that uses under half of its memory is replaced when idle, and its models go on", async () => {
  await open({ memory: { maxBytes: 40e6 } });
  const before = library.page.workers();
  const answers = await library.page.evaluate(async () => {
    const digits = async () =>
      (await window.digits.predict(new Float32Array(784).fill(0.5))).value.map(({ label }) => label);
    const first = await digits();
    // Takes more than 40 MB of WebAssembly memory while it runs, which stay when it is gone.
    const { client } = window;
    const large = await client.load("/models/objects/");
    await large.predict(new Float32Array(512 * 512 * 3));
    await large.dispose();
    return { first, second: await digits(), third: await digits() };
  });
  expect(answers.second).toEqual(answers.first);
  expect(answers.third).toEqual(answers.first);
  const after = library.page.workers();
  expect(after).toHaveLength(1);
  expect(before).not.toContain(after[0]);
});
