// Faults of the worker and long tasks of the page are reported to the collector as metrics.

import type { Page } from "playwright";
import { expect, test } from "../../../../support/fixtures.js";
import type { Receiver } from "../../../../support/receiver.js";
import { RIGGED_WORKER, rig, riggedWorker } from "../../../../support/rigged-worker.js";

let stores = 0;

test.override("serve", { routes: [riggedWorker] });

async function open(page: Page, receiver: Receiver): Promise<void> {
  await page.evaluate(
    async ([endpoint, name, worker]) => {
      const telemetry = { endpoint, sampling: 1 };
      window.client = window.insitu.createClient({ backends: ["wasm", "cpu"], storage: { name }, worker, telemetry });
      window.model = await window.client.load("/models/digits/", { task: "classification" });
      await window.model.tuned;
    },
    [receiver.url, `trouble${++stores}`, RIGGED_WORKER] as const,
  );
}

const predict = (page: Page) =>
  page.evaluate(() =>
    window.model.predict(new Float32Array(784).fill(0.5)).then(
      () => "",
      ({ code }) => code,
    ),
  );

/** The attributes of a metric's points that arrived, once there are some. */
async function arrived(page: Page, receiver: Receiver, metric: string): Promise<Record<string, string>[]> {
  const found = () =>
    [...receiver.taken().values()]
      .filter(({ path }) => path === "/v1/metrics")
      .flatMap(({ text }) => JSON.parse(text).resourceMetrics[0].scopeMetrics[0].metrics)
      .filter(({ name }) => name === metric)
      .flatMap(({ sum, histogram }) => (sum ?? histogram).dataPoints)
      .map(({ attributes }) =>
        Object.fromEntries(
          attributes.map(({ key, value }: { key: string; value: { stringValue: string } }) => [key, value.stringValue]),
        ),
      );
  const flushed = async () => {
    await page.evaluate(() => window.client.telemetry.flush());
    return found().length;
  };
  await expect.poll(flushed, { timeout: 20_000 }).toBeGreaterThan(0);
  return found();
}

test("a model that changes its backend", async ({ page, receiver }) => {
  await open(page, receiver);
  await rig(page, "computeNaN");
  expect(await predict(page)).toBe("output_invalid");
  await expect.poll(() => page.evaluate(() => window.model.info.backend)).toBe("cpu");
  expect(await predict(page)).toBe("");
  expect(await arrived(page, receiver, "ml.runtime.fallbacks")).toEqual([
    { "ml.fallback.from": "wasm", "ml.fallback.to": "cpu", "error.type": "output_invalid" },
  ]);
  expect(receiver.events("ml.runtime.fallback")).toBe(1);
  expect(await arrived(page, receiver, "ml.errors")).toEqual([
    { "error.type": "output_invalid", "ml.inference.stage": "predict" },
  ]);
});

test("a worker that dies and is replaced", async ({ page, receiver }) => {
  await open(page, receiver);
  await rig(page, "throw");
  await expect.poll(() => predict(page)).toBe("");
  expect(await arrived(page, receiver, "ml.runtime.worker.restarts")).toEqual([{ "ml.restart.reason": "error" }]);
});

test("a task that holds the page while it waits for a prediction", async ({ page, receiver }) => {
  await open(page, receiver);
  await page.evaluate(async () => {
    // Nothing waits for the first.
    const hold = (ms: number) => {
      for (const end = performance.now() + ms; performance.now() < end; );
    };
    const predicting = window.model.predict(new Float32Array(784).fill(0.5));
    await new Promise((resolve) => setTimeout(resolve));
    hold(150);
    await predicting;
    // The browser reports a task when it is over.
    await new Promise((resolve) => setTimeout(resolve, 100));
    const next = window.model.predict(new Float32Array(784).fill(0.5));
    await new Promise((resolve) => setTimeout(resolve));
    hold(150);
    await next;
  });
  expect(await arrived(page, receiver, "ml.runtime.long_task.duration")).toEqual([{ "ml.model.name": "digits" }]);
});

test("what a load cost: time, bytes, warm-up, the store, and memory", async ({ page, receiver }) => {
  await open(page, receiver);
  await predict(page);
  expect(await arrived(page, receiver, "ml.model.load.duration")).toEqual([
    { "ml.model.name": "digits", "ml.model.version": "1.0.0", "ml.model.source": "network" },
  ]);
  expect(await arrived(page, receiver, "ml.model.download.io")).toHaveLength(1);
  expect(await arrived(page, receiver, "ml.model.warmup.duration")).toEqual([
    { "ml.model.name": "digits", "ml.runtime.backend": "wasm" },
  ]);
  expect(await arrived(page, receiver, "ml.model.cache.requests")).toEqual([{ "ml.cache.result": "miss" }]);
  const kinds = (await arrived(page, receiver, "ml.runtime.memory.usage")).map(
    (attributes) => attributes["ml.memory.kind"],
  );
  await expect
    .poll(async () => (await arrived(page, receiver, "ml.runtime.memory.usage")).map((each) => each["ml.memory.kind"]))
    .toContain("storage");
  expect(kinds).toEqual(expect.arrayContaining(["tensor", "wasm"]));
});

test.for([365, -365])("a device's clock that is %s days off changes no count", async (days, { page, receiver }) => {
  await page.evaluate((off) => {
    const { now } = Date;
    Date.now = () => now() + off * 86_400_000;
  }, days);
  await open(page, receiver);
  for (let i = 0; i < 5; i += 1) expect(await predict(page)).toBe("");
  await arrived(page, receiver, "ml.inference.items");
  expect(receiver.count("ml.inference.items")).toBe(5);
  expect(receiver.events("ml.prediction")).toBe(5);
});
