// The recipes of docs/recipes: each built with its framework, or without any, and used in Chromium; Angular's is compiled only.
import { cpSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { type Chromium, launchChromium } from "../support/chromium.js";
import { startServer } from "../support/server.js";
import { type App, createApp, installApp, removeApps } from "./support/app.js";
import { heldOutDigit } from "./support/visit.js";

const RECIPES = fileURLToPath(new URL("../../docs/recipes", import.meta.url));
const MAX_LINES = 25;

let browser: Chromium;
beforeAll(async () => {
  browser = await launchChromium({ args: ["--disable-gpu"] });
});
afterAll(async () => {
  await browser?.close();
  await removeApps();
});

function withRecipes(app: App): App {
  cpSync(RECIPES, join(app.folder, "recipes"), { recursive: true });
  return app;
}

/** A held-out digit as a PNG file. */
async function png(page: Page, label: string): Promise<Buffer> {
  const data = await page.evaluate(
    (grey) => {
      const canvas = Object.assign(document.createElement("canvas"), { width: 28, height: 28 });
      const pixels = new ImageData(28, 28);
      for (const [index, value] of grey.entries())
        pixels.data.set([255 * value, 255 * value, 255 * value, 255], 4 * index);
      canvas.getContext("2d")?.putImageData(pixels, 0, 0);
      return canvas.toDataURL("image/png");
    },
    [...heldOutDigit(label)],
  );
  return Buffer.from(data.slice(data.indexOf(",") + 1), "base64");
}

test.each(readdirSync(RECIPES))("%s is short", (name) => {
  expect(readFileSync(join(RECIPES, name), "utf8").trimEnd().split("\n").length).toBeLessThanOrEqual(MAX_LINES);
});

test("Vue, Svelte and Solid name the digit in a picked file, and the next one", async () => {
  const app = withRecipes(await installApp("recipes"));
  await app.run("npm", "run", "build");
  app.putModels("dist");
  const server = await startServer({ mounts: { "/": join(app.folder, "dist") } });
  const page = await browser.context.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  try {
    for (const framework of ["vue", "svelte", "solid"]) {
      await page.goto(`${server.url}${framework}.html`);
      const output = page.locator("output");
      expect(await output.textContent(), framework).toBe("Pick a picture");
      for (const label of ["7", "2"]) {
        const buffer = await png(page, label);
        await page.locator("input").setInputFiles({ name: "digit.png", mimeType: "image/png", buffer });
        await expect.poll(() => output.textContent(), { message: framework }).toBe(label);
      }
      await page.locator("input").setInputFiles({ name: "a.png", mimeType: "image/png", buffer: Buffer.from("none") });
      await expect.poll(() => output.textContent(), { message: framework }).toMatch(/image/i);
    }
    expect(errors).toEqual([]);
  } finally {
    await page.close();
    await server.close();
  }
}, 400_000);

test("the custom element names the digit in its image, without a build", async () => {
  const app = withRecipes(createApp());
  await app.run("tar", "-xzf", inject("library"));
  renameSync(join(app.folder, "package/dist"), join(app.folder, "insitu"));
  app.putModels(".");
  const page = await browser.context.newPage();
  writeFileSync(join(app.folder, "digit.png"), await png(page, "7"));
  const map = JSON.stringify({ imports: { insitu: "/insitu/index.js" } });
  writeFileSync(
    join(app.folder, "index.html"),
    `<!doctype html><script type="importmap">${map}</script><script type="module" src="/recipes/insitu-classifier.js"></script>
    <insitu-classifier model="/models/digits/"><img src="/digit.png" alt=""></insitu-classifier>
    <insitu-classifier model="/models/none/"><img src="/digit.png" alt=""></insitu-classifier>`,
  );
  const server = await startServer({ mounts: { "/": app.folder } });
  try {
    await page.goto(server.url);
    await expect.poll(() => page.locator("output").first().textContent()).toBe("7");
    await expect.poll(() => page.locator("output").last().textContent()).toContain("404");
  } finally {
    await page.close();
    await server.close();
    app.remove();
  }
});

test("Angular compiles its recipe, with strict templates", async () => {
  const app = withRecipes(await installApp("angular"));
  await app.run("npm", "run", "types");
}, 400_000);
