// Many inputs: results keep their order, few are held at a time, and whatever ends the sequence ends all that it started.
import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import type { PredictInput, PredictOptions } from "../../../../../src/page/api-types.js";
import { predictAll } from "../../../../../src/page/lazy/predict-all/predict-all.js";
import { InsituError } from "../../../../../src/shared/errors.js";
import type { Prediction } from "../../../../../src/shared/types/model.js";

const unhandled: unknown[] = [];
const note = (reason: unknown) => void unhandled.push(reason);
process.on("unhandledRejection", note);
afterEach(async () => {
  await turn();
  expect(unhandled.splice(0)).toEqual([]);
});

const turn = () => new Promise<void>((resolve) => setTimeout(resolve));
const input = (id: number): PredictInput => new Float32Array([id]);
const inputs = (count: number): PredictInput[] => Array.from({ length: count }, (_, id) => input(id));
const prediction = (id: number) => ({ id: String(id) }) as Prediction;
const idOf = (given: PredictInput): number => (given as Float32Array)[0] as number;

interface Call {
  id: number;
  options: PredictOptions;
  answer(): void;
  fail(error: unknown): void;
}

/** At most `batchSize` calls at a time. */
const inOne = { workers: 1, max: 99 };

/** A model whose calls the test answers; like the real one it rejects when its signal aborts. */
function manual() {
  const calls: Call[] = [];
  const predict = (given: PredictInput, options: PredictOptions) =>
    new Promise<Prediction>((resolve, reject) => {
      const id = idOf(given);
      options.signal?.addEventListener("abort", () => reject(new InsituError("aborted", "given up")));
      calls.push({ id, options, answer: () => resolve(prediction(id)), fail: reject });
    });
  return { calls, predict, ids: () => calls.map(({ id }) => id) };
}

test("nothing happens before the first result is asked for", async () => {
  const { calls, predict } = manual();
  let opened = 0;
  const source = {
    [Symbol.iterator]: () => {
      opened += 1;
      return inputs(3).values();
    },
  };
  const results = predictAll({ predict, ...inOne }, source, { batchSize: 2 });
  await turn();
  expect([calls.length, opened]).toEqual([0, 0]);
  await results.return();
  expect([calls.length, opened]).toEqual([0, 0]);
});

test("answers in any order come in the order of the inputs, with low priority and the caller's timeout", async () => {
  const { calls, predict, ids } = manual();
  const heard: unknown[] = [];
  const onProgress = (progress: unknown) => void heard.push(progress);
  const results = predictAll({ predict, ...inOne }, inputs(3), { batchSize: 2, timeout: 7, onProgress });
  const first = results.next();
  await turn();
  expect(ids()).toEqual([0, 1]);
  expect(calls[0]?.options).toMatchObject({ timeout: 7, priority: "low" });
  calls[1]?.answer();
  await turn();
  // The second is held: a third would be one more than two.
  expect(ids()).toEqual([0, 1]);
  calls[0]?.answer();
  expect((await first).value).toEqual(prediction(0));
  expect((await results.next()).value).toEqual(prediction(1));
  await turn();
  expect(ids()).toEqual([0, 1, 2]);
  calls[2]?.answer();
  expect((await results.next()).value).toEqual(prediction(2));
  expect((await results.next()).done).toBe(true);
  expect(heard).toEqual([1, 2, 3].map((done) => ({ done, total: 3 })));
});

test("a caller that leaves the loop ends the calls and the source", async () => {
  const { calls, predict } = manual();
  let closed = 0;
  async function* source() {
    try {
      yield* inputs(9);
    } finally {
      closed += 1;
    }
  }
  const walk = (async () => {
    for await (const result of predictAll({ predict, ...inOne }, source(), { batchSize: 3 })) return result;
  })();
  await turn();
  calls[0]?.answer();
  expect(await walk).toEqual(prediction(0));
  expect(calls.slice(1).map(({ options }) => options.signal?.aborted)).toEqual([true, true]);
  expect(closed).toBe(1);
});

test("return() while a result is waited for ends that wait too, also when the source never answers", async () => {
  let closed = 0;
  const source = {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise<never>(() => undefined),
      return: () => {
        closed += 1;
        return new Promise<never>(() => undefined);
      },
    }),
  };
  const results = predictAll({ predict: manual().predict, ...inOne }, source);
  const waiting = results.next();
  await turn();
  await results.return();
  expect(await waiting).toEqual({ done: true, value: undefined });
  expect(closed).toBe(1);
});

