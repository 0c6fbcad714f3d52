// A model on a channel: which version runs, how often the host is asked, what bad channels do, and what pins and aliases are.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import type { ChannelArm } from "../../../../../src/shared/types/rollout.js";
import {
  arm,
  CHANNEL,
  checkOn,
  openModel,
  packVersion,
  predictOn,
  toldOn,
  useCounterSite,
} from "../../../../support/counter-site.js";

const site = useCounterSite();

const NEVER = { channel: { every: 0 } };
const runs = (number: number, more: object = {}) => ({ code: "", version: `${number}.0.0`, computed: number, ...more });

beforeEach(async () => {
  await site.pack(1);
  await site.pack(2);
  site.publish([arm(1)], 1);
});

test("runs the stable version, and predictions name version and arm", async () => {
  expect(await openModel(site.page, { load: NEVER })).toMatchObject(runs(1, { arm: "stable", release: 1 }));
  expect(await predictOn(site.page)).toEqual({ computed: 1, named: "1.0.0", arm: "stable" });
});

test("a package that is loaded by its own address has no rollout and no arm", async () => {
  expect(await openModel(site.page, { url: "/site/1.0.0/" })).toMatchObject({ code: "", computed: 1 });
  const [rollout, names] = await site.page.evaluate(async () => [
    window.counter.rollout,
    Object.keys((await window.counter.predict(Float32Array.of(1))).model),
  ]);
  expect([rollout, names]).toEqual([undefined, ["name", "version", "release", "digest"]]);
});

test("tabs and visits of one browser run the same arm; browsers are spread", async () => {
  site.publish([arm(1, 50), arm(2, 50, "canary")], 1);
  const first = await openModel(site.page, { load: NEVER });
  for (let visit = 0; visit < 3; visit++) {
    const tab = await site.tab();
    expect(await openModel(tab, { load: NEVER })).toEqual(first);
    await tab.close();
  }
  const seen = new Set<unknown>();
  for (let visitor = 0; visitor < 30 && seen.size < 2; visitor++) {
    const { version } = await site.page.evaluate(
      async ({ url, name }) => {
        const client = window.insitu.createClient({ backends: ["cpu"], storage: { name } });
        const model = await client.load(url, { channel: { every: 0 } });
        const version = model.info.version;
        await client.dispose();
        return { version };
      },
      { url: CHANNEL, name: `other-${visitor}` },
    );
    seen.add(version);
  }
  expect(seen).toEqual(new Set(["1.0.0", "2.0.0"]));
});

test("two tabs that open a channel at once for the first time have one seed", async () => {
  site.publish([arm(1, 50), arm(2, 50, "canary")], 1);
  const tabs = await Promise.all([site.tab(), site.tab(), site.tab(), site.tab()]);
  const all = await Promise.all(tabs.map((tab) => openModel(tab, { load: NEVER })));
  expect(new Set(all.map(({ version }) => version)).size).toBe(1);
});

