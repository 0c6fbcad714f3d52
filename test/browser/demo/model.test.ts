// The demo's page Your model: any package by its address, with pictures or numbers, and typed errors for wrong addresses.
// biome-ignore-all lint/performance/useDomNodeTextContent: a visitor sees the rendered text, hidden parts left out.
import type { ChildProcess } from "node:child_process";
import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "playwright";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Chromium, launchChromium } from "../../support/chromium.js";
import { startDemo } from "../../support/demo.js";

const SLOW_MS = 60_000;

let server: ChildProcess;
let url: string;
let chromium: Chromium;
let page: Page;

const text = (selector: string) => page.locator(selector).innerText();
const open = (model: string) => page.goto(`${new URL("/", url).href}?model=${encodeURIComponent(model)}`);
const said = (pattern: RegExp) => expect.poll(() => text("#status"), { timeout: SLOW_MS }).toMatch(pattern);

beforeAll(async () => {
  ({ process: server, demo: url } = await startDemo("--port", "0", "--no-collector"));
  chromium = await launchChromium();
  page = await chromium.context.newPage();
});

afterAll(async () => {
  await chromium?.close();
  server?.kill("SIGKILL");
});

test.each([
  ["/models/objects/", /is loaded: detection/, /cat, \d+ %, at \d+, \d+/],
  ["/models/digits/", /is loaded: classification/, /\d, [\d.]+ %/],
  ["/models/features/insitu.json", /is loaded: embedding/, /A vector of 1280 numbers/],
  ["/models/ranker/", /is loaded: ranking/, /candidate 1, score -?[\d.]+/],
])("%s is loaded and predicts", async (model, loaded, value) => {
  await open(model);
  await said(loaded);
  expect(await text("#model-code summary")).toBe("Show the code");
  await page.getByRole("button", { name: "Predict" }).click();
  await said(/^A result in/);
  expect(await text("#value")).toMatch(value);
  expect(await text("#time")).toMatch(/total on \w+/);
});

test("numbers that are none are refused, and the result before is gone", async () => {
  await page.getByRole("textbox", { name: /^features: 72 numbers/ }).fill("1 2 three");
  await page.getByRole("button", { name: "Predict" }).click();
  await expect.poll(() => text("#failure")).toContain("input_invalid");
  expect(await text("#failure")).toContain('"three" is none');
  expect(await text("#value")).toBe("No result yet.");
});

test.each([
  ["/models/none/", /http_4xx/],
  ["/photos/coffee.jpg", /model_format|http_4xx/],
  ["http://[", /is not an address[\s\S]*input_invalid/],
  ["http://127.0.0.1:9/x/", /network|csp_blocked/],
])("the address %s is refused with its error", async (model, error) => {
  await open(model);
  await said(/could not be loaded/);
  expect(await text("#failure")).toMatch(error);
  expect(await page.locator("#opened").isHidden()).toBe(true);
});

test.each([
  ["light", 360],
  ["dark", 1280],
] as const)("no accessibility violations: %s, %i pixels wide", async (colorScheme, width) => {
  await open("/models/objects/");
  await said(/is loaded/);
  await page.getByRole("button", { name: "Predict" }).click();
  await said(/^A result in/);
  await page.locator("#model-code summary").click();
  await page.setViewportSize({ width, height: 800 });
  await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`)).toEqual([]);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
});
