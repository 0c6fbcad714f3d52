// 1,000 held-out digits with their labels: page, collector, dashboard and training agree on the accuracy.
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Collector, startCollector } from "../../../../../collector/src/index.js";
import type { Report } from "../../../../../collector/src/report-types.js";
import { expectPageShows, tile } from "../../../../../collector/test/support/dashboard-page.js";
import { temporaryFolder } from "../../../../../collector/test/support/run.js";
import { heldOut } from "../../../../../models/digits/data.js";
import manifest from "../../../../../models/digits/package/insitu.json" with { type: "json" };
import type { LibraryPage } from "../../../../support/page.js";
import { openSharedLibrary } from "../../../../support/shared-browser.js";

let library: LibraryPage;
let collector: Collector;
const folder = temporaryFolder();

beforeAll(async () => {
  // The records of a single page are shown: there is no other page to protect.
  collector = await startCollector({ port: 0, data: `${folder.path}/telemetry.db`, minBatches: 1 });
  library = await openSharedLibrary();
});
afterAll(async () => {
  await library?.close();
  await collector?.close();
  folder.remove();
});

test("the dashboard shows the accuracy, and its interval, that the page has and the training had", async () => {
  const digits = heldOut().map(({ pixels, label }) => ({ pixels: Array.from(pixels), label }));
  const snapshot = await library.page.evaluate(
    async ([items, endpoint]) => {
      const client = window.insitu.createClient({ backends: ["wasm"], telemetry: { endpoint, sampling: 0 } });
      const model = await client.load("/models/digits/", { task: "classification" });
      for (const { pixels, label } of items) {
        const { id } = await model.predict(Float32Array.from(pixels));
        await model.feedback(id, { label: `${label}` });
      }
      await model.predict(new Float32Array(3)).catch(() => undefined);
      while (client.telemetry.stats().pending > 0) await client.telemetry.flush();
      return model.monitor.snapshot();
    },
    [digits, collector.url] as const,
  );
  const [version] = snapshot.versions;
  expect(Math.abs((version?.accuracy ?? 0) - manifest.metrics.heldOutAccuracy)).toBeLessThanOrEqual(0.002);

  const report = (await (await fetch(`${collector.url}/v1/report`)).json()) as Report;
  expect(report.accuracy).toHaveLength(1);
  expect(report.accuracy[0]).toMatchObject({
    model: "digits",
    version: "1.0.0",
    labelled: 1_000,
    correct: version?.correct,
  });
  expect(report.accuracy[0]?.low).toBeCloseTo(version?.interval[0] as number, 9);
  expect(report.accuracy[0]?.high).toBeCloseTo(version?.interval[1] as number, 9);
  expect(report.accuracy[0]?.brier).toBeCloseTo(version?.brier as number, 9);
  expect(report.accuracy[0]?.estimate?.accuracy).toBeCloseTo(version?.estimate?.accuracy as number, 9);

  const dashboard = await library.chromium.context.newPage();
  await dashboard.goto(`${collector.url}/dashboard/`);
  await expect.poll(() => tile(dashboard, "accuracy")).toBe(version?.accuracy);
  await expectPageShows(dashboard, report);
  if (process.env.INSITU_SHOT) await dashboard.screenshot({ path: process.env.INSITU_SHOT, fullPage: true });
});