test.each(["before", "while a call runs", "while the caller is busy"])(
  "a signal %s ends it with aborted",
  async (when) => {
    const { calls, predict } = manual();
    const controller = new AbortController();
    if (when === "before") controller.abort("enough");
    const results = predictAll({ predict, ...inOne }, inputs(4), { batchSize: 2, signal: controller.signal });
    let next = results.next();
    next.catch(() => undefined);
    await turn();
    if (when === "while the caller is busy") {
      calls[0]?.answer();
      await next;
      controller.abort("enough");
      // At once, not only when the caller comes back.
      expect(calls[1]?.options.signal?.aborted).toBe(true);
      next = results.next();
    }
    controller.abort("enough");
    await expect(next).rejects.toMatchObject({ code: "aborted", cause: "enough" });
    expect(calls.length).toBe(when === "before" ? 0 : 2);
    expect(calls.every(({ options }) => options.signal?.aborted)).toBe(true);
    expect(await results.next()).toEqual({ done: true, value: undefined });
  },
);

test("an input that fails is told at its place, and the others' failures are nobody's", async () => {
  const { calls, predict } = manual();
  const results = predictAll({ predict, ...inOne }, inputs(9), { batchSize: 4 });
  const first = results.next();
  await turn();
  const fault = new InsituError("output_invalid", "NaN", { output: "y" });
  calls[1]?.fail(fault);
  calls[2]?.fail(new Error("later"));
  await turn();
  calls[0]?.answer();
  expect((await first).value).toEqual(prediction(0));
  await expect(results.next()).rejects.toMatchObject({
    name: "InsituError",
    code: "output_invalid",
    data: { output: "y", index: 1 },
    cause: fault,
  });
  expect(calls[3]?.options.signal?.aborted).toBe(true);
  expect((await results.next()).done).toBe(true);
});

test("a source that fails is told after the results of what it gave", async () => {
  const { calls, predict } = manual();
  const fault = new Error("the camera is gone");
  async function* source() {
    yield* inputs(2);
    throw fault;
  }
  const results = predictAll({ predict, ...inOne }, source(), { batchSize: 8 });
  const first = results.next();
  await turn();
  for (const call of calls) call.answer();
  expect((await first).value).toEqual(prediction(0));
  expect((await results.next()).value).toEqual(prediction(1));
  await expect(results.next()).rejects.toBe(fault);
});

test("a source that cannot close ends it with the error before, not with a second one", async () => {
  const { predict, calls } = manual();
  const source = { [Symbol.iterator]: () => ({ ...inputs(3).values(), next: () => ({ value: input(0) }), return: () => { throw new Error("stuck"); } }) }; // biome-ignore format: one line
  const next = predictAll({ predict, ...inOne }, source, { batchSize: 1 }).next();
  await turn();
  calls[0]?.fail(new Error("the model's own"));
  await expect(next).rejects.toThrow("the model's own");
});

test.each([undefined, 7, {}, () => 1])("%s is no sequence", async (wrong) => {
  const next = predictAll({ predict: manual().predict, ...inOne }, wrong as unknown as PredictInput[]).next();
  await expect(next).rejects.toMatchObject({ code: "input_invalid" });
});

test("a batch for each worker is sent, and never more than the model accepts", async () => {
  for (const [parts, expected] of [
    [{ workers: 3, max: 99 }, 6],
    [{ workers: 3, max: 5 }, 5],
  ] as const) {
    const { calls, predict } = manual();
    const results = predictAll({ predict, ...parts }, inputs(20), { batchSize: 2 });
    const first = results.next();
    await turn();
    expect(calls.length).toBe(expected);
    await results.return();
    await first;
  }
});

test.each([0, 1.5, Number.NaN, -1])("a batch size of %s is refused", async (batchSize) => {
  const next = predictAll({ predict: manual().predict, ...inOne }, inputs(1), { batchSize }).next();
  await expect(next).rejects.toMatchObject({ code: "input_invalid", data: { option: "batchSize", value: batchSize } });
});

test("under any latencies of source, model and caller, the order holds and no more than the window is held", async () => {
  const delays = fc.array(fc.record({ source: fc.nat(3), model: fc.nat(5), caller: fc.nat(2) }), { maxLength: 20 });
  const wait = async (turns: number) => {
    for (let i = 0; i < turns; i += 1) await Promise.resolve().then(() => (i % 2 ? turn() : undefined));
  };
  await fc.assert(
    fc.asyncProperty(delays, fc.integer({ min: 1, max: 6 }), async (items, window) => {
      let taken = 0;
      let most = 0;
      let given = 0;
      async function* source() {
        for (const [id, { source: ms }] of items.entries()) {
          await wait(ms);
          taken += 1;
          most = Math.max(most, taken - given);
          yield input(id);
        }
      }
      const predict = async (one: PredictInput) => {
        await wait(items[idOf(one)]?.model ?? 0);
        return prediction(idOf(one));
      };
      const got: string[] = [];
      for await (const { id } of predictAll({ predict, ...inOne }, source(), { batchSize: window })) {
        given += 1;
        got.push(id);
        await wait(items[Number(id)]?.caller ?? 0);
      }
      expect(got).toEqual(items.map((_, id) => String(id)));
      expect(most).toBeLessThanOrEqual(window);
    }),
    { numRuns: 150 },
  );
});
