// What one browser exports, another imports unchanged; an altered or made-up file changes nothing.
import type { Page } from "playwright";
import { fromFile, toFile } from "../../../../src/worker/personal/export-format.js";
import { expect, test } from "../../../support/fixtures.js";
import { codeOf, digits, open, say, state, teach } from "../../../support/teaching.js";

async function exported(on: Page, kept = true): Promise<Buffer> {
  const text = await on.evaluate(async (withKept) => {
    const bytes = new Uint8Array(await (await window.mine.export({ kept: withKept })).arrayBuffer());
    let all = "";
    for (let at = 0; at < bytes.length; at += 8192) all += String.fromCharCode(...bytes.subarray(at, at + 8192));
    return btoa(all);
  }, kept);
  return Buffer.from(text, "base64");
}

/** What `import` says: what was taken over, or the code and message of what was refused. */
const imported = (on: Page, file: Uint8Array) =>
  on.evaluate(async (text) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    try {
      return await window.mine.import(new Blob([bytes]));
    } catch (error) {
      return { code: (error as { code: string }).code, message: (error as Error).message };
    }
  }, Buffer.from(file).toString("base64"));

test("examples, kept inputs and versions arrive as they were, and twice is not double", async ({ page, visit }) => {
  await open(page);
  await teach(
    page,
    [1, 7].flatMap((label) => digits(label, 0, 8)),
    true,
  );
  const version = await page.evaluate(() => window.mine.train());
  const [said] = await say(page, digits(7, 40, 41));
  const file = await exported(page);
  const other = await visit();
  await open(other);
  expect(await imported(other, file)).toEqual({ examples: 16, versions: 1, known: 0, unusable: 0 });
  expect(await state(other)).toMatchObject({ examples: 16, version: 1, fresh: 0 });
  const [there] = await other.evaluate(() => window.mine.versions());
  expect({ ...there, usable: true }).toEqual({ ...version, usable: true });
  const [again] = await say(other, digits(7, 40, 41));
  expect(again?.distance).toBeCloseTo(said?.distance as number, 5);
  expect(await imported(other, file)).toEqual({ examples: 0, versions: 0, known: 16, unusable: 0 });
  expect(await other.evaluate(() => window.mine.versions())).toHaveLength(1);
  const sizes = await other.evaluate(async () =>
    Promise.all((await window.mine.examples()).map(async ({ id }) => (await window.mine.kept(id))?.size)),
  );
  expect(new Set(sizes)).toEqual(new Set([784 * 4]));
  const light = await fromFile(new Uint8Array(await exported(other, false)));
  expect(light.examples.every(({ input }) => input === undefined)).toBe(true);
});

test("a file of another model, or of none, is refused, and nothing changes", async ({ page }) => {
  await open(page);
  await teach(page, digits(1, 0, 4));
  const good = await fromFile(new Uint8Array(await exported(page)));
  const [first] = good.examples;
  if (!first) throw new Error("There is no example.");
  const fresh = { ...first, id: "f".repeat(32) };
  const bad: [string, Uint8Array][] = [
    ["no file", new TextEncoder().encode("a".repeat(100))],
    ["empty", new Uint8Array(0)],
    ["cut off", (await toFile(good)).slice(0, -7)],
    ["other model", await toFile({ ...good, model: "other" })],
    ["NaN", await toFile({ ...good, examples: [{ ...fresh, vector: fresh.vector.map(() => Number.NaN) }] })],
    ["size", await toFile({ ...good, examples: [{ ...fresh, vector: new Float32Array(3) }] })],
    ["label", await toFile({ ...good, examples: [{ ...fresh, label: "x".repeat(1_000) }] })],
    ["id", await toFile({ ...good, examples: [{ ...fresh, id: "../../x" }] })],
    ["twice", await toFile({ ...good, examples: [fresh, fresh] })],
  ];
  for (const [name, file] of bad) expect(await imported(page, file), name).toMatchObject({ code: "input_invalid" });
  expect(await state(page)).toMatchObject({ examples: 4, labels: { one: 4 } });
  expect(await codeOf(page, "window.mine.import({})")).toBe("input_invalid");
  expect(await codeOf(page, "window.mine.predict(new Float32Array(784).fill(0.5))")).toBe("nothing");
});
