// After the client was disposed its models follow no channel any more.
import { expect, test } from "vitest";
import { canary, follow, stable, useChannelSite } from "../../../../support/channel-site.js";

const site = useChannelSite("tables");

test("check and pin reject with disposed, nothing is asked, and the version that the channel lacks is named by a pin", async () => {
  await site.tables("1.0.0", { tables: [1] });
  await site.tables("1.1.0", { tables: [2] });
  site.publish([stable("1.0.0"), canary("1.1.0", 0)]);
  const page = await site.page();
  await follow(page, site, { channel: { every: 1_000 } });
  const pinned = await page.evaluate(() =>
    window.model.rollout?.pin("9.9.9").catch(({ code, message, data }) => ({ code, message, data })),
  );
  expect(pinned).toMatchObject({
    code: "input_invalid",
    message: "version is 9.9.9, which is no version of the channel. Pin 1.0.0, 1.1.0, or nothing to unpin.",
    data: { versions: ["1.0.0", "1.1.0"] },
  });
  const codes = await page.evaluate(async () => {
    const { rollout } = window.model;
    await window.client.dispose();
    const code = (call?: Promise<unknown>) =>
      call?.then(
        () => "resolved",
        (error) => error.code,
      );
    return Promise.all([code(rollout?.check()), code(rollout?.pin("1.1.0")), code(rollout?.pin())]);
  });
  expect(codes).toEqual(["disposed", "disposed", "disposed"]);
  site.server.requests.length = 0;
  await new Promise((done) => setTimeout(done, 2_500));
  expect(site.server.requests).toEqual([]);
});
