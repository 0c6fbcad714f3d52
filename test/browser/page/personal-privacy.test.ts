// `client.personal`: the list of models and rankers, and forgetting all of it, with the real worker and databases.
import type { Page } from "playwright";
import { catalogue } from "../../../models/ranker/catalogue.js";
import { expect, test } from "../../support/fixtures.js";
import { digits, open, teach } from "../../support/teaching.js";

const films = catalogue()
  .slice(0, 20)
  .map(({ id, features, traits }) => ({ id, traits, features: [...features] }));

/** A personal model of the digits with two examples and feedback, and a ranker with one event; feedback on the base model too. */
async function learn(on: Page): Promise<string> {
  const store = await open(on);
  await teach(on, [...digits(1, 0, 1), ...digits(7, 0, 1)]);
  await on.evaluate(async (items) => {
    const image = new Float32Array(784);
    await window.mine.feedback((await window.mine.predict(image)).id, { label: "one" });
    await window.base.feedback((await window.base.predict(image)).id, { correct: true });
    const model = await window.client.load("/models/ranker/", { task: "ranking" });
    window.order = await model.personalize("for-you");
    await window.order.setItems(items.map((item) => ({ ...item, features: Float32Array.from(item.features) })));
    await window.order.recordEvents({ kind: "clicked", item: items[0]?.id as string, position: 0 });
  }, films);
  return store;
}

/** Which models have outcomes in the monitor's table, once the page has written them. */
const monitored = (on: Page, store: string) =>
  on.evaluate(async (name) => {
    const opening = indexedDB.open(`${name}-monitor`);
    await new Promise((done) => opening.addEventListener("success", done));
    const rows = opening.result.transaction("rows").objectStore("rows").getAll();
    await new Promise((done) => rows.addEventListener("success", done));
    opening.result.close();
    return [...new Set(rows.result.map(({ model }: { model: string }) => model))].sort();
  }, store);

test("models and rankers are listed, and say which they are", async ({ page }) => {
  await learn(page);
  expect(await page.evaluate(() => window.client.personal.list())).toEqual([
    { kind: "classifier", model: "digits", name: "mine", examples: 2, versions: 0, bytes: expect.any(Number) },
    { kind: "ranker", model: expect.any(String), name: "for-you", events: 1, bytes: expect.any(Number) },
  ]);
});

test("forget removes what no page has open, with its feedback; the base model's own feedback stays", async ({
  page,
  visit,
}) => {
  const store = await learn(page);
  await expect.poll(() => monitored(page, store)).toEqual(expect.arrayContaining(["digits", "digits/mine"]));
  await page.close();
  const other = await visit();
  const left = await other.evaluate(async (name) => {
    const { personal } = window.insitu.createClient({ backends: ["wasm"], storage: { name } });
    await personal.forget();
    return personal.list();
  }, store);
  expect(left).toEqual([]);
  const models = await monitored(other, store);
  expect(models).toContain("digits");
  expect(models).not.toContain("digits/mine");
});

test("an open model that cannot forget does not stop the others", async ({ page }) => {
  await learn(page);
  const left = await page.evaluate(async () => {
    await window.base.dispose();
    await window.client.personal.forget();
    return [await window.client.personal.list(), await window.order.events()];
  });
  expect(left).toEqual([[], []]);
});
