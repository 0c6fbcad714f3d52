// A page that watches a camera while its channel changes: failed frames are told, a bad version is left, and the watch goes on.
import type { Page } from "playwright";
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

const site = useChannelSite("digits");
const NAN: DigitsChange["weights"] = (values, name) => void (name === "bias4" && values.fill(Number.NaN));

interface Watched {
  /** The version of each prediction, or the code of its error, without repetitions. */
  results: string[];
  failed: number;
  errors: string[];
  isOver: boolean;
}

/** Starts a watch on a canvas whose end is never reached; `watched` tells what it found so far. */
async function startWatch(page: Page, hears: boolean): Promise<void> {
  await page.evaluate(async (hears) => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 28, height: 28 });
    (canvas.getContext("2d") as CanvasRenderingContext2D).fillRect(0, 0, 28, 28);
    const found: Watched = { results: [], failed: 0, errors: [], isOver: false };
    const add = (result: string) => void (found.results.at(-1) !== result && found.results.push(result));
    const onError = ({ code }: { code: string }) => add(code);
    const watched = window.model.watch(canvas, { every: 20, ...(hears && { onError }) });
    addEventListener("error", ({ error }) => found.errors.push(error.code));
    Object.assign(window, { found: () => ({ ...found, failed: watched.failed }) });
    void (async () => {
      for await (const { model } of watched) add(model.version);
    })()
      .catch((error) => add(`ended with ${error.code}`))
      .finally(() => {
        found.isOver = true;
      });
  }, hears);
}

const watched = (page: Page) => page.evaluate(() => (window as unknown as { found(): Watched }).found());
const results = async (page: Page) => (await watched(page)).results;

test.each([true, false])(
  "a canary of NaN is left, and the watch goes on with the version of before; onError: %s",
  async (hears) => {
    site.digits("1.0.0");
    site.digits("1.1.0", { weights: NAN, selfTest: false });
    site.publish([stable("1.0.0")]);
    const page = await site.page();
    await follow(page, site, { backends: ["wasm", "cpu"] });
    await startWatch(page, hears);
    await expect.poll(() => results(page)).toEqual(["1.0.0"]);
    site.publish([stable("1.0.0", 0), canary("1.1.0")]);
    await page.evaluate(() => window.model.rollout?.check());
    const expected = hears ? ["1.0.0", "output_invalid", "1.0.0"] : ["1.0.0"];
    await untilRuns(page, "1.0.0");
    await expect.poll(async () => (await seen(page)).events.map(({ type }) => type)).toContain("rollback");
    const before = (await watched(page)).failed;
    expect(before).toBe(5);
    await expect.poll(() => results(page)).toEqual(expected);
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 300)));
    const now = await watched(page);
    expect(now).toMatchObject({ failed: 5, isOver: false, errors: hears ? [] : ["output_invalid"] });
    // And so it does when the next version is a good one.
    site.digits("1.2.0");
    site.publish([stable("1.2.0")]);
    await page.evaluate(() => window.model.rollout?.check());
    await expect.poll(() => results(page)).toEqual([...expected, "1.2.0"]);
    expect((await watched(page)).isOver).toBe(false);
    await page.evaluate(() => window.model.dispose());
    await expect.poll(async () => (await results(page)).at(-1)).toBe("ended with disposed");
  },
);

test("a first version of NaN with no other: the watch goes on, and predicts once a good one is published", async () => {
  site.digits("1.0.0", { weights: NAN, selfTest: false });
  site.publish([stable("1.0.0")]);
  const page = await site.page();
  await follow(page, site, { backends: ["wasm", "cpu"] });
  await startWatch(page, true);
  await expect.poll(async () => (await seen(page)).events.map(({ type }) => type)).toContain("problem");
  site.digits("1.0.1");
  site.publish([stable("1.0.1")]);
  await page.evaluate(() => window.model.rollout?.check());
  await expect.poll(() => results(page)).toEqual(["output_invalid", "1.0.1"]);
  expect(await running(page)).toBe("1.0.1");
});
