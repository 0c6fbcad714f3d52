// A user's own classes: taught, trained, evaluated, reverted and forgotten, with the real worker and database.
import { expect, test } from "../../../support/fixtures.js";
import { codeOf, digits, NAMES, open, say, state, teach } from "../../../support/teaching.js";

test("one example a class is enough to answer; a training makes a version that says what it is", async ({ page }) => {
  await open(page);
  expect(await codeOf(page, `window.mine.predict(new Float32Array(784))`)).toBe("input_invalid");
  await teach(page, [...digits(1, 0, 1), ...digits(7, 0, 1)]);
  const [one, seven] = await say(page, [...digits(1, 20, 21), ...digits(7, 20, 21)]);
  expect([one?.label, seven?.label]).toEqual(["one", "seven"]);
  expect(one).toMatchObject({ head: "nearest-mean", version: 0 });
  expect(one?.sum).toBeCloseTo(1, 5);
  const version = await page.evaluate(() => window.mine.train());
  expect(version).toMatchObject({ version: 1, trigger: "asked", head: "nearest-mean", labels: ["one", "seven"] });
  expect(version.reason).toMatch(/fewer than four/);
  expect((await say(page, digits(1, 20, 21)))[0]).toMatchObject({ label: "one", version: 1 });
});

test("with more examples the softmax layer competes, and the better of the two on held-out examples is used", async ({
  page,
}) => {
  await open(page);
  await teach(
    page,
    [1, 4, 7].flatMap((label) => digits(label, 0, 16)),
  );
  const seen: string[] = [];
  const version = await page.evaluate(async () => {
    const phases: string[] = [];
    const made = await window.mine.train({ onProgress: ({ phase }) => phases.push(phase) });
    return { made, phases };
  });
  seen.push(...new Set(version.phases));
  expect(seen).toEqual(["train", "judge", "store"]);
  const { judged, counts, head, activated, base } = version.made;
  expect(counts).toEqual({
    one: { trained: 12, heldOut: 4 },
    four: { trained: 12, heldOut: 4 },
    seven: { trained: 12, heldOut: 4 },
  });
  expect(judged["nearest-mean"]?.examples).toBe(12);
  expect(judged.softmax?.examples).toBe(12);
  expect(judged[head]?.correct).toBe(Math.max(judged.softmax?.correct ?? 0, judged["nearest-mean"]?.correct ?? 0));
  expect([activated, base.name]).toEqual([true, "digits"]);
  const fresh = [1, 4, 7].flatMap((label) => digits(label, 40, 60));
  const said = await say(page, fresh);
  const right = said.filter(({ label }, index) => label === NAMES[fresh[index]?.label ?? 0]).length;
  expect(right).toBeGreaterThanOrEqual(54);
  const judgement = await page.evaluate(() => window.mine.evaluate());
  expect(judgement).toMatchObject({ version: 1, examples: 12 });
  const counted = judgement.confusion.reduce((sum, { count }) => sum + count, 0) + judgement.unknown;
  expect(counted).toBe(12);
});

test("what is far from all that was taught is called unknown", async ({ page }) => {
  await open(page);
  await teach(
    page,
    [1, 7].flatMap((label) => digits(label, 0, 30)),
  );
  await page.evaluate(() => window.mine.train());
  const others = await say(
    page,
    [0, 8].flatMap((label) => digits(label, 0, 20)),
  );
  expect(others.filter(({ label }) => label === undefined).length).toBeGreaterThanOrEqual(20);
  const known = await say(
    page,
    [1, 7].flatMap((label) => digits(label, 40, 60)),
  );
  expect(known.filter(({ label }) => label === undefined).length).toBeLessThanOrEqual(4);
  for (const { label, distance } of [...others, ...known]) expect(label === undefined).toBe(distance > 1);
});

