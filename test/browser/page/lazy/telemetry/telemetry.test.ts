// Telemetry end to end: the real collector counts what a page predicts, and without an endpoint nothing is sent.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { startCollector } from "../../../../../collector/src/index.js";
import type { LibraryPage } from "../../../../support/page.js";
import { openSharedLibrary } from "../../../../support/shared-browser.js";

let library: LibraryPage;
let collector: Awaited<ReturnType<typeof startCollector>>;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "insitu-telemetry-"));
  collector = await startCollector({ port: 0, data: join(folder, "telemetry.db") });
  library = await openSharedLibrary();
});
afterAll(async () => {
  await library?.close();
  await collector?.close();
  await rm(folder, { recursive: true, force: true });
});

const metrics = async () => (await fetch(new URL("/metrics", collector.url))).text();

/** The sum of the series of `name` whose labels hold all of `labels`; undefined when there is none. */
function series(text: string, name: string, labels: Record<string, string>): number | undefined {
  const wanted = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
  const rows = text
    .split("\n")
    .filter((row) => row.startsWith(`${name}{`) && wanted.every((pair) => row.includes(pair)));
  return rows.length === 0 ? undefined : rows.reduce((sum, row) => sum + Number(row.slice(row.lastIndexOf(" "))), 0);
}

beforeEach(() => library.visit());

test("each prediction's duration and each error reaches the collector", async () => {
  const stats = await library.page.evaluate(async (endpoint) => {
    const client = window.insitu.createClient({
      backends: ["cpu"],
      telemetry: { endpoint, service: { name: "shop", version: "1.4.0" }, sampling: 1 },
    });
    const model = await client.load("/models/digits/");
    for (let n = 0; n < 25; n += 1) await model.predict(new Float32Array(784));
    await model.predict(new Float32Array(3)).catch(() => undefined);
    await model.stored;
    // The store is measured a moment later.
    while (client.telemetry.stats().recorded < 56) await new Promise((resolve) => setTimeout(resolve, 20));
    await client.telemetry.flush();
    return client.telemetry.stats();
  }, collector.url);
  // 25 predictions, one failure, one load, all of them also as events; a look into the store, and how much is in it.
  expect(stats).toEqual({ recorded: 56, sent: 56, pending: 0, dropped: {} });
  const text = await metrics();
  const labels = { ml_model_name: "digits", ml_runtime_backend: "cpu" };
  const failed = series(text, "ml_inference_duration_seconds_count", { ...labels, error_type: "input_invalid" });
  const rows = text
    .split("\n")
    .filter((row) => row.startsWith("ml_inference_duration_seconds_count{") && !row.includes("error_type"));
  expect(rows).toHaveLength(1);
  expect(Number(rows[0]?.split(" ").at(-1))).toBe(25);
  expect(failed).toBe(1);
  expect(series(text, "ml_model_load_duration_seconds_count", { ml_model_name: "digits" })).toBe(1);
  expect(series(text, "ml_errors_total", { error_type: "input_invalid" })).toBe(1);
});

test("a page that closes sends what it has", async () => {
  const before = series(await metrics(), "ml_model_load_duration_seconds_count", { ml_model_name: "digits" }) ?? 0;
  const page = await library.chromium.context.newPage();
  await page.goto(library.server.url);
  await page.addScriptTag({
    type: "module",
    content: 'import * as insitu from "/dist/index.js"; window.insitu = insitu;',
  });
  await page.waitForFunction(() => "insitu" in window);
  await page.evaluate(async (endpoint) => {
    const client = window.insitu.createClient({ backends: ["cpu"], telemetry: { endpoint } });
    const model = await client.load("/models/digits/");
    // Longer than it takes to fetch the part of the library that reports.
    await model.tuned;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }, collector.url);
  await page.close({ runBeforeUnload: true });
  await expect
    .poll(async () => series(await metrics(), "ml_model_load_duration_seconds_count", { ml_model_name: "digits" }), {
      timeout: 10_000,
    })
    .toBe(before + 1);
});

test("without an endpoint, or without consent, no request is made", async () => {
  const requests: string[] = [];
  library.page.on("request", (request) => requests.push(request.url()));
  const stats = await library.page.evaluate(async (endpoint) => {
    const run = async (telemetry: { endpoint?: string; consent?: "denied" | "pending" } | undefined) => {
      const client = window.insitu.createClient({
        backends: ["cpu"],
        telemetry: telemetry && { ...telemetry, sampling: 0 },
      });
      const model = await client.load("/models/digits/");
      await model.predict(new Float32Array(784));
      await client.telemetry.flush();
      return client.telemetry.stats();
    };
    return {
      off: await run(undefined),
      denied: await run({ endpoint, consent: "denied" }),
      pending: await run({ endpoint, consent: "pending" }),
    };
  }, collector.url);
  expect(stats.off.recorded).toBe(0);
  expect(stats.denied).toMatchObject({ sent: 0, pending: 0 });
  expect(stats.denied.dropped.consent).toBeGreaterThanOrEqual(3);
  expect(stats.pending).toMatchObject({ sent: 0, dropped: {} });
  expect(stats.pending.pending).toBeGreaterThanOrEqual(4);
  expect(requests.filter((url) => !url.startsWith(library.server.url) && !url.startsWith("blob:"))).toEqual([]);
});

test("a collector that is away costs no prediction, and gets the records when it is back", async () => {
  const result = await library.page.evaluate(async () => {
    const client = window.insitu.createClient({
      backends: ["cpu"],
      telemetry: { endpoint: "http://127.0.0.1:9", sampling: 0 },
    });
    const model = await client.load("/models/digits/");
    const { value } = await model.predict(new Float32Array(784));
    await client.telemetry.flush();
    return { labels: (value as unknown[]).length, stats: client.telemetry.stats() };
  });
  expect(result.labels).toBeGreaterThan(0);
  expect(result.stats).toMatchObject({ sent: 0, pending: result.stats.recorded, dropped: {} });
  expect(result.stats.recorded).toBeGreaterThanOrEqual(4);
});
