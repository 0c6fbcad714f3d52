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

/** What the table of events holds, whatever it is. */
const stored = (on: Page, store: string) =>
  on.evaluate(async (name) => {
    const opening = indexedDB.open(`${name}-ranking`);
    await new Promise((done) => opening.addEventListener("success", done));
    const rows = opening.result.transaction("rows").objectStore("rows").getAll();
    await new Promise((done) => rows.addEventListener("success", done));
    opening.result.close();
    return rows.result.length;
  }, store);

test("an import that was under way when all was forgotten stores nothing, whichever tab forgot", async ({
  page,
  visit,
}) => {
  const store = await open(page);
  const other = await visit();
  await open(other, store);
  const all = films.map(({ id }) => id);
  const order = await first(page);
  for (let n = 0; n < 3; n += 1) await click(page, all);
  await page.evaluate(async () => {
    Object.assign(window, { file: await window.order.export() });
    await window.order.forget();
  });
  const erase = [
    (on: Page) => on.evaluate(() => window.order.forget()),
    (on: Page) => on.evaluate(() => window.rankers.personal.forget()),
  ];
  const outcomes: string[] = [];
  for (let index = 0; index < 24; index += 1) {
    await page.evaluate(
      `void (window.outcome = window.order.import(window.file).then(() => "done", ({ code }) => code))`,
    );
    await new Promise((resolve) => setTimeout(resolve, index * 2));
    await erase[index % 4 < 2 ? 0 : 1]?.(index % 2 ? other : page);
    outcomes.push(await page.evaluate("window.outcome"));
    await expect.poll(() => page.evaluate(() => window.order.events().then(({ length }) => length))).toBe(0);
    expect(await stored(page, store), `try ${index}`).toBe(0);
    expect(await first(page), `try ${index}`).toEqual(order);
  }
  expect(new Set(outcomes)).toEqual(new Set(["done", "disposed"]));
});

test("in one tab nothing is awaited: events that were recorded and a file that was imported before forget are gone", async ({
  page,
}) => {
  const store = await open(page);
  await click(page, likes);
  const code = await page.evaluate(async (id) => {
    const file = await window.order.export();
    await window.order.forget();
    const imported = window.order.import(file).then(
      () => "imported",
      (error) => error.code,
    );
    const recorded = window.order.recordEvents({ kind: "clicked", item: id, position: 0 });
    await window.order.forget();
    await recorded;
    return imported;
  }, likes[0] as string);
  expect(code).toBe("disposed");
  expect(await stored(page, store)).toBe(0);
  expect(await page.evaluate(() => window.order.events())).toEqual([]);
});

test("an event that another tab records after all was forgotten is learned, and a file can be imported again", async ({
  page,
  visit,
}) => {
  const store = await open(page);
  await click(page, likes);
  const other = await visit();
  await open(other, store);
  await page.evaluate(async () => {
    Object.assign(window, { file: await window.order.export() });
    await window.order.forget();
  });
  const count = (on: Page) => on.evaluate(() => window.order.events().then(({ length }) => length));
  await expect.poll(() => count(other)).toBe(0);
  const late = await visit();
  await open(late, store);
  for (const [index, tab] of [other, late, page].entries()) {
    await click(tab, likes.slice(0, 1));
    for (const each of [page, other, late]) await expect.poll(() => count(each)).toBe(index + 1);
  }
  await page.evaluate(() => window.order.import((window as unknown as { file: Blob }).file));
  for (const each of [page, other, late]) await expect.poll(() => count(each)).toBe(8);
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
