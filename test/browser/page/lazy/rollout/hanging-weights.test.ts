// A version or another model whose weights hang: the models that run go on.
import { beforeEach, expect, test } from "vitest";
import { arm, checkOn, openModel, predictOn, useCounterSite } from "../../../../support/counter-site.js";

const site = useCounterSite();
const NEVER = { channel: { every: 0 } };

beforeEach(async () => {
  await site.pack(1);
  await site.pack(2);
  site.publish([arm(1)], 1);
  await openModel(site.page, { load: NEVER });
});

/** Predicts once; also says whether `coming` is still on its way then. Lets it arrive. */
async function predictBefore(coming: Promise<unknown>) {
  let isComing = true;
  const over = coming.then(() => {
    isComing = false;
  });
  const { computed } = await predictOn(site.page);
  const said = { computed, isComing };
  site.endHangs();
  await over;
  return said;
}

test("while the next version's weights hang, predictions are answered", async () => {
  const asked = site.hang(2);
  site.publish([arm(2)], 2);
  const checking = checkOn(site.page);
  await asked();
  expect(await predictBefore(checking)).toEqual({ computed: 1, isComing: true });
  expect(await predictOn(site.page)).toMatchObject({ computed: 2, named: "2.0.0" });
});

test("while another model's weights hang, predictions are answered", async () => {
  const asked = site.hang(2);
  const other = site.page.evaluate(async () => (await window.client.load("/site/2.0.0/")).info.version);
  await asked();
  expect(await predictBefore(other)).toEqual({ computed: 1, isComing: true });
  expect(await other).toBe("2.0.0");
});
