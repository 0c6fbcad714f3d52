// What else a model does goes on over a swap: predictAll, watch, feedback with other labels, personal models, telemetry.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { canary, follow, stable, useChannelSite } from "../../../../support/channel-site.js";
import { type Receiver, startReceiver } from "../../../../support/receiver.js";
import { digits } from "../../../../support/teaching.js";

const site = useChannelSite("digits");
const NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
let page: Page;
let receiver: Receiver;

beforeAll(async () => {
  receiver = await startReceiver();
});
afterAll(() => receiver.stop());
beforeEach(async () => {
  receiver.received.length = 0;
  site.digits("1.0.0");
  site.digits("2.0.0");
  // The same model, whose classes have other names.
  const manifest = join(site.folder, "2.0.0/insitu.json");
  const text = readFileSync(manifest, "utf8");
  const { task, ...rest } = JSON.parse(text) as { task: { labels: string[] } };
  writeFileSync(manifest, JSON.stringify({ ...rest, task: { ...task, labels: NAMES } }));
  site.publish([stable("1.0.0")]);
  page = await site.page();
});

/** The next release is published and runs. */
const swap = async () => {
  site.publish([stable("2.0.0"), canary("1.0.0", 0)]);
  await page.evaluate(() => window.model.rollout?.check());
};

