// Feedback on predictions of this visit or an earlier one, and the accuracy computed from it, with a real IndexedDB.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright";
import { heldOut } from "../../../../../models/digits/data.js";
import { ROOT } from "../../../../../scripts/checks/paths.js";
import type { ClientOptions, Feedback } from "../../../../../src/index.js";
import { expect, test } from "../../../../support/fixtures.js";
import { importLibrary } from "../../../../support/page.js";
import type { Receiver } from "../../../../support/receiver.js";

let stores = 0;

async function open(
  on: Page,
  receiver: Receiver,
  store = `m${++stores}`,
  options: Partial<ClientOptions> = {},
  sampling = 1,
): Promise<string> {
  await on.evaluate(
    async ([endpoint, name, given, share]) => {
      const telemetry = { endpoint, sampling: share };
      window.client = window.insitu.createClient({ backends: ["wasm"], storage: { name }, telemetry, ...given });
      window.model = await window.client.load("/models/digits/", { task: "classification" });
    },
    [receiver.url, store, options, sampling] as const,
  );
  return store;
}

/** Predicts images that differ; returns their ids and classes. */
const predict = (on: Page, times: number) =>
  on.evaluate(async (n) => {
    const made: { id: string; index: number; score: number }[] = [];
    for (let i = 0; i < n; i += 1) {
      const { id, value } = await window.model.predict(
        Float32Array.from({ length: 784 }, (_, at) => ((at * (i + 1)) % 97) / 97),
      );
      made.push({ id, index: value[0]?.index as number, score: value[0]?.score as number });
    }
    return made;
  }, times);
const feedback = (on: Page, id: string, truth: Feedback) =>
  on.evaluate(([of, said]) => window.model.feedback(of, said), [id, truth] as const);
const snapshot = (on: Page) => on.evaluate(() => window.model.monitor.snapshot());

test("the figures of the monitor are those of what was predicted and said", async ({ page, receiver }) => {
  await open(page, receiver);
  const made = await predict(page, 30);
  for (const [i, { id, index }] of made.entries())
    expect(await feedback(page, id, i % 3 === 0 ? { class: (index + 1) % 10 } : { label: `${index}` })).toBe("counted");
  const { model, versions, unmatched } = await snapshot(page);
  expect([model, versions.length, unmatched]).toEqual(["digits", 1, 0]);
  const [version] = versions;
  expect(version).toMatchObject({ predictions: 30, labelled: 30, correct: 20, accuracy: 20 / 30, enough: false });
  expect(version?.interval[0]).toBeCloseTo(0.4878, 3);
  expect(version?.last500).toMatchObject({ labelled: 30, correct: 20 });
  expect(version?.lastDay).toMatchObject({ labelled: 30, correct: 20 });
  expect(version?.confusion.reduce((sum, { count }) => sum + count, 0)).toBe(30);
  const brier = made.reduce((sum, { score }, i) => sum + (score - (i % 3 === 0 ? 0 : 1)) ** 2, 0) / 30;
  expect(version?.brier).toBeCloseTo(brier, 6);
  expect(version?.estimate?.accuracy).toBeCloseTo(made.reduce((sum, { score }) => sum + score, 0) / 30, 6);
});

test("repeated feedback changes nothing, other feedback replaces it, and feedback without a prediction is reported", async ({
  page,
  receiver,
}) => {
  await open(page, receiver);
  const [made] = await predict(page, 1);
  const { id, index } = made as { id: string; index: number };
  expect(await feedback(page, id, { class: index })).toBe("counted");
  expect(await feedback(page, id, { class: index })).toBe("repeated");
  expect(await feedback(page, id, { correct: false })).toBe("corrected");
  expect(await feedback(page, "0".repeat(32), { correct: true })).toBe("unmatched");
  expect(await snapshot(page)).toMatchObject({ unmatched: 1, corrected: 1, versions: [{ labelled: 1, correct: 0 }] });
  await page.evaluate(() => window.client.telemetry.flush());
  await expect.poll(() => receiver.count("ml.prediction.outcomes")).toBe(1);
  expect(receiver.count("ml.feedback.unmatched")).toBe(1);
});

test("the truth may come in a later visit, and from another tab; it counts once", async ({ page, visit, receiver }) => {
  const store = await open(page, receiver);
  const [first, second] = await predict(page, 2);
  await page.close({ runBeforeUnload: true });
  const [one, other] = [await visit(), await visit()];
  await Promise.all([open(one, receiver, store), open(other, receiver, store)]);
  const said = await Promise.all([one, other].map((tab) => feedback(tab, first?.id as string, { correct: true })));
  expect(said.sort()).toEqual(["counted", "repeated"]);
  expect(await feedback(one, second?.id as string, { score: 0.25 })).toBe("counted");
  expect((await snapshot(one)).versions[0]).toMatchObject({ predictions: 2, labelled: 2, correct: 1 });
});

