// The measure of the demo's long tasks finds a task that computes for long.
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Chromium, launchChromium } from "../../support/chromium.js";
import { recordTasks } from "../../support/task-times.js";

let chromium: Chromium;
beforeAll(async () => {
  chromium = await launchChromium();
});
afterAll(() => chromium?.close());

test("a task that computes for 200 ms is found", async () => {
  const page = await chromium.context.newPage();
  await page.goto("data:text/html,<title>tasks</title>");
  const end = await recordTasks(page);
  await page.evaluate(() => {
    const work = (resolve: () => void) => {
      let sum = 0;
      // Not by the clock, which also runs while another program has the processor.
      for (let index = 0; index < 4e8; index += 1) sum = (sum + index) % 7;
      Object.assign(window, { sum });
      resolve();
    };
    return new Promise<void>((resolve) => setTimeout(() => work(resolve), 0));
  });
  const tasks = await end();
  expect(tasks.filter((time) => time > 50)).toHaveLength(1);
});
