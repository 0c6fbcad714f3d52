// The shadow version predicts in idle time what the main version predicted: with two real versions of digits.
import type { Page } from "playwright";
import { expect, test } from "vitest";
import { heldOut } from "../../../../../models/digits/data.js";
import type { ShadowCounts } from "../../../../../src/page/lazy/rollout/types.js";
import { type DigitsChange, follow, seen, shadow, stable, useChannelSite } from "../../../../support/channel-site.js";

const site = useChannelSite("digits");
/** 958 of the 1,000 held-out images are right; of the stable version 988. */
const ONE_EPOCH: DigitsChange = { file: "test/fixtures/digits-one-epoch/weights.bin", selfTest: false };
const FLIPPED: DigitsChange = { weights: (values) => values.set(values.map((value) => -value)), selfTest: false };
const IMAGES = heldOut();

/** Each waits for the answer before, and then as long as the shadow needs. */
async function predictSome(
  page: Page,
  images: number[],
  pauseMs: number,
): Promise<{ labels: string[]; versions: string[] }> {
  const pixels = images.map((at) => Array.from(IMAGES[at]?.pixels ?? []));
  return page.evaluate(
    async ([all, pause]) => {
      const found = { labels: [] as string[], versions: [] as string[] };
      for (const each of all) {
        const { value, model } = await window.model.predict(Float32Array.from(each));
        found.labels.push(value[0]?.label ?? "");
        found.versions.push(model.version);
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
      return found;
    },
    [pixels, pauseMs] as const,
  );
}

const counts = async (page: Page): Promise<ShadowCounts | undefined> => (await seen(page)).state.shadow;

/** A first prediction loads it, once the page rests. */
async function untilOn(page: Page): Promise<void> {
  await predictSome(page, [0], 0);
  await expect.poll(async () => (await counts(page))?.status, { timeout: 60_000 }).toBe("on");
}

async function opened(change: DigitsChange, share = 1): Promise<Page> {
  site.digits("1.0.0");
  site.digits("2.0.0", change);
  site.publish([stable("1.0.0"), shadow("2.0.0", share)]);
  const page = await site.page();
  await follow(page, site, { backends: ["wasm"] });
  return page;
}

/** Waits until the shadow has predicted `n` inputs. */
const untilCompared = (page: Page, n: number) =>
  expect
    .poll(
      async () => {
        const { agreed = 0, disagreed = 0, failed = 0 } = (await counts(page)) ?? {};
        return agreed + disagreed + failed;
      },
      { timeout: 60_000 },
    )
    .toBe(n);

test("agrees on most digits, and never gives the page a result of its own", async () => {
  const page = await opened(ONE_EPOCH);
  const none = { agreed: 0, disagreed: 0, failed: 0, dropped: 0 };
  await expect.poll(() => counts(page)).toEqual({ status: "waiting", ...none });
  await untilOn(page);
  // It is loaded by the first pause; inputs are copied from then on, one at a time.
  for (let n = 1; n <= 3; n += 1) {
    await predictSome(page, [n * 100], 0);
    await untilCompared(page, n);
  }
  const images = Array.from({ length: 20 }, (_, n) => n * 50);
  const results: string[] = [];
  for (const [n, image] of images.entries()) {
    const { labels, versions } = await predictSome(page, [image], 0);
    results.push(...labels);
    expect(versions).toEqual(["1.0.0"]);
    await untilCompared(page, 4 + n);
  }
  const found = await counts(page);
  expect(found).toMatchObject({ status: "on", failed: 0, dropped: 0 });
  // Of all 1,000 held-out images at most 54 can differ: 12 that the one gets wrong, 42 that the other does.
  expect(found?.agreed).toBeGreaterThanOrEqual(19);
  expect(results.filter((label, n) => label === `${IMAGES[images[n] as number]?.label}`).length).toBeGreaterThan(17);
});

test("a poisoned version disagrees", async () => {
  const page = await opened(FLIPPED);
  await untilOn(page);
  for (let n = 1; n <= 10; n += 1) {
    await predictSome(page, [n * 97], 0);
    await untilCompared(page, n);
  }
  const found = await counts(page);
  expect(found).toMatchObject({ status: "on", failed: 0 });
  expect(found?.disagreed).toBeGreaterThanOrEqual(7);
});

test("one whose outputs are invalid fails, and is given up after five", async () => {
  const page = await opened({
    weights: (values, name) => void (name === "bias4" && values.fill(Number.NaN)),
    selfTest: false,
  });
  await untilOn(page);
  for (let n = 1; n <= 5; n += 1) {
    await predictSome(page, [n], 0);
    await untilCompared(page, n);
  }
  expect(await counts(page)).toMatchObject({
    status: "off",
    failed: 5,
    problem: expect.stringMatching(/5 predictions in a row/),
  });
  const { state, events } = await seen(page);
  // It is the shadow's failure alone.
  expect(state.running.version).toBe("1.0.0");
  expect(state.blocked).toEqual([]);
  expect(events).toEqual([]);
});

test("one that its self-test stops never predicts", async () => {
  const page = await opened({ ...FLIPPED, selfTest: true });
  await predictSome(page, [0], 0);
  await expect.poll(async () => (await counts(page))?.status, { timeout: 60_000 }).toBe("off");
  expect((await counts(page))?.problem).toMatch(/self-test failed/);
});

test("never while the page predicts: it is not even loaded", async () => {
  const page = await opened(ONE_EPOCH);
  site.server.requests.length = 0;
  await page.evaluate(async () => {
    const ends = performance.now() + 6_000;
    // Two at a time, so that one is always open.
    const run = async () => {
      while (performance.now() < ends) await window.model.predict(new Float32Array(784));
    };
    await Promise.all([run(), run()]);
  });
  expect(await counts(page)).toMatchObject({
    status: expect.stringMatching(/waiting|loading/),
    agreed: 0,
    disagreed: 0,
  });
  expect(site.server.requests.filter(({ url }) => url.includes("/2.0.0/"))).toEqual([]);
});

test("an input that waits is dropped where the page goes on predicting", async () => {
  const page = await opened(ONE_EPOCH);
  await untilOn(page);
  await page.evaluate(async () => {
    const ends = performance.now() + 13_000;
    const run = async () => {
      while (performance.now() < ends) await window.model.predict(new Float32Array(784));
    };
    await Promise.all([run(), run()]);
  });
  const found = await counts(page);
  expect(found?.dropped).toBeGreaterThanOrEqual(1);
});

test.each([
  ["the visitor saves data", "Object.defineProperty(navigator, 'connection', { value: { saveData: true } })"],
  [
    "the battery is low",
    "Object.defineProperty(navigator, 'getBattery', { value: async () => ({ charging: false, level: 0.1 }) })",
  ],
  ["the device has little memory", "Object.defineProperty(navigator, 'deviceMemory', { value: 2 })"],
])("never where %s", async (_, script) => {
  site.digits("1.0.0");
  site.digits("2.0.0", ONE_EPOCH);
  site.publish([stable("1.0.0"), shadow("2.0.0")]);
  const page = await site.page();
  await page.evaluate(script);
  await follow(page, site, { backends: ["wasm"] });
  site.server.requests.length = 0;
  await predictSome(page, [1, 2, 3], 1_500);
  expect(await counts(page)).toMatchObject({ agreed: 0, disagreed: 0, failed: 0 });
  expect(site.server.requests.filter(({ url }) => url.includes("/2.0.0/"))).toEqual([]);
});

test("pictures are copied before the page draws the next one", async () => {
  const page = await opened({});
  await untilOn(page);
  for (let n = 1; n <= 4; n += 1) {
    await page.evaluate(async () => {
      const canvas = new OffscreenCanvas(28, 28);
      const context = canvas.getContext("2d") as OffscreenCanvasRenderingContext2D;
      context.fillStyle = "white";
      context.fillRect(12, 4, 4, 20);
      const prediction = window.model.predict(canvas);
      // Another picture: with the same weights the shadow would see another digit.
      context.fillStyle = "black";
      context.fillRect(0, 0, 28, 28);
      context.fillStyle = "white";
      context.fillRect(4, 4, 20, 4);
      await prediction;
    });
    await untilCompared(page, n);
  }
  expect(await counts(page)).toMatchObject({ agreed: 4, disagreed: 0, failed: 0 });
});

test("ends with the model, and its worker with it", async () => {
  const page = await opened(ONE_EPOCH);
  await untilOn(page);
  const before = page.workers().length;
  await page.evaluate(() => window.model.dispose());
  expect(before).toBe(2);
  // Idle for half a minute.
  await expect.poll(() => page.workers().length, { timeout: 60_000 }).toBe(1);
});
