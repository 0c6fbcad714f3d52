// Signed channels, replayed ones, and clocks that are wrong by years.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import type { Channel, ChannelArm } from "../../../../../src/shared/types/rollout.js";
import { canonicalBytes } from "../../../../../src/worker/package/canonical-json.js";
import { arm, checkOn, openModel, predictOn, toldOn, useCounterSite } from "../../../../support/counter-site.js";
import { type Key, newKey, signPackage, trusting } from "../../../../support/keys.js";
import type { Route } from "../../../../support/server.js";

const YEARS = 10 * 365 * 24 * 3600 * 1000;
/** The library's worker, on a computer whose clock is wrong. */
const wrongClock: Route = (req, res) => {
  const by = /^\/clock\.js\?(-?\d+)$/.exec(req.url ?? "")?.[1];
  if (!by) return false;
  const script = `import "/dist/worker.js"; const { now } = Date; Date.now = () => now() + ${by};`;
  res.writeHead(200, { "Content-Type": "text/javascript" }).end(script);
  return true;
};

const site = useCounterSite({ routes: [wrongClock] });
const NEVER = { channel: { every: 0 } };
const key = newKey("ours");

beforeEach(async () => {
  await site.pack(1);
  await site.pack(2);
});

describe("with trusted keys", () => {
  const trust = trusting([key]);
  const client = { backends: ["cpu" as const], trust };
  const signed = (arms: ChannelArm[], release: number, by: Key = key, more: Partial<Channel> = {}): string => {
    const text = JSON.stringify({ model: "counter", release, salt: "s", arms, ...more });
    const signature = by.sign(canonicalBytes(text)).toString("base64");
    return JSON.stringify({ ...JSON.parse(text), signatures: [{ keyId: key.id, algorithm: "Ed25519", signature }] });
  };
  beforeEach(() => {
    for (const number of [1, 2]) signPackage(join(site.folder, `${number}.0.0`), key);
  });

  test("a signed channel is taken, now and at the next visit", async () => {
    site.publishText(signed([arm(1)], 1));
    expect(await openModel(site.page, { client, load: NEVER })).toMatchObject({ code: "", computed: 1 });
    expect(await openModel(await site.tab(), { client, load: NEVER })).toMatchObject({ code: "", computed: 1 });
  });

  test.each([
    [
      "not signed",
      () => JSON.stringify({ model: "counter", release: 2, salt: "s", arms: [arm(2)] }),
      "model_signature",
    ],
    ["signed by another key", () => signed([arm(2)], 2, newKey("theirs")), "model_signature"],
    [
      "changed after it was signed",
      () => signed([arm(2)], 2).replace('"weight":100', '"weight":1000'),
      "model_signature",
    ],
    ["the one before, played again", () => signed([arm(2)], 4), "model_rollback"],
    ["signed and of another model", () => signed([arm(2)], 9).replace("counter", "other"), "model_signature"],
  ])("a channel that is %s is a problem, and the version that runs goes on", async (_what, text, code) => {
    site.publishText(signed([arm(1)], 5));
    await openModel(site.page, { client, load: NEVER });
    site.publishText(text());
    await checkOn(site.page);
    expect(await toldOn(site.page)).toEqual([`problem channel ${code}`]);
    expect(await predictOn(site.page)).toMatchObject({ computed: 1 });
    const again = await openModel(await site.tab(), { client, load: { ...NEVER, refresh: true } });
    expect(again).toMatchObject({ code: "", computed: 1 });
  });

  test("an unsigned channel is refused at a first visit, and a kept one once its key is not trusted any more", async () => {
    site.publish([arm(1)], 1);
    expect(await openModel(site.page, { client, load: NEVER })).toMatchObject({ code: "model_signature" });
    site.publishText(signed([arm(1)], 1));
    expect(await openModel(site.page, { client, load: NEVER })).toMatchObject({ code: "" });
    const other = { ...client, trust: trusting([newKey("new")]) };
    expect(await openModel(await site.tab(), { client: other, load: NEVER })).toMatchObject({
      code: "model_signature",
    });
  });

  test("a signed package of another channel's model is no way around its name", async () => {
    await site.pack(2, { name: "other" });
    signPackage(join(site.folder, "2.0.0"), key);
    site.publishText(signed([arm(2)], 1));
    expect(await openModel(site.page, { client, load: NEVER })).toMatchObject({ code: "model_integrity" });
  });
});

describe("a clock that is wrong by years", () => {
  const until = new Date(Date.now() + 365 * 24 * 3600 * 1000).toISOString();
  const at = (by: number) => ({ backends: ["cpu" as const], worker: `/clock.js?${by}` });
  beforeEach(() => site.publish([arm(1)], 1, { expires: until }));

  test("ahead, at a first visit: the channel has expired, and the error says what to do", async () => {
    expect(await openModel(site.page, { client: at(YEARS), load: NEVER })).toMatchObject({
      code: "model_expired",
      message: expect.stringContaining("clock"),
    });
  });

  test.each([true, false])("ahead, at a later visit: what ran goes on and is told (offline: %s)", async (offline) => {
    await openModel(site.page, { client: at(0), load: NEVER });
    await site.page.evaluate(() => window.counter.stored);
    const tab = await site.tab();
    site.publish([arm(2)], 2, { expires: until });
    await tab.evaluate((path) => fetch(path), `/clock.js?${YEARS}`);
    if (offline) site.library.server.faults.set("/site/objects.json", { kind: "status", status: 503 });
    expect(await openModel(tab, { client: at(YEARS), load: NEVER })).toMatchObject({ code: "", computed: 1 });
    const code = offline ? "http_5xx" : "model_expired";
    await expect.poll(() => toldOn(tab)).toEqual([`problem channel ${code}`]);
    await checkOn(tab);
    expect(await predictOn(tab)).toMatchObject({ computed: 1 });
    // With the clock right again everything is as it should be.
    site.library.server.faults.clear();
    const later = await site.tab();
    expect(await openModel(later, { client: at(0), load: { ...NEVER, refresh: true } })).toMatchObject({ computed: 2 });
  });

  test("ahead while a version runs: it goes on", async () => {
    await openModel(site.page, { client: at(0), load: NEVER });
    site.publish([arm(2)], 2, { expires: "2001-01-01" });
    await checkOn(site.page);
    expect(await toldOn(site.page)).toEqual(["problem channel model_expired"]);
    expect(await predictOn(site.page)).toMatchObject({ computed: 1 });
  });

  test("behind: everything works, and the next interval does not wait for years", async () => {
    await openModel(site.page, { client: at(0), load: NEVER });
    const tab = await site.tab();
    // The stored time of the last check lies in the future of this page.
    await tab.evaluate((by) => {
      const { now } = Date;
      Date.now = () => now() - by;
    }, YEARS);
    const opened = await openModel(tab, { client: at(-YEARS), load: { channel: { every: 1_000 } } });
    expect(opened).toMatchObject({ code: "", computed: 1 });
    site.publish([arm(2)], 2, { expires: until });
    await expect.poll(() => toldOn(tab)).toEqual(["swap 1.0.0 2.0.0 release"]);
  });
});

test("a package that has expired is not run, and the version that runs goes on", async () => {
  site.publish([arm(1)], 1);
  await openModel(site.page, { load: NEVER });
  const path = join(site.folder, "2.0.0/insitu.json");
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), expires: "2020-01-01" }));
  site.publish([arm(2)], 2);
  await checkOn(site.page);
  expect(await toldOn(site.page)).toEqual(["problem swap model_expired 2.0.0"]);
  expect(await predictOn(site.page)).toMatchObject({ computed: 1 });
});
