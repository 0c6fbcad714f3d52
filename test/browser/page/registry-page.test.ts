// The page of a registry in Chromium: readable in light and dark, narrow and wide, opened as a file, without a request or a script.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "playwright";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Chromium, launchChromium } from "../../support/chromium.js";
import { insitu } from "../../support/cli.js";
import { writeVersion } from "../../support/versions.js";

let folder: string;
let chromium: Chromium;
let page: Page;
const requests: string[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "insitu-registry-page-"));
  const registry = ["--registry", join(folder, "registry"), "--by", "Ada Lovelace"];
  for (const [minor, accuracy] of [0.91, 0.935, 0.93, 0.958, 0.966].entries()) {
    const metrics = { heldOutAccuracy: accuracy, latencyMs: 12 - minor };
    const path = writeVersion(join(folder, "packages"), `1.${minor}.0`, { metrics });
    expect(insitu("registry", "add", path, ...registry, "--why", "nightly training").status).toBe(0);
  }
  const letters = writeVersion(join(folder, "packages"), "0.1.0", { name: "letters", license: "Apache-2.0" });
  expect(insitu("registry", "add", letters, ...registry).status).toBe(0);
  expect(insitu("registry", "alias", "digits@champion", "1.3.0", ...registry, "--why", "a quiet week").status).toBe(0);
  const channel = join(folder, "registry/digits");
  const arms = ["--stable", "1.3.0", "--canary", "1.4.0", "--weight", "10", "--shadow", "1.2.0"];
  expect(insitu("channel", "start", channel, ...arms, "--by", "Ada Lovelace", "--why", "try it").status).toBe(0);
  chromium = await launchChromium();
  page = await chromium.context.newPage();
  page.on("request", (request) => requests.push(request.url()));
});

afterAll(async () => {
  await chromium?.close();
  rmSync(folder, { recursive: true, force: true });
});

describe.each(["light", "dark"] as const)("%s", (colorScheme) => {
  test.each([360, 768, 1280])("%d pixels wide", async (width) => {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 800 });
    requests.length = 0;
    const url = pathToFileURL(join(folder, "registry/index.html")).href;
    await page.goto(url);
    // Chromium reads the icon of a data: address too.
    expect(requests.filter((one) => !one.startsWith("data:"))).toEqual([url]);
    expect(await page.locator("script").count()).toBe(0);
    // What is too wide scrolls by itself.
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    const { violations } = await new AxeBuilder({ page })
      .withTags(["wcag2a", "wcag2aa", "wcag21aa", "best-practice"])
      .analyze();
    expect(
      violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`),
    ).toEqual([]);
    const shots = process.env.INSITU_SHOTS;
    if (shots) {
      mkdirSync(shots, { recursive: true });
      await page.screenshot({ path: join(shots, `registry-${colorScheme}-${width}.png`), fullPage: true });
    }
  });
});

test("shows versions, figures, aliases, arms and history", async () => {
  const text = await page.locator("main").textContent();
  for (const words of [
    "stable 1.3.0 90 %",
    "canary 1.4.0 10 %",
    "shadow 1.2.0",
    "champion",
    "a quiet week",
    "0.966",
    "licence Apache-2.0",
  ])
    expect(text).toContain(words);
  const plots = await page.locator("figure svg").evaluateAll((all) => all.map((svg) => svg.getAttribute("aria-label")));
  expect(plots[0]).toBe("heldOutAccuracy: 1.0.0 0.91, 1.1.0 0.935, 1.2.0 0.93, 1.3.0 0.958, 1.4.0 0.966");
  // Clicking a version shows its manifest, beside the page.
  await page.getByRole("link", { name: "1.4.0" }).click();
  expect(await page.locator("body").textContent()).toContain('"version": "1.4.0"');
});
