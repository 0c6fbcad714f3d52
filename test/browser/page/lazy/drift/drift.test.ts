// Drift with real digits, a real worker and a real IndexedDB: what is told, once, and what leaves the page.
import type { Page } from "playwright";
import { type Digit, heldOut } from "../../../../../models/digits/data.js";
import type {
  ClientOptions,
  DegradedEvent,
  DriftEvent,
  LoadOptions,
  ReferenceProfile,
} from "../../../../../src/index.js";
import { mulberry32 } from "../../../../../src/worker/package/seeded-noise.js";
import { expect, test } from "../../../../support/fixtures.js";
import type { Receiver } from "../../../../support/receiver.js";

declare global {
  interface Window {
    monitorEvents: { type: string; detail: DriftEvent | DegradedEvent }[];
    ids: { id: string; index: number }[];
  }
}

let stores = 0;

interface Opening {
  store?: string;
  consent?: "granted" | "denied";
  monitor?: LoadOptions["monitor"];
  client?: Partial<ClientOptions>;
}

/** Returns the name of the storage. Events of the monitor go into `window.monitorEvents`. */
async function open(
  on: Page,
  receiver: Receiver,
  { store = `drift${++stores}`, consent, monitor }: Opening = {},
): Promise<string> {
  await on.evaluate(
    async ([endpoint, name, consent, monitor]) => {
      // No event for each prediction: a thousand would use up what a page may send in an hour.
      const telemetry = { endpoint, sampling: 0, consent };
      window.client = window.insitu.createClient({ backends: ["wasm"], storage: { name }, telemetry });
      window.model = await window.client.load("/models/digits/", { task: "classification", monitor });
      window.monitorEvents = [];
      window.ids = [];
      for (const type of ["drift", "degraded"] as const)
        window.model.monitor.addEventListener(type, ({ detail }) => void window.monitorEvents.push({ type, detail }));
    },
    [receiver.url, store, consent, monitor] as const,
  );
  return store;
}

/** Held-out digits in random order, from the `from`th on. */
function digits(from: number, count: number): Digit[] {
  const random = mulberry32(7);
  const all = heldOut().map((digit) => ({ digit, at: random() }));
  return all
    .sort((a, b) => a.at - b.at)
    .slice(from, from + count)
    .map(({ digit }) => digit);
}

/** White paper with black ink, and noise: what the model never saw. */
function shifted(all: Digit[]): Digit[] {
  const random = mulberry32(3);
  return all.map(({ label, pixels }) => ({
    label,
    pixels: pixels.map((value) => Math.min(1, Math.max(0, 1 - value + 0.6 * (random() - 0.5)))),
  }));
}

/** Predicts each; bytes cross faster than numbers. */
const predict = (on: Page, all: Digit[]) =>
  on.evaluate(
    async ([text, count]) => {
      const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
      for (let i = 0; i < count; i += 1) {
        const pixels = Float32Array.from(bytes.subarray(i * 784, (i + 1) * 784), (byte) => byte / 255);
        const { id, value } = await window.model.predict(pixels);
        window.ids.push({ id, index: value[0]?.index as number });
      }
    },
    [
      Buffer.concat(all.map(({ pixels }) => Buffer.from(pixels.map((value) => Math.round(value * 255))))).toString(
        "base64",
      ),
      all.length,
    ] as const,
  );

const told = (on: Page) => on.evaluate(() => window.monitorEvents);
const drift = (on: Page) => on.evaluate(() => window.model.monitor.snapshot().drift);
const seen = async (on: Page) => (await drift(on))[0]?.targets.find(({ target }) => target === "confidence")?.n;
const flush = (on: Page) => on.evaluate(() => window.client.telemetry.flush());

