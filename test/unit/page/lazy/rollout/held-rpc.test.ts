// Calls that are counted and held back: their order, their inputs, their ends.
import { expect, test } from "vitest";
import { HeldRpc } from "../../../../../src/page/lazy/rollout/held-rpc.js";
import type { CallInput, ModelRpc } from "../../../../../src/page/workers/model-rpc.js";

const LIMITS = { timeout: 60_000, what: "A prediction" };
type Predict = CallInput<"predict">;

/** A version that answers with what it was given, in the order in which it was called. */
function version(name: string) {
  const called: string[] = [];
  let disposals = 0;
  const rpc = {
    async call(_method: string, input: Predict | (() => Promise<Predict>)) {
      const { args } = await (typeof input === "function" ? input() : input);
      called.push(String(args[0]));
      return `${name} ${args[0]}`;
    },
    async dispose() {
      disposals += 1;
    },
  } as unknown as ModelRpc;
  return { rpc, called, disposals: () => disposals };
}

const inputOf = (value: unknown): Predict => ({ args: [value, {}] }) as unknown as Predict;
const predict = (rpc: HeldRpc, value: unknown, limits: object = {}) =>
  rpc.call("predict", async () => inputOf(value), { ...LIMITS, ...limits }) as Promise<unknown>;

test("what waits is sent in its order once there is a version, and before what comes later", async () => {
  const held = new HeldRpc();
  const waiting = [1, 2, 3].map((value) => predict(held, value));
  const one = version("one");
  held.release(one.rpc);
  const later = predict(held, 4);
  expect(await Promise.all([...waiting, later])).toEqual(["one 1", "one 2", "one 3", "one 4"]);
  expect(one.called).toEqual(["1", "2", "3", "4"]);
});

test("an input is read when the call is made, and again only for a repetition", async () => {
  const held = new HeldRpc();
  let reads = 0;
  let shown = "before";
  const input = async () => {
    reads += 1;
    return inputOf(shown);
  };
  const result = held.call("predict", input, LIMITS) as Promise<unknown>;
  shown = "after";
  const twice = {
    async call(_method: string, given: () => Promise<Predict>) {
      const first = await given();
      const second = await given();
      return [first.args[0], second.args[0]];
    },
  } as unknown as ModelRpc;
  held.release(twice);
  expect(await result).toEqual(["before", "after"]);
  expect(reads).toBe(2);
});

test("a call that is given up while it waits is never sent", async () => {
  const held = new HeldRpc();
  const stop = new AbortController();
  const given = predict(held, 1, { signal: stop.signal });
  const late = predict(held, 2, { timeout: 10 });
  const kept = predict(held, 3);
  stop.abort();
  await expect(given).rejects.toMatchObject({ code: "aborted" });
  await expect(late).rejects.toMatchObject({ code: "timeout" });
  const one = version("one");
  held.release(one.rpc);
  expect(await kept).toBe("one 3");
  expect(one.called).toEqual(["3"]);
});

test("it is idle once the last call has ended, whether held or sent, and is busy until then", async () => {
  const held = new HeldRpc();
  await held.idle();
  const answers: ((value: unknown) => void)[] = [];
  const slow = { call: () => new Promise((resolve) => answers.push(resolve)) } as unknown as ModelRpc;
  const calls = [predict(held, 1), predict(held, 2)];
  let isIdle = false;
  const idle = held.idle().then(() => {
    isIdle = true;
  });
  held.release(slow);
  const [one, two] = answers;
  one?.("one");
  expect(await calls[0]).toBe("one");
  expect(isIdle).toBe(false);
  two?.("two");
  expect(await calls[1]).toBe("two");
  await idle;
  expect(isIdle).toBe(true);
});

test("dispose ends what waits with `disposed`, and frees the version", async () => {
  const held = new HeldRpc();
  const waiting = predict(held, 1);
  await Promise.all([expect(waiting).rejects.toMatchObject({ code: "disposed" }), held.dispose()]);
  const one = version("one");
  await new HeldRpc(one.rpc).dispose();
  expect(one.disposals()).toBe(1);
});