describe("the host", () => {
  test("answers 304 while the channel has not changed, and the new version takes over once it has", async () => {
    await openModel(site.page, { load: { channel: { every: 1_000 } } });
    await expect.poll(() => site.asked().filter(({ status }) => status === 304).length).toBeGreaterThan(3);
    expect(site.asked().filter(({ status }) => status === 200)).toHaveLength(1);
    expect(await toldOn(site.page)).toEqual([]);
    site.publish([arm(2), arm(1, 0, "canary")], 2);
    await expect.poll(() => toldOn(site.page)).toEqual(["swap 1.0.0 2.0.0 release"]);
    expect(await predictOn(site.page)).toEqual({ computed: 2, named: "2.0.0", arm: "stable" });
    expect(site.asked().filter(({ status }) => status === 200)).toHaveLength(2);
  });

  test("is not asked at the second visit, which also runs without a network", async () => {
    await openModel(site.page, { load: NEVER });
    await site.page.evaluate(() => window.counter.stored);
    await site.page.close();
    const tab = await site.tab();
    site.library.server.requests.length = 0;
    await site.goOffline(true);
    expect(await openModel(tab, { load: NEVER })).toMatchObject(runs(1));
    expect(site.library.server.requests.filter(({ url }) => url.startsWith("/site/"))).toEqual([]);
    await checkOn(tab);
    expect(await toldOn(tab)).toEqual(["problem channel network"]);
    expect(await predictOn(tab)).toMatchObject({ computed: 1 });
  });

  test("is asked first with refresh", async () => {
    await openModel(site.page, { load: NEVER });
    site.publish([arm(2)], 2);
    const tab = await site.tab();
    expect(await openModel(tab, { load: NEVER })).toMatchObject(runs(1));
    const other = await site.tab();
    expect(await openModel(other, { load: { ...NEVER, refresh: true } })).toMatchObject(runs(2));
  });

  test("is asked by one tab at a time, and the others swap too", async () => {
    const second = await site.tab();
    const load = { channel: { every: 1000 } };
    await openModel(site.page, { load });
    await openModel(second, { load });
    site.library.server.requests.length = 0;
    await new Promise((done) => setTimeout(done, 5_000));
    // One tab alone asks four to six times in five seconds.
    expect(site.asked().length).toBeLessThan(8);
    site.publish([arm(2)], 2);
    for (const page of [site.page, second]) await expect.poll(() => toldOn(page)).toEqual(["swap 1.0.0 2.0.0 release"]);
  });

  test("is asked when the network is back", async () => {
    await openModel(site.page, { load: { channel: { every: 60_000 } } });
    site.publish([arm(2)], 2);
    const asked = site.asked().length;
    await site.goOffline(true);
    await site.goOffline(false);
    await expect.poll(() => site.asked().length, { timeout: 15_000 }).toBe(asked + 1);
    await expect.poll(() => toldOn(site.page)).toEqual(["swap 1.0.0 2.0.0 release"]);
  });

  test("is asked no more once the model is disposed, and nothing of it is left", async () => {
    await openModel(site.page, { load: { channel: { every: 1_000 } } });
    await expect.poll(() => site.asked().length).toBeGreaterThan(2);
    const after = await site.page.evaluate(async () => {
      await window.counter.dispose();
      const { rollout } = window.counter;
      const codeOf = (call?: Promise<unknown>) =>
        call?.then(
          () => "",
          ({ code }) => code,
        );
      return [await codeOf(rollout?.check()), await codeOf(rollout?.pin("1.0.0")), rollout?.state().status];
    });
    expect(after).toEqual(["disposed", "disposed", "disposed"]);
    const asked = site.asked().length;
    await new Promise((done) => setTimeout(done, 1_000));
    expect(site.asked()).toHaveLength(asked);
  });
});

describe("while a version runs, it goes on with a problem when the channel", () => {
  const text = (arms: unknown, more: object = {}) =>
    JSON.stringify({ model: "counter", release: 2, salt: "s", arms, ...more });
  const cases: [what: string, text: string, code: string][] = [
    ["is HTML", "<!doctype html><title>Not here</title>", "model_format"],
    ["is no JSON", "{", "model_format"],
    ["is empty", "", "model_format"],
    ["has a negative weight", text([arm(2, -1)]), "model_format"],
    ["has weights that sum to nothing", text([arm(2, 0)]), "model_format"],
    ["has a huge weight", text([arm(2)]).replace("100", "1e999"), "model_format"],
    ["names another origin", text([{ ...arm(2), package: "https://evil.example/2.0.0/" }]), "model_format"],
    ["leaves its folder", text([{ ...arm(2), package: "../site/2.0.0/" }]), "model_format"],
    ["names a channel", text([{ ...arm(2), package: "./objects.json" }]), "model_format"],
    ["has thousands of arms", text(Array.from({ length: 900 }, (_, i) => arm(i + 2))), "model_format"],
    ["is too large", text([arm(2)], { created: "x".repeat(70_000) }), "model_too_large"],
    ["is of another model", text([arm(2)]).replace("counter", "other"), "model_integrity"],
    ["was played again", text([arm(2)], { release: 0 }), "model_rollback"],
    ["is implausibly far ahead", text([arm(2)], { release: 5e9 }), "model_rollback"],
    ["has expired", text([arm(2)], { expires: "2020-01-01" }), "model_expired"],
    ["has __proto__", text([arm(2)]).replace("{", '{"__proto__":{"release":9},'), "model_format"],
  ];
  test.each(cases)("%s", async (_what, channel, code) => {
    await openModel(site.page, { load: NEVER });
    site.publishText(channel);
    await checkOn(site.page);
    expect(await toldOn(site.page)).toEqual([`problem channel ${code}`]);
    expect(await predictOn(site.page)).toEqual({ computed: 1, named: "1.0.0", arm: "stable" });
    const problem = await site.page.evaluate(() => window.counter.rollout?.state().problem?.code);
    expect(problem).toBe(code);
    // Nothing of it was kept: the next visit runs what was accepted, and a good channel is taken.
    const tab = await site.tab();
    expect(await openModel(tab, { load: NEVER })).toMatchObject(runs(1));
    site.publish([arm(2)], 2);
    await checkOn(site.page);
    expect(await predictOn(site.page)).toMatchObject({ computed: 2 });
  });

  test.each([404, 500])("is answered with HTTP %d", async (status) => {
    await openModel(site.page, { load: NEVER });
    site.library.server.faults.set(CHANNEL, { kind: "status", status });
    await checkOn(site.page);
    expect(await toldOn(site.page)).toEqual([`problem channel http_${status < 500 ? 4 : 5}xx`]);
    expect(await predictOn(site.page)).toMatchObject({ computed: 1 });
  });
});