test("a version that is worse on held-out examples is kept and not used; one can go back and forth", async ({
  page,
}) => {
  await open(page);
  await teach(
    page,
    [1, 7].flatMap((label) => digits(label, 0, 12)),
  );
  const first = await page.evaluate(() => window.mine.train());
  expect(first.judged[first.head]).toMatchObject({ examples: 6, correct: 6 });
  // What was trained on goes, and ones come as sevens and the other way round; what is held out stays as it was.
  const wrong = await page.evaluate(
    async ([ones, sevens]) => {
      for (const { id, heldOut } of await window.mine.examples()) if (!heldOut) await window.mine.remove(id);
      for (const pixels of ones) await window.mine.addExample(Float32Array.from(pixels), "seven");
      for (const pixels of sevens) await window.mine.addExample(Float32Array.from(pixels), "one");
      return window.mine.train();
    },
    [1, 7].map((label) => digits(label, 20, 28).map(({ pixels }) => [...pixels])) as [number[][], number[][]],
  );
  expect(wrong).toMatchObject({ version: 2, parent: 1, activated: false, before: { examples: 6, correct: 6 } });
  expect(wrong.reason).toMatch(/stays in use/);
  expect(await state(page)).toMatchObject({ version: 1 });
  expect(await codeOf(page, `window.mine.revert()`)).toBe("input_invalid");
  expect((await page.evaluate(() => window.mine.revert(2))).version).toBe(2);
  expect((await say(page, digits(1, 61, 62)))[0]).toMatchObject({ version: 2 });
  expect((await page.evaluate(() => window.mine.revert())).version).toBe(1);
  expect((await say(page, digits(1, 61, 62)))[0]).toMatchObject({ label: "one", version: 1 });
  expect((await page.evaluate(() => window.mine.versions())).map(({ version }) => version)).toEqual([1, 2]);
  expect(await codeOf(page, `window.mine.revert(9)`)).toBe("input_invalid");
});

test("all of it is there in the next visit, in another tab, and after the worker died", async ({ page, visit }) => {
  const store = await open(page);
  const ids = await teach(
    page,
    [1, 7].flatMap((label) => digits(label, 0, 6)),
  );
  await page.evaluate(() => window.mine.train());
  const other = await visit();
  await open(other, { store });
  expect((await other.evaluate(() => window.mine.examples())).map(({ id }) => id)).toEqual(ids);
  expect((await say(other, digits(7, 30, 31)))[0]).toMatchObject({ label: "seven", version: 1 });
  // What one tab does, the other sees at its next call.
  await page.evaluate(() => window.mine.remove({ label: "one" }));
  expect(await state(other)).toMatchObject({ labels: { seven: 6 }, examples: 6 });
  expect(await other.evaluate((id) => window.mine.remove(id), ids[11] as string)).toBe(1);
  expect(await state(page)).toMatchObject({ examples: 5 });
});

test("two tabs that teach and train at once lose nothing, and number their versions apart", async ({ page, visit }) => {
  const store = await open(page);
  const other = await visit();
  await open(other, { store });
  await Promise.all([teach(page, digits(1, 0, 12)), teach(other, digits(7, 0, 12))]);
  expect(await state(page)).toMatchObject({ labels: { one: 12, seven: 12 } });
  const versions = await Promise.all([page, other].map((tab) => tab.evaluate(() => window.mine.train())));
  expect(versions.map(({ version }) => version).sort()).toEqual([1, 2]);
  expect((await page.evaluate(() => window.mine.examples())).filter(({ heldOut }) => heldOut)).toHaveLength(6);
});

test("an abort ends a training, and everything is as it was", async ({ page }) => {
  await open(page);
  await teach(
    page,
    [1, 4, 7].flatMap((label) => digits(label, 0, 16)),
  );
  const code = await page.evaluate(async () => {
    const controller = new AbortController();
    const training = window.mine.train({ signal: controller.signal, onProgress: () => controller.abort() });
    return training.then(
      () => "trained",
      (error) => error.code,
    );
  });
  expect(code).toBe("aborted");
  expect(await state(page)).toMatchObject({ version: 0, fresh: 48 });
  expect((await page.evaluate(() => window.mine.train())).version).toBe(1);
});