test("predictAll goes on: every input has its result, in order, from one version and then from the other", async () => {
  await follow(page, site);
  const images = digits(7, 0, 20).map(({ pixels }) => [...pixels]);
  await page.evaluate((images) => {
    window.versions = [];
    const inputs = (function* () {
      for (let i = 0; i < 600; i++) yield Float32Array.from(images[i % images.length] as number[]);
    })();
    window.done = (async () => {
      for await (const { model } of window.model.predictAll(inputs)) {
        window.versions.push(model.version);
        // Taken slowly, so that the swap comes in between.
        if (window.versions.length % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
  }, images);
  await expect.poll(() => page.evaluate(() => window.versions.length)).toBeGreaterThan(20);
  await swap();
  const versions = await page.evaluate(async () => {
    await window.done;
    return window.versions;
  });
  expect(versions).toHaveLength(600);
  expect([...new Set(versions)]).toEqual(["1.0.0", "2.0.0"]);
  expect(versions).toEqual([...versions].sort());
});

test("watch goes on, on the new version", async () => {
  await follow(page, site);
  await page.evaluate(() => {
    window.versions = [];
    const canvas = document.createElement("canvas");
    canvas.width = 28;
    canvas.height = 28;
    const context = canvas.getContext("2d");
    document.body.append(canvas);
    const watch = window.model.watch(canvas, { every: 10 });
    window.stopWatch = () => watch.stop();
    window.done = (async () => {
      for await (const { model } of watch) {
        window.versions.push(model.version);
        context?.fillRect(0, 0, window.versions.length % 28, 28);
      }
    })();
  });
  await expect.poll(() => page.evaluate(() => window.versions.length)).toBeGreaterThan(3);
  await swap();
  await expect.poll(() => page.evaluate(() => window.versions.includes("2.0.0"))).toBe(true);
  const versions = await page.evaluate(async () => {
    window.stopWatch();
    await window.done;
    return window.versions;
  });
  expect(versions).toEqual([...versions].sort());
});

test("feedback on a prediction of the version before has that version's labels, and the new one's on later ones", async () => {
  await follow(page, site);
  const [image] = digits(7, 0, 1).map(({ pixels }) => [...pixels]);
  const predict = () =>
    page.evaluate(async (pixels) => {
      const { id, value } = await window.model.predict(Float32Array.from(pixels as number[]));
      return { id, label: value[0]?.label };
    }, image);
  const before = await predict();
  const also = await predict();
  await swap();
  const after = await predict();
  expect([before.label, after.label]).toEqual(["7", "seven"]);
  const give = (id: string, label: string) =>
    page.evaluate(([id, label]) => window.model.feedback(id as string, { label: label as string }), [id, label]);
  expect(await give(before.id, "7")).toBe("counted");
  expect(await give(after.id, "seven")).toBe("counted");
  // The version before has no such label.
  expect(await give(also.id, "seven")).toBe("unmatched");
  expect(await give(also.id, "1")).toBe("counted");
  const code = await page.evaluate(
    (id) => window.model.feedback(id, { label: "cat" }).catch(({ code }) => code),
    after.id,
  );
  expect(code).toBe("input_invalid");
  const versions = await page.evaluate(() => window.model.monitor.snapshot().versions);
  expect(versions.map(({ version, arm, labelled, correct }) => [version, arm, labelled, correct])).toEqual(
    expect.arrayContaining([
      ["1.0.0", "stable", 2, 1],
      ["2.0.0", "stable", 1, 1],
    ]),
  );
});

test("a personal model goes on: what was taught is known on the new version, and more can be taught", async () => {
  await follow(page, site);
  const images = (label: number, from: number, to: number) => digits(label, from, to).map(({ pixels }) => [...pixels]);
  const teach = (label: number, name: string, from: number) =>
    page.evaluate(
      async ({ images, name }) => {
        for (const image of images) await window.mine.addExample(Float32Array.from(image), name);
      },
      { images: images(label, from, from + 5), name },
    );
  const say = (label: number) =>
    page.evaluate(
      async (image) => (await window.mine.predict(Float32Array.from(image as number[]))).label,
      images(label, 30, 31)[0],
    );
  await page.evaluate(async () => {
    window.mine = (await window.model.personalize("mine")) as typeof window.mine;
  });
  await teach(1, "one", 0);
  await teach(7, "seven", 0);
  await page.evaluate(() => window.mine.train());
  expect([await say(1), await say(7)]).toEqual(["one", "seven"]);
  await swap();
  expect([await say(1), await say(7)]).toEqual(["one", "seven"]);
  await teach(4, "four", 0);
  await page.evaluate(() => window.mine.train());
  expect([await say(1), await say(4), await say(7)]).toEqual(["one", "four", "seven"]);
});

test("telemetry and feedback carry the version and the arm of the prediction", async () => {
  site.publish([stable("1.0.0", 0), canary("2.0.0")]);
  await page.evaluate(
    async ({ url, endpoint }) => {
      window.client = window.insitu.createClient({
        backends: ["cpu"],
        telemetry: { endpoint, sampling: 1, flushInterval: 60_000 },
      });
      window.model = await window.client.load(url, { channel: { every: 0 } });
      const { id } = await window.model.predict(new Float32Array(784));
      await window.model.feedback(id, { correct: true });
      await window.model.rollout?.pin("1.0.0");
      await window.model.predict(new Float32Array(784));
      await window.client.telemetry.flush();
    },
    { url: `${site.path}channel.json`, endpoint: receiver.url },
  );
  await expect.poll(() => receiver.events("ml.prediction")).toBe(2);
  expect(recordsOf(receiver, "ml.prediction").map(versionAndArm)).toEqual([
    ["2.0.0", "canary"],
    ["1.0.0", "stable"],
  ]);
  expect(recordsOf(receiver, "ml.feedback").map(versionAndArm)).toEqual([["2.0.0", "canary"]]);
  expect(
    recordsOf(receiver, "ml.rollout.decision").map((each) => [...versionAndArm(each), each["ml.rollout.action"]]),
  ).toEqual([
    ["2.0.0", "canary", "assigned"],
    ["1.0.0", "stable", "pinned"],
  ]);
});

type Attributes = Record<string, string>;
const versionAndArm = (each: Attributes) => [each["ml.model.version"], each["ml.rollout.arm"]];

/** The attributes of all events of a name. */
function recordsOf({ taken }: Receiver, name: string): Attributes[] {
  return [...taken().values()]
    .filter(({ path }) => path.endsWith("/v1/logs"))
    .flatMap(({ text }) => JSON.parse(text).resourceLogs[0].scopeLogs[0].logRecords as LogRecord[])
    .filter((record) => record.eventName === name)
    .map(({ attributes }) =>
      Object.fromEntries(attributes.map(({ key, value }) => [key, String(Object.values(value)[0])])),
    );
}

interface LogRecord {
  eventName: string;
  attributes: { key: string; value: Record<string, unknown> }[];
}
