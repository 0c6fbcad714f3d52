// A personal order when a tab crashes, consent is denied, everything is forgotten, or a file of another model is imported.
import type { Page } from "playwright";
import { catalogue } from "../../../../../models/ranker/catalogue.js";
import { crash } from "../../../../support/crash.js";
import { expect, test } from "../../../../support/fixtures.js";

const films = catalogue().slice(0, 300);
const western = films.filter(({ traits }) => traits.includes("genre:Western"));

let stores = 0;

async function open(on: Page, store = `r${++stores}`): Promise<string> {
  const items = films.map(({ id, features, traits }) => ({ id, traits, features: [...features] }));
  await on.evaluate(
    async ([name, all]) => {
      window.rankers = window.insitu.createClient({ backends: ["wasm"], storage: { name } });
      const model = await window.rankers.load("/models/ranker/", { task: "ranking" });
      window.order = await model.personalize("for-you");
      await window.order.setItems(all.map((item) => ({ ...item, features: Float32Array.from(item.features) })));
    },
    [store, items] as const,
  );
  return store;
}

const first = (on: Page) => on.evaluate(() => window.order.rank({ top: 10 }).map(({ id }) => id));
const click = (on: Page, ids: string[]) =>
  on.evaluate(
    (all) => window.order.recordEvents(all.map((item, position) => ({ kind: "clicked" as const, item, position }))),
    ids,
  );
const likes = western.slice(0, 5).map(({ id }) => id);

test("recorded events survive a crash of the tab, and give the same order", async ({ page, visit }) => {
  expect(western.length).toBeGreaterThan(5);
  const store = await open(page);
  const before = await first(page);
  await click(page, likes);
  const after = await first(page);
  expect(after).not.toEqual(before);
  await crash(page);
  const next = await visit();
  await open(next, store);
  expect(await next.evaluate(() => window.order.events())).toHaveLength(5);
  expect(await first(next)).toEqual(after);
});

test("client.personal forgets rankers too, those that are open and those that are not", async ({ page, visit }) => {
  const store = await open(page);
  const before = await first(page);
  await click(page, likes);
  await page.evaluate(() => window.rankers.personal.forget());
  expect(await first(page)).toEqual(before);
  await click(page, likes);
  const other = await visit();
  await other.evaluate(async (name) => {
    const client = window.insitu.createClient({ backends: ["wasm"], storage: { name } });
    await client.personal.forget();
    await client.dispose();
  }, store);
  const next = await visit();
  await open(next, store);
  expect(await next.evaluate(() => window.order.events())).toEqual([]);
});

test("without consent nothing is recorded", async ({ page }) => {
  await open(page);
  const code = await page.evaluate(async (id) => {
    window.rankers.personal.setConsent("denied");
    return window.order.recordEvents({ kind: "clicked", item: id, position: 0 }).then(
      () => "recorded",
      (error) => error.code,
    );
  }, likes[0] as string);
  expect(code).toBe("consent_denied");
  expect(await page.evaluate(() => window.order.events())).toEqual([]);
});

test("a file of another format is refused, and the order stays", async ({ page }) => {
  await open(page);
  await click(page, likes);
  const before = await first(page);
  for (const content of ["", "{}", '{"format":"insitu-ranking"}', "x".repeat(5_000)]) {
    const code = await page.evaluate(
      (text) =>
        window.order.import(new Blob([text])).then(
          () => "imported",
          (error) => error.code,
        ),
      content,
    );
    expect(code, content).toBe("input_invalid");
  }
  expect(await first(page)).toEqual(before);
});