test("inputs like those of the training raise no event; others raise one, with what changed and since when", async ({
  page,
  receiver,
}) => {
  await open(page, receiver);
  await predict(page, digits(0, 600));
  await expect.poll(() => seen(page)).toBe(600);
  expect(await told(page)).toEqual([]);
  const changedAt = Date.now();
  await predict(page, shifted(digits(600, 400)));
  await expect.poll(() => told(page)).toHaveLength(1);
  const [{ type, detail }] = (await told(page)) as [{ type: string; detail: DriftEvent }];
  expect([type, detail.target, detail.model, detail.version, detail.arm]).toEqual([
    "drift",
    "confidence",
    "digits",
    "1.0.0",
    "stable",
  ]);
  expect(detail.before - detail.after).toBeGreaterThan(0.05);
  expect(detail.statistic).toBeGreaterThan(detail.threshold);
  expect(detail.n).toBeGreaterThan(600);
  expect(detail.n).toBeLessThanOrEqual(1000);
  expect(detail.startedAt).toBeLessThanOrEqual(detail.detectedAt);
  expect(detail.detectedAt).toBeGreaterThanOrEqual(changedAt);
  const [state] = await drift(page);
  expect(state?.targets[0]?.last).toEqual(detail);
  await flush(page);
  await expect.poll(() => receiver.count("ml.drift.detections")).toBe(1);
  expect(receiver.events("ml.drift.detected")).toBe(1);
});

test("visits add up: the detectors go on where the last page ended, however it ended", async ({
  page,
  visit,
  receiver,
}) => {
  const store = await open(page, receiver);
  await predict(page, digits(0, 40));
  await expect.poll(() => seen(page)).toBe(40);
  // A page that is left at once: its last predictions were not passed to the detectors.
  await predict(page, digits(40, 10));
  await page.goto("about:blank");
  const second = await visit();
  await open(second, receiver, { store });
  await expect.poll(() => seen(second)).toBe(50);
  await predict(second, digits(50, 10));
  await expect.poll(() => seen(second)).toBe(60);
  await second.evaluate(() => window.model.monitor.clear());
  await second.evaluate(() => window.client.dispose());
  const third = await visit();
  await open(third, receiver, { store });
  await predict(third, digits(60, 1));
  await expect.poll(() => seen(third)).toBe(1);
});

test("feedback that a model is wrong more often than its baseline allows is told once, also over visits", async ({
  page,
  visit,
  receiver,
}) => {
  const say = (on: Page, isRight: (n: number) => boolean) =>
    on.evaluate(
      async (right) => {
        for (const [n, { id }] of window.ids.splice(0).entries())
          await window.model.feedback(id, { correct: right[n] as boolean });
      },
      Array.from({ length: 200 }, (_, n) => isRight(n)),
    );
  const monitor = { baseline: 0.9 };
  const store = await open(page, receiver, { monitor });
  await predict(page, digits(0, 99));
  await say(page, () => false);
  // With fewer than 100 labels nothing is said.
  await expect.poll(async () => (await drift(page))[0]?.targets.find(({ target }) => target === "error")?.n).toBe(99);
  expect(await told(page)).toEqual([]);
  await predict(page, digits(100, 60));
  await say(page, (n) => n % 2 === 0);
  await expect.poll(() => told(page)).toHaveLength(1);
  const [{ type, detail }] = (await told(page)) as [{ type: string; detail: DegradedEvent }];
  expect(type).toBe("degraded");
  expect(detail).toMatchObject({ basis: "labels", limit: expect.closeTo(0.85), model: "digits", version: "1.0.0" });
  expect(detail.interval[1]).toBeLessThan(0.85);
  expect(detail.n).toBeGreaterThanOrEqual(100);
  await page.evaluate(() => window.client.dispose());
  const second = await visit();
  await open(second, receiver, { store, monitor });
  await predict(second, digits(200, 20));
  await say(second, () => false);
  await expect.poll(async () => (await drift(second))[0]?.degraded).toEqual(["labels"]);
  expect((await told(second)).filter(({ type }) => type === "degraded")).toEqual([]);
});

/** A profile under which the digits' brightness is where it is. */
const PROFILE: ReferenceProfile = {
  samples: 1000,
  features: [
    {
      name: "image.brightness",
      edges: Array.from({ length: 19 }, (_, i) => 0.05 + i / 100),
      low: 0,
      high: 0.5,
      missing: 0,
    },
    {
      name: "image.contrast",
      edges: Array.from({ length: 19 }, (_, i) => 0.2 + i / 100),
      low: 0,
      high: 0.6,
      missing: 0,
    },
  ],
};