test("a budget ends a training with what is best by then", async ({ page }) => {
  await open(page);
  await teach(
    page,
    [1, 4, 7].flatMap((label) => digits(label, 0, 16)),
  );
  const version = await page.evaluate(() => window.mine.train({ budget: 1 }));
  expect(version.activated).toBe(true);
  expect(version.judged.softmax?.examples).toBe(12);
});

test("inputs are kept only where asked, and can be seen again", async ({ page }) => {
  await open(page);
  const [plain] = await teach(page, digits(1, 0, 1));
  const [kept] = await teach(page, digits(7, 0, 1), true);
  expect(await page.evaluate((id) => window.mine.kept(id), plain as string)).toBeUndefined();
  const bytes = await page.evaluate(async (id) => (await window.mine.kept(id))?.size, kept as string);
  expect(bytes).toBe(784 * 4);
  const examples = await page.evaluate(() => window.mine.examples());
  expect(examples.map(({ kept }) => kept)).toEqual([false, true]);
});

test("a kept photo is a small JPEG of its pixels alone", async ({ page }) => {
  await open(page, { package: "/models/features/" });
  const kept = await page.evaluate(async () => {
    const photo = await (await fetch("/photos/coffee.jpg")).blob();
    const { id } = await window.mine.addExample(photo, "cup", { keep: true });
    const blob = (await window.mine.kept(id)) as Blob;
    const { width, height } = await createImageBitmap(blob);
    return { type: blob.type, longer: Math.max(width, height), head: (await blob.text()).includes("Exif") };
  });
  expect(kept).toEqual({ type: "image/jpeg", longer: 600, head: false });
});

test("consent that is denied stops learning; what was learned still answers, and can be forgotten", async ({
  page,
}) => {
  await open(page);
  await teach(page, [...digits(1, 0, 1), ...digits(7, 0, 1)]);
  await page.evaluate(() => window.client.personal.setConsent("denied"));
  expect(await codeOf(page, `window.mine.addExample(new Float32Array(784), "x")`)).toBe("consent_denied");
  expect(await codeOf(page, `window.mine.train()`)).toBe("consent_denied");
  expect((await say(page, digits(1, 20, 21)))[0]?.label).toBe("one");
  expect(await page.evaluate(() => window.client.personal.list())).toMatchObject([
    { kind: "classifier", model: "digits", name: "mine", examples: 2, versions: 0 },
  ]);
  await page.evaluate(() => window.client.personal.forget());
  expect(await page.evaluate(() => window.client.personal.list())).toEqual([]);
  expect(await state(page)).toMatchObject({ examples: 0, version: 0 });
  await page.evaluate(() => window.client.personal.setConsent("granted"));
  await teach(page, digits(1, 0, 1));
  expect(await state(page)).toMatchObject({ examples: 1 });
});

test("a model without an embedding says what is missing, and names and labels are checked", async ({ page }) => {
  await open(page);
  expect(await codeOf(page, `window.base.personalize("")`)).toBe("input_invalid");
  expect(await codeOf(page, `window.mine.addExample(new Float32Array(784), "")`)).toBe("input_invalid");
  expect(await codeOf(page, `window.mine.addExample(new Float32Array(784), "x".repeat(300))`)).toBe("input_invalid");
  expect(await codeOf(page, `window.mine.addExample(new Float32Array(7), "x")`)).toBe("input_invalid");
  expect(await codeOf(page, `window.mine.train()`)).toBe("input_invalid");
  expect(await codeOf(page, `window.mine.addExample(undefined, "x")`)).toBe("input_invalid");
  expect(await codeOf(page, `window.mine.predict(undefined)`)).toBe("input_invalid");
  expect(await state(page)).toMatchObject({ examples: 0 });
});
