// A poisoned model, rightly signed, with the signs of its weights flipped: its self-test stops it, or the guardrails do.
import { expect, test } from "vitest";
import {
  canary,
  type DigitsChange,
  follow,
  running,
  seen,
  stable,
  untilRuns,
  useChannelSite,
} from "../../../../support/channel-site.js";
import { newKey, trusting } from "../../../../support/keys.js";

const site = useChannelSite("digits");
const key = newKey("publisher");
const trust = trusting([key]);
const FLIPPED: DigitsChange["weights"] = (values) => values.set(values.map((value) => -value));

test("with its self-test it never predicts, is blocked, and the page is told", async () => {
  site.digits("1.0.0", { key });
  site.digits("1.1.0", { key, weights: FLIPPED });
  site.publish([stable("1.0.0")], {}, key);
  const page = await site.page();
  await follow(page, site, { backends: ["wasm", "cpu"], trust });
  site.publish([stable("1.0.0", 0), canary("1.1.0")], {}, key);
  await page.evaluate(() => window.model.rollout?.check());
  const { state, events } = await seen(page);
  expect(state.running.version).toBe("1.0.0");
  expect(state.blocked).toMatchObject([
    {
      version: "1.1.0",
      reason: "self_test",
      detail: expect.stringMatching(/^the self-test failed: wasm gave/),
      digest: expect.stringMatching(/^[\da-f]{64}$/),
    },
  ]);
  expect(events).toContainEqual({
    type: "rollback",
    detail: expect.objectContaining({
      from: expect.objectContaining({ version: "1.1.0" }),
      to: expect.objectContaining({ version: "1.0.0" }),
      reason: "self_test",
      // On both backends.
      count: 2,
      limit: 0,
    }),
  });
  // It is not fetched again either.
  site.server.requests.length = 0;
  await page.evaluate(() => window.model.rollout?.check());
  expect(site.server.requests.filter(({ url }) => url.includes("/1.1.0/"))).toEqual([]);
});

test("at a first visit the stable version runs instead", async () => {
  site.digits("1.0.0", { key });
  site.digits("1.1.0", { key, weights: FLIPPED });
  site.publish([stable("1.0.0", 0), canary("1.1.0")], {}, key);
  const page = await site.page();
  const { state, events } = await follow(page, site, { backends: ["wasm", "cpu"], trust });
  expect(state.running).toMatchObject({ version: "1.0.0", reason: "self_test" });
  expect(state.blocked).toMatchObject([{ version: "1.1.0", reason: "self_test" }]);
  expect(events.map(({ type }) => type)).toEqual(["rollback"]);
  const later = await site.page(page.context());
  expect((await follow(later, site, { backends: ["wasm", "cpu"], trust })).state.running.version).toBe("1.0.0");
});

test("without a self-test its NaN outputs are noticed after five predictions", async () => {
  const weights: DigitsChange["weights"] = (values, name) => void (name === "bias4" && values.fill(Number.NaN));
  site.digits("1.0.0", { key });
  site.digits("1.1.0", { key, weights, selfTest: false });
  site.publish([stable("1.0.0")], {}, key);
  const page = await site.page();
  await follow(page, site, { backends: ["wasm", "cpu"], trust });
  site.publish([stable("1.0.0", 0), canary("1.1.0")], {}, key);
  await page.evaluate(() => window.model.rollout?.check());
  expect(await running(page)).toBe("1.1.0");
  const codes = await page.evaluate(async () => {
    const found: string[] = [];
    for (let n = 0; n < 5; n += 1)
      await window.model.predict(new Float32Array(784).fill(0.1)).catch(({ code }) => found.push(code));
    return found;
  });
  expect(codes).toEqual(Array(5).fill("output_invalid"));
  await untilRuns(page, "1.0.0");
  expect(
    await page.evaluate(() => window.model.predict(new Float32Array(784)).then(({ model }) => model.version)),
  ).toBe("1.0.0");
});