async function withProfile(on: Page): Promise<void> {
  await on.context().route("**/models/digits/insitu.json", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...(await response.json()), reference: PROFILE } });
  });
}

test("with a profile only the quantiles of an input leave the page, without one nothing of it does", async ({
  visit,
  receiver,
}) => {
  const SECRET = 0.123456789;
  const send = async (on: Page) => {
    await open(on, receiver);
    await on.evaluate(async (secret) => {
      for (let i = 0; i < 6; i += 1) {
        await window.model.predict(new Float32Array(784).fill(secret));
        await new Promise((resolve) => setTimeout(resolve, 120));
      }
      await window.client.telemetry.flush();
    }, SECRET);
    return on.evaluate(() => window.model.monitor.snapshot().inputs);
  };
  const plain = await send(await visit());
  expect(plain.map(({ feature }) => feature)).toEqual(["image.brightness", "image.contrast"]);
  expect(plain[0]?.mean).toBeCloseTo(SECRET, 5);
  expect(receiver.count("ml.input.quantile")).toBe(0);
  const profiled = await visit();
  await withProfile(profiled);
  const [brightness] = await send(profiled);
  await profiled.context().unroute("**/models/digits/insitu.json");
  expect(brightness?.histogram).toMatchObject({ from: 0, to: 1, isQuantile: true });
  expect(brightness?.n).toBeGreaterThan(2);
  // The quantile of 0.1235 among edges that are 0.01 apart.
  expect(brightness?.histogram.counts[8]).toBe(brightness?.n);
  await expect.poll(() => receiver.count("ml.input.quantile")).toBeGreaterThan(4);
  const text = [...receiver.taken().values()].map((each) => `${each.text} ${each.url}`).join();
  expect(text).toContain("image.brightness");
  expect(text).not.toContain("0.1234");
});

test("of a picture brightness, contrast and its own size are counted", async ({ page, receiver }) => {
  await open(page, receiver);
  const inputs = await page.evaluate(async () => {
    const canvas = new OffscreenCanvas(123, 45);
    const context = canvas.getContext("2d") as OffscreenCanvasRenderingContext2D;
    context.fillStyle = "white";
    context.fillRect(0, 0, 123, 45);
    await window.model.predict(canvas);
    return window.model.monitor.snapshot().inputs;
  });
  const byName = Object.fromEntries(inputs.map(({ feature, mean }) => [feature, mean]));
  expect(byName).toMatchObject({ "image.width": 123, "image.height": 45 });
  // The white picture in the middle of the black border.
  expect(byName["image.brightness"]).toBeGreaterThan(0.3);
  expect(byName["image.brightness"]).toBeLessThan(0.45);
});

test("consent that is denied sends nothing; the page itself is told all the same", async ({ page, receiver }) => {
  await withProfile(page);
  await open(page, receiver, { consent: "denied" });
  await predict(page, digits(0, 500));
  await predict(page, shifted(digits(500, 400)));
  await expect.poll(() => told(page)).toHaveLength(1);
  await flush(page);
  await page.context().unroute("**/models/digits/insitu.json");
  expect(receiver.received).toEqual([]);
});

test("limits that are no shares are refused with their name", async ({ page, receiver }) => {
  await open(page, receiver);
  const refused = await page.evaluate(async () => {
    const problems: unknown[] = [];
    for (const monitor of [{ baseline: 95 }, { margin: -0.1 }, { floor: Number.NaN }, 5 as never])
      await window.client
        .load("/models/digits/", { monitor })
        .catch(({ code, message }) => problems.push([code, message]));
    return problems;
  });
  expect(refused).toEqual(
    ["monitor.baseline", "monitor.margin", "monitor.floor", "monitor"].map((name) => [
      "input_invalid",
      expect.stringContaining(name),
    ]),
  );
});
