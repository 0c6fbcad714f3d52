// A version that crashes the page is left at the next load, before it can do it again.
import type { BrowserContext, Page } from "playwright";
import { expect, test } from "vitest";
import { canary, follow, seen, stable, useChannelSite } from "../../../../support/channel-site.js";
import { crash } from "../../../../support/crash.js";

const site = useChannelSite("tables");

/** Predictions that go on until the page is gone; resolves when some have been made. */
async function predictOn(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const predict = () => window.model.predict(new Int32Array([1]));
    for (let n = 0; n < 20; n += 1) await predict();
    void (async () => {
      for (;;) await predict();
    })();
    // The note that the model is at work is written beside the predictions.
    await new Promise((resolve) => setTimeout(resolve, 300));
  });
}

async function onCanary(limits = {}): Promise<BrowserContext> {
  await site.tables("1.0.0", { tables: [1] });
  await site.tables("1.1.0", { tables: [2] });
  site.publish([stable("1.0.0")]);
  const page = await site.page();
  await follow(page, site);
  site.publish([stable("1.0.0", 0), canary("1.1.0")], { guardrails: limits });
  await page.evaluate(() => window.model.rollout?.check());
  const visitor = page.context();
  await page.close();
  return visitor;
}

async function crashOnce(visitor: BrowserContext): Promise<string> {
  const page = await site.page(visitor);
  const { state } = await follow(page, site);
  await predictOn(page);
  await crash(page);
  return state.running.version;
}

test("two crashes, and the third load runs the last known good, on whatever backend they were", async () => {
  const visitor = await onCanary();
  expect([await crashOnce(visitor), await crashOnce(visitor)]).toEqual(["1.1.0", "1.1.0"]);
  const third = await site.page(visitor);
  const { state, events } = await follow(third, site);
  expect(state.running).toMatchObject({ version: "1.0.0", reason: "crashes" });
  expect(state.blocked).toMatchObject([{ version: "1.1.0", reason: "crashes", count: 2 }]);
  expect(events).toMatchObject([
    {
      type: "rollback",
      detail: {
        from: { version: "1.1.0" },
        to: { version: "1.0.0" },
        reason: "crashes",
        count: 2,
        limit: 2,
        detail: "the page crashed 2 times within 24 hours while it ran",
      },
    },
  ]);
  await third.close();
  // Also at the visits after it, and where nothing can be asked.
  site.server.faults.set(`${site.path}channel.json`, { kind: "status", status: 503 });
  const fourth = await site.page(visitor);
  expect((await follow(fourth, site)).state.running.version).toBe("1.0.0");
});

test("the channel's limit", async () => {
  const visitor = await onCanary({ crashes: 1 });
  expect(await crashOnce(visitor)).toBe("1.1.0");
  const next = await site.page(visitor);
  expect((await follow(next, site)).state.running.version).toBe("1.0.0");
});

test("a version that is all there is runs again, and the page is told", async () => {
  await site.tables("1.0.0", { tables: [1] });
  site.publish([stable("1.0.0")]);
  const first = await site.page();
  const visitor = first.context();
  await first.close();
  await crashOnce(visitor);
  await crashOnce(visitor);
  const third = await site.page(visitor);
  const { state, events } = await follow(third, site);
  expect(state.running.version).toBe("1.0.0");
  expect(events).toMatchObject([{ type: "problem", detail: { stage: "rollback" } }]);
  expect((await seen(third)).state.blocked).toEqual([]);
});
