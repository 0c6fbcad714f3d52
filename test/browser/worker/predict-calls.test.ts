// Predictions on their way to the worker and back: how many messages they take, in which order, and what one bad call does to the others.
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { LibraryPage } from "../../support/page.js";
import { openSharedLibrary } from "../../support/shared-browser.js";

/** What the library posts for a call: a batch of predictions, or a request of comlink's. */
interface Posted {
  calls?: [call: number][];
  path?: string[];
  argumentList?: { value: unknown }[];
}

let library: LibraryPage;

declare global {
  interface Window {
    posted: Posted[];
    answers: number[];
  }
}

beforeAll(async () => {
  library = await openSharedLibrary();
});
afterAll(() => library?.close());
beforeEach(async () => {
  await library.visit();
  await library.page.evaluate(async () => {
    window.posted = [];
    window.answers = [];
    const post = Worker.prototype.postMessage as (...given: unknown[]) => void;
    Worker.prototype.postMessage = function (this: Worker, ...given: unknown[]) {
      post.apply(this, given);
      window.posted.push(given[0] as Posted);
    };
    const worker = () => {
      const made = new Worker("/dist/worker.js", { type: "module" });
      window.handle = made;
      made.addEventListener("message", ({ data }) => {
        if (data?.insitu === "predicted") window.answers.push(data.answers.length);
      });
      return made;
    };
    window.client = window.insitu.createClient({ backends: ["wasm"], worker });
    window.digits = await window.client.load("/models/digits/", { task: "classification", batching: {} });
    await window.digits.tuned;
  });
});

test("calls of one task share a message, answers of one batch too, and each caller gets its own", async () => {
  const { sent, answers, same } = await library.page.evaluate(async () => {
    const inputs = Array.from({ length: 64 }, (_, n) => new Float32Array(784).fill(n / 64));
    const alone: Awaited<ReturnType<typeof window.digits.predict>>[] = [];
    for (const input of inputs) alone.push(await window.digits.predict(input));
    // Batches grow once the first has been verified.
    await Promise.all(inputs.map((input) => window.digits.predict(input)));
    window.posted = [];
    window.answers = [];
    const together = await Promise.all(inputs.map((input) => window.digits.predict(input)));
    const scores = ({ value }: (typeof together)[number]) => value.map(({ label, score }) => [label, score.toFixed(4)]);
    const same = together.every((one, n) => String(scores(one)) === String(scores(alone[n] as typeof one)));
    return { sent: window.posted.flatMap(({ calls }) => calls?.length ?? []), answers: window.answers, same };
  });
  expect(same).toBe(true);
  expect(sent).toEqual([64]);
  expect(answers).toEqual([32, 32]);
});

test("messages that arrive during a run are all read before the next one, which takes them together", async () => {
  const items = await library.page.evaluate(async () => {
    const input = () => ({ kind: "tensor", data: new Float32Array(784).fill(Math.random()) });
    const call = (id: number) => [id, 1, input(), {}];
    const ask = (batches: number[][]) =>
      new Promise<Map<number, number>>((resolve) => {
        const found = new Map<number, number>();
        window.handle.addEventListener("message", function hear({ data }) {
          if (data?.insitu !== "predicted") return;
          for (const { call, value } of data.answers) found.set(call, value.items);
          if (found.size < batches.flat().length) return;
          window.handle.removeEventListener("message", hear);
          resolve(found);
        });
        for (const ids of batches) window.handle.postMessage({ insitu: "predict", calls: ids.map(call) });
      });
    const ids = (from: number, count: number) => Array.from({ length: count }, (_, n) => from + n);
    // Batches grow once the first has been verified.
    await ask([ids(1e6, 4)]);
    const found = await ask([ids(2e6, 32), ...ids(3e6, 8).map((id) => [id])]);
    return ids(3e6, 8).map((id) => found.get(id));
  });
  expect(items).toEqual(Array.from({ length: 8 }, () => 8));
});

test("what cannot be copied rejects alone", async () => {
  const outcomes = await library.page.evaluate(async () => {
    const input = new Float32Array(784);
    const bad = { top: (() => 3) as unknown as number };
    const calls = [undefined, bad, undefined, bad].map((options) =>
      window.digits.predict(input, options).then(
        ({ value }) => value.length,
        ({ code }: { code: string }) => code,
      ),
    );
    return Promise.all(calls);
  });
  expect(outcomes).toEqual(
    [5, "input_invalid", 5, "input_invalid"].map((one) => (one === 5 ? expect.any(Number) : one)),
  );
});

test("an abort never overtakes its call, whenever it comes", async () => {
  const { codes, early, after } = await library.page.evaluate(async () => {
    const codes = new Set<string>();
    for (let steps = 0; steps < 40; steps += 1) {
      const stop = new AbortController();
      const running = window.digits.predict(new Float32Array(784), { signal: stop.signal });
      for (let step = 0; step < steps; step += 1) await undefined;
      stop.abort();
      codes.add(await running.then(() => "ran", ({ code }: { code: string }) => code)); // biome-ignore format: one line
    }
    const sent = new Set<number>();
    const early: unknown[] = [];
    for (const { calls, path, argumentList } of window.posted) {
      for (const [call] of calls ?? []) sent.add(call);
      const call = argumentList?.[0]?.value as number;
      if (path?.[0] === "abort" && !sent.has(call)) early.push(call);
    }
    const { value } = await window.digits.predict(new Float32Array(784));
    return { codes: [...codes], early, after: value.length };
  });
  expect(codes).toEqual(["aborted"]);
  expect(early).toEqual([]);
  expect(after).toBeGreaterThan(0);
});

test("an error of the worker reaches its caller with code and data, beside others that run", async () => {
  const outcomes = await library.page.evaluate(() =>
    Promise.all(
      [784, 783, 784].map((length) =>
        window.digits.predict(new Float32Array(length)).then(
          () => ["ran"],
          ({ code, data, name }: { code: string; data: object; name: string }) => [name, code, Object.keys(data).length > 0], // biome-ignore format: one line
        ),
      ),
    ),
  );
  expect(outcomes).toEqual([["ran"], ["InsituError", "input_invalid", true], ["ran"]]);
});
