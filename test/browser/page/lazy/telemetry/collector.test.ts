// Pages and the real collector are killed at any time: each prediction is counted once, and no acknowledged record is lost.
import type { Page } from "playwright";
import { afterAll, beforeAll } from "vitest";
import { end, type Running, startCommand, temporaryFolder } from "../../../../../collector/test/support/run.js";
import { crash } from "../../../../support/crash.js";
import { expect, test, type Visit } from "../../../../support/fixtures.js";

let collector: Running;
const folder = temporaryFolder();
const data = `${folder.path}/telemetry.db`;

beforeAll(async () => {
  collector = await startCommand("--port", "0", "--data", data);
});
afterAll(async () => {
  await end(collector.child, "SIGKILL");
  folder.remove();
});

/** A tab that reports to the collector. */
async function openTab(visit: Visit): Promise<Page> {
  const page = await visit();
  await page.evaluate(async (endpoint) => {
    const telemetry = { endpoint, sampling: 1, flushInterval: 200 };
    window.client = window.insitu.createClient({ backends: ["wasm"], storage: { name: "died" }, telemetry });
    window.model = await window.client.load("/models/digits/", { task: "classification" });
  }, collector.url);
  return page;
}

const predict = (page: Page, times: number) =>
  page.evaluate(async (n) => {
    for (let i = 0; i < n; i += 1) await window.model.predict(new Float32Array(784).fill(i / n));
  }, times);

async function restart(): Promise<void> {
  const { port } = new URL(collector.url);
  await end(collector.child, "SIGKILL");
  collector = await startCommand("--port", port, "--data", data);
}

/** The sum of a counter over all of its series; undefined while the collector is away. */
async function counted(name: string): Promise<number> {
  const text = await (await fetch(`${collector.url}/metrics`)).text();
  const rows = text.split("\n").filter((row) => row.startsWith(`${name}{`) || row.startsWith(`${name} `));
  return rows.reduce((sum, row) => sum + Number(row.slice(row.lastIndexOf(" "))), 0);
}

test("a thousand predictions, with the collector killed, the network cut, pages closed and crashed", {
  timeout: 120_000,
}, async ({ library, visit }) => {
  const { context } = library.chromium;
  const first = await openTab(visit);
  await predict(first, 200);
  await restart();
  await predict(first, 200);
  await context.setOffline(true);
  await predict(first, 100);
  await context.setOffline(false);
  await first.close({ runBeforeUnload: true });

  const second = await openTab(visit);
  await predict(second, 150);
  // New records are handed to the browser once a second.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  await crash(second);
  await restart();

  const third = await openTab(visit);
  // In the middle of what it sends.
  const predicting = predict(third, 350);
  await new Promise((resolve) => setTimeout(resolve, 300));
  await restart();
  await predicting;
  const flushed = async () => {
    await third.evaluate(() => window.client.telemetry.flush());
    const { pending, dropped } = await third.evaluate(() => window.client.telemetry.stats());
    return { pending, dropped };
  };
  await expect.poll(flushed, { timeout: 60_000, interval: 500 }).toEqual({ pending: 0, dropped: {} });
  await expect.poll(() => counted("ml_inference_items_total"), { timeout: 60_000, interval: 500 }).toBe(1_000);
  // None comes late, either.
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  expect(await counted("ml_inference_items_total")).toBe(1_000);
  expect(await counted("ml_telemetry_dropped_total")).toBe(0);
});