test("only the outcome leaves the page: neither the label nor the class", async ({ page, receiver }) => {
  await open(page, receiver);
  const [made] = await predict(page, 1);
  await feedback(page, made?.id as string, { label: "7" });
  await page.evaluate(() => window.client.telemetry.flush());
  await expect.poll(() => receiver.events("ml.feedback")).toBe(1);
  const text = [...receiver.taken().values()].map((each) => each.text).join();
  expect(text).toContain("ml.prediction.outcome");
  expect(text).not.toMatch(/ml\.feedback\.class|ml\.prediction\.class/);
});

test.for<[string, unknown]>([
  ["a label that the model does not have", { label: "cat" }],
  ["a class that is no number", { class: "3" }],
  ["a score over 1", { score: 2 }],
  ["a score that is NaN", { score: Number.NaN }],
  ["nothing", null],
  ["an empty object", {}],
])("%s is refused, and the next feedback is taken", async ([_name, truth], { page, receiver }) => {
  await open(page, receiver);
  const [made] = await predict(page, 1);
  const code = await page.evaluate(
    ([id, said]) => window.model.feedback(id as string, said as never).catch(({ code }) => code),
    [made?.id, truth] as const,
  );
  expect(code).toBe("input_invalid");
  expect(await feedback(page, made?.id as string, { correct: true })).toBe("counted");
});

test("at most a thousand are kept, and clear() forgets them, on disk too", async ({ page, visit, receiver }) => {
  const store = await open(page, receiver);
  const made = await predict(page, 1_020);
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 1_500)));
  expect((await snapshot(page)).versions[0]?.predictions).toBe(1_000);
  expect(await feedback(page, made[0]?.id as string, { correct: true })).toBe("unmatched");
  expect(await feedback(page, made.at(-1)?.id as string, { correct: true })).toBe("counted");
  await page.evaluate(() => window.model.monitor.clear());
  const next = await visit();
  await open(next, receiver, store);
  expect(await feedback(next, made.at(-1)?.id as string, { correct: true })).toBe("unmatched");
  expect((await snapshot(next)).versions).toEqual([]);
});

test("without IndexedDB, and with a database that is deleted meanwhile, feedback of this visit is taken", async ({
  page,
  visit,
  receiver,
}) => {
  await page.addInitScript(() => Object.defineProperty(window, "indexedDB", { value: undefined }));
  await page.reload();
  await importLibrary(page);
  await open(page, receiver);
  const [made] = await predict(page, 1);
  expect(await feedback(page, made?.id as string, { correct: true })).toBe("counted");
  const whole = await visit();
  const store = await open(whole, receiver);
  const [before] = await predict(whole, 1);
  expect(await feedback(whole, before?.id as string, { correct: true })).toBe("counted");
  await whole.evaluate((name) => {
    indexedDB.deleteDatabase(`${name}-monitor`);
  }, store);
  const [after] = await predict(whole, 1);
  expect(await feedback(whole, after?.id as string, { correct: true })).toBe("counted");
});

test("with monitoring off nothing is kept, and feedback is refused", async ({ page, receiver }) => {
  const store = await open(page, receiver, undefined, { monitor: false });
  const [made] = await predict(page, 1);
  const code = await page.evaluate(
    (id) => window.model.feedback(id as string, { correct: true }).catch(({ code }) => code),
    made?.id,
  );
  expect(code).toBe("backend_unavailable");
  expect((await snapshot(page)).versions).toEqual([]);
  const names = await page.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name));
  expect(names).not.toContain(`${store}-monitor`);
});

test("a thousand held-out digits: the page's accuracy, its interval, and what was reported are those of the training", async ({
  page,
  receiver,
}) => {
  const { metrics } = JSON.parse(readFileSync(join(ROOT, "models/digits/package/insitu.json"), "utf8")) as {
    metrics: { heldOutAccuracy: number };
  };
  const held = heldOut().map(({ pixels, label }) => ({ pixels: Array.from(pixels), label }));
  // Two thousand events would be more than a page may send in an hour.
  await open(page, receiver, undefined, {}, 0);
  await page.evaluate(async (digits) => {
    for (const { pixels, label } of digits) {
      const { id } = await window.model.predict(Float32Array.from(pixels));
      await window.model.feedback(id, { label: `${label}` });
    }
    await window.client.telemetry.flush();
  }, held);
  const { versions } = await snapshot(page);
  expect(versions[0]).toMatchObject({ labelled: 1_000, enough: true });
  const correct = versions[0]?.correct as number;
  expect(Math.abs(correct / 1_000 - metrics.heldOutAccuracy)).toBeLessThanOrEqual(0.002);
  expect(receiver.count("ml.prediction.outcomes")).toBe(1_000);
});