describe("an arm that cannot be loaded is not run, and is told:", () => {
  test("of another model", async () => {
    await site.pack(2, { name: "another" });
    await openModel(site.page, { load: NEVER });
    site.publish([arm(2), arm(1, 0, "canary")], 2);
    await checkOn(site.page);
    expect(await toldOn(site.page)).toEqual(["problem swap model_integrity 2.0.0"]);
    expect(await predictOn(site.page)).toMatchObject({ computed: 1 });
    const state = await site.page.evaluate(() => window.counter.rollout?.state());
    expect(state?.blocked).toMatchObject([{ version: "2.0.0", reason: "load", release: 2 }]);
    // Blocked until the channel changes, also for other tabs.
    site.library.server.requests.length = 0;
    await checkOn(site.page);
    const tab = await site.tab();
    expect(await openModel(tab, { load: NEVER })).toMatchObject(runs(1));
    expect(site.library.server.requests.filter(({ url }) => url.includes("2.0.0"))).toEqual([]);
    // Published again in another folder, since a folder stays as it is.
    await site.pack(3);
    site.publish([arm(3)], 3);
    await checkOn(site.page);
    expect(await predictOn(site.page)).toMatchObject({ computed: 3 });
  });

  test("damaged, at the first visit: the stable version runs", async () => {
    const weights = join(site.folder, "2.0.0/weights.bin");
    const bytes = readFileSync(weights);
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    writeFileSync(weights, bytes);
    site.publish([arm(1, 0.001), arm(2, 1e6, "canary")], 1);
    expect(await openModel(site.page, { load: NEVER })).toMatchObject(runs(1, { arm: "stable" }));
    await expect.poll(() => toldOn(site.page)).toEqual(["problem swap model_integrity 2.0.0"]);
  });

  test("missing: it is tried again, and nothing is blocked", async () => {
    await openModel(site.page, { load: NEVER });
    site.publish([arm(3), arm(1, 0, "canary")], 2);
    await checkOn(site.page);
    expect(await toldOn(site.page)).toEqual(["problem swap http_4xx 3.0.0"]);
    await site.pack(3);
    await checkOn(site.page);
    expect(await predictOn(site.page)).toMatchObject({ computed: 3 });
  });

  test("of another task than the page asks for: nothing is blocked, the load rejects", async () => {
    const refused = await openModel(site.page, { load: { ...NEVER, task: "detection" } });
    expect(refused).toMatchObject({ code: "model_format", message: expect.stringContaining("detection") });
    const tab = await site.tab();
    expect(await openModel(tab, { load: NEVER })).toMatchObject(runs(1));
    expect(await tab.evaluate(() => window.counter.rollout?.state().blocked)).toEqual([]);
  });
});

describe("a first visit rejects when the channel", () => {
  const cases: [what: string, text: string | undefined, code: string][] = [
    ["is not there", undefined, "http_4xx"],
    ["is HTML", "<html>", "model_format"],
    ["is a manifest", '{"insitu":1}', "model_format"],
    [
      "has expired",
      JSON.stringify({ model: "counter", release: 1, salt: "s", arms: [arm(1)], expires: "2020-01-01" }),
      "model_expired",
    ],
  ];
  test.each(cases)("%s", async (_what, text, code) => {
    if (text === undefined) site.library.server.faults.set(CHANNEL, { kind: "status", status: 404 });
    else site.publishText(text);
    expect(await openModel(site.page, { load: NEVER })).toMatchObject({ code });
  });
});

