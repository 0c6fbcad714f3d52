// A personal model is retrained by its triggers: enough new examples, age, and feedback that shows a lower accuracy.
import type { Page } from "playwright";
import { expect, test } from "../../../../support/fixtures.js";
import { digits, open, say, state, teach } from "../../../../support/teaching.js";

const snapshot = (page: Page) => page.evaluate(() => window.mine.monitor.snapshot());

test("enough new examples start a training when the page is idle, and the monitor says so", async ({ page }) => {
  await open(page, { personal: { triggers: { examples: 8, coolDown: 0 } } });
  await page.evaluate(() => {
    window.heard = [];
    window.base.monitor.addEventListener("retrain", ({ detail }) => void window.heard.push(detail));
  });
  await teach(page, digits(1, 0, 7));
  await page.waitForTimeout(600);
  expect(await state(page)).toMatchObject({ version: 0, fresh: 7 });
  await teach(page, digits(7, 0, 1));
  await expect.poll(() => state(page), { timeout: 15_000 }).toMatchObject({ version: 1, fresh: 0 });
  const [fired] = (await snapshot(page)).fired;
  expect(fired).toMatchObject({ trigger: "examples", outcome: "trained", version: 1 });
  expect(fired?.why).toMatch(/8 new examples/);
  const heard = await page.evaluate(() => window.heard);
  expect(heard.map(({ outcome }) => outcome)).toEqual(["waiting", "training", "trained"]);
  expect(heard[0]).toMatchObject({ personal: "mine" });
  const { retrain } = await page.evaluate(() => window.base.monitor.snapshot());
  expect(retrain).toMatchObject([{ personal: "mine", trigger: "examples", outcome: "trained" }]);
  const [version] = await page.evaluate(() => window.mine.versions());
  expect(version).toMatchObject({ trigger: "examples" });
});

test("age starts a training only where there is something new", async ({ page }) => {
  await open(page, { personal: { triggers: { age: 1_000, coolDown: 0 } } });
  await teach(page, [...digits(1, 0, 4), ...digits(7, 0, 4)]);
  await page.evaluate(() => window.mine.train());
  await page.waitForTimeout(1_500);
  expect(await state(page)).toMatchObject({ version: 1 });
  await teach(page, digits(1, 4, 5));
  await expect.poll(() => state(page), { timeout: 15_000 }).toMatchObject({ version: 2 });
  expect((await snapshot(page)).fired).toMatchObject([{ trigger: "age" }]);
});

test("feedback that says the accuracy fell starts one training, and not one after the other", async ({ page }) => {
  await open(page, { personal: { triggers: { accuracy: 0.1, coolDown: 0 } } });
  await teach(
    page,
    [1, 7].flatMap((label) => digits(label, 0, 12)),
  );
  await page.evaluate(() => window.mine.train());
  const said = await say(
    page,
    [1, 7].flatMap((label) => digits(label, 20, 40)),
  );
  for (const { id } of said.slice(0, 30)) {
    await page.evaluate((of) => window.mine.feedback(of, { correct: false }), id);
    // A look comes once things have settled; three of them must agree.
    await page.waitForTimeout(60);
  }
  for (const { id } of said.slice(30, 33)) {
    await page.evaluate((of) => window.mine.feedback(of, { correct: false }), id);
    await page.waitForTimeout(350);
  }
  await expect.poll(async () => (await snapshot(page)).fired.length, { timeout: 15_000 }).toBe(1);
  await expect.poll(async () => (await snapshot(page)).fired[0]?.outcome).toMatch(/^trained|not_better$/);
  const { fired } = await snapshot(page);
  expect(fired[0]).toMatchObject({ trigger: "accuracy" });
  expect(fired[0]?.why).toMatch(/at most .* at 95 %/);
});

test("telemetry gets counts and accuracy, and no label", async ({ page, receiver }) => {
  await page.evaluate(async (endpoint) => {
    const telemetry = { endpoint, sampling: 1, messages: true };
    window.client = window.insitu.createClient({ backends: ["wasm"], storage: { name: "told" }, telemetry });
    window.base = await window.client.load("/models/digits/");
    window.mine = await window.base.personalize("private-name");
  }, receiver.url);
  await teach(
    page,
    [1, 7].flatMap((label) => digits(label, 0, 8)),
  );
  await page.evaluate(() => window.mine.train());
  const [said] = await say(page, digits(1, 20, 21));
  await page.evaluate((id) => window.mine.feedback(id, { label: "one" }), said?.id as string);
  await page.evaluate(() => window.client.telemetry.flush());
  await expect.poll(() => receiver.count("ml.personal.training.duration")).toBe(1);
  expect(receiver.count("ml.personal.accuracy")).toBe(1);
  expect(receiver.count("ml.personal.outcomes")).toBe(1);
  const sent = receiver.received.map(({ text }) => text).join("\n");
  for (const secret of ["one", "seven", "private-name"]) expect(sent).not.toContain(`"${secret}"`);
});