describe("pins", () => {
  const both: ChannelArm[] = [arm(1), arm(2, 0, "canary")];
  test("a page runs the version that it pinned, until it pins none", async () => {
    site.publish(both, 1);
    await openModel(site.page, { load: NEVER });
    await site.page.evaluate(() => window.counter.rollout?.pin("2.0.0"));
    expect(await predictOn(site.page)).toEqual({ computed: 2, named: "2.0.0", arm: "canary" });
    site.publish(both, 2);
    await checkOn(site.page);
    expect(await predictOn(site.page)).toMatchObject({ computed: 2 });
    await site.page.evaluate(() => window.counter.rollout?.pin());
    expect(await predictOn(site.page)).toMatchObject({ computed: 1, arm: "stable" });
    expect(await toldOn(site.page)).toEqual(["swap 1.0.0 2.0.0 pin", "swap 2.0.0 1.0.0 weight"]);
  });

  test("load runs a pinned version, and refuses one that is not in the channel", async () => {
    site.publish(both, 1);
    const load = (pin: string) => ({ channel: { every: 0, pin } });
    expect(await openModel(site.page, { load: load("2.0.0") })).toMatchObject(runs(2, { arm: "canary" }));
    const refused = await openModel(await site.tab(), { load: load("9.0.0") });
    expect(refused).toMatchObject({ code: "input_invalid", message: expect.stringContaining("1.0.0, 2.0.0") });
    const code = await site.page.evaluate(() => window.counter.rollout?.pin("9.0.0").catch(({ code }) => code));
    expect(code).toBe("input_invalid");
    expect(await predictOn(site.page)).toMatchObject({ computed: 2 });
  });

  test("a version that cannot be loaded leaves the one that runs", async () => {
    site.publish([...both, arm(3, 0, "canary")], 1);
    await openModel(site.page, { load: NEVER });
    const code = await site.page.evaluate(() => window.counter.rollout?.pin("3.0.0").catch(({ code }) => code));
    expect([code, await site.page.evaluate(() => window.counter.rollout?.pinned)]).toEqual(["http_4xx", undefined]);
    expect(await predictOn(site.page)).toMatchObject({ computed: 1 });
  });
});

test("name@alias is the channel file of that name in the model's folder", async () => {
  mkdirSync(join(site.folder, "objects"));
  writeFileSync(
    join(site.folder, "objects/champion.json"),
    JSON.stringify({ model: "counter", release: 1, salt: "s", arms: [{ ...arm(1), package: "./a/1.0.0/" }] }),
  );
  await packVersion(join(site.folder, "objects/a/1.0.0"), 1);
  const loaded = await openModel(site.page, { url: "/site/objects@champion", load: NEVER });
  expect(loaded).toMatchObject(runs(1));
  expect(await site.page.evaluate(() => window.counter.rollout?.channel)).toMatch(/\/site\/objects\/champion\.json$/);
});

test("a channel file of another address names versions in the folder that is loaded, and gets none of its headers", async () => {
  const seen: (string | undefined)[] = [];
  site.publishText("{}");
  const text = JSON.stringify({ model: "counter", release: 1, salt: "s", arms: [arm(1)] });
  const collector = createServer((req, res) => {
    seen.push(req.headers["x-token"] as string | undefined);
    res.writeHead(200, { "Access-Control-Allow-Origin": "*", ETag: '"1"' }).end(text);
  });
  await new Promise<void>((done) => collector.listen(0, "127.0.0.1", done));
  const file = `http://127.0.0.1:${(collector.address() as AddressInfo).port}/v1/channels/counter`;
  const load = { channel: { every: 0, file }, request: { headers: { "x-token": "secret" } } };
  expect(await openModel(site.page, { url: "/site/", load })).toMatchObject(runs(1));
  expect(await site.page.evaluate(() => window.counter.rollout?.channel)).toBe(file);
  expect(seen).toEqual([undefined]);
  collector.close();
});

test.each([
  [{ every: -1 }, "channel.every"],
  [{ file: "ftp://host/x" }, "channel.file"],
  [{ every: Number.POSITIVE_INFINITY }, "channel.every"],
  [{ every: "soon" as never }, "channel.every"],
  [{ pin: 1 as never }, "channel.pin"],
])("the options %j are refused", async (channel, option) => {
  const { code, message } = await openModel(site.page, { load: { channel } });
  expect([code, message]).toEqual(["input_invalid", expect.stringContaining(option)]);
});
