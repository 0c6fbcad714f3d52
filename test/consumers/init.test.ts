// From an empty folder to a prediction: `insitu init`, `npm install`, a build with the model that `insitu get` brings, Chromium.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type Chromium, launchChromium } from "../support/chromium.js";
import { startServer } from "../support/server.js";
import { type App, createApp } from "./support/app.js";

let browser: Chromium;
let tool: App;
const apps: App[] = [];

beforeAll(async () => {
  browser = await launchChromium({ args: ["--disable-gpu"] });
  // The command as npx brings it: without anything else.
  tool = createApp();
  await tool.install(inject("library"));
}, 400_000);
afterAll(async () => {
  await browser?.close();
  for (const app of [tool, ...apps]) app?.remove();
});

const MAIN = "node_modules/insitu/dist/cli/main.js";

function emptyApp(): App {
  const app = createApp();
  apps.push(app);
  return app;
}

const insitu = (app: App, ...args: string[]) => app.run(process.execPath, join(tool.folder, MAIN), ...args);

/** The registry has neither package yet: the app takes the packed ones. */
function useTarballs(folder: string): void {
  const path = join(folder, "package.json");
  const described = JSON.parse(readFileSync(path, "utf8"));
  described.dependencies.insitu = `file:${inject("library")}`;
  described.devDependencies["insitu-models"] = `file:${inject("models")}`;
  writeFileSync(path, JSON.stringify(described));
}

describe("insitu init", () => {
  test.each(["vanilla", "react"])(
    "%s: the built app reads the digit that it starts with",
    async (template) => {
      const app = emptyApp();
      expect(await insitu(app, "init", "--template", template)).toContain("npm install && npm run dev");
      useTarballs(app.folder);
      await app.install();
      // The types are checked, and the model is copied, by scripts of the app.
      await app.run("npm", "run", "build");
      const server = await startServer({ mounts: { "/": join(app.folder, "dist") } });
      const page = await browser.context.newPage();
      const errors: string[] = [];
      page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
      try {
        await page.goto(server.url);
        await expect.poll(() => page.locator("output").textContent()).toMatch(/^7: \d+ %/);
        await page.getByRole("button", { name: "Clear" }).click();
        const canvas = await page.locator("canvas").boundingBox();
        if (!canvas) throw new Error("There is no canvas.");
        // A one, from top to bottom.
        await page.mouse.move(canvas.x + 140, canvas.y + 60);
        await page.mouse.down();
        await page.mouse.move(canvas.x + 140, canvas.y + 220, { steps: 5 });
        await page.mouse.up();
        await expect.poll(() => page.locator("output").textContent()).toMatch(/^1: \d+ %/);
        expect(errors).toEqual([]);
      } finally {
        await page.close();
        await server.close();
      }
    },
    400_000,
  );

  test("refuses a folder that holds something, and writes nothing", async () => {
    const app = emptyApp();
    writeFileSync(join(app.folder, "mine.txt"), "mine");
    await expect(insitu(app, "init")).rejects.toThrow(/is not empty \(mine\.txt\), and nothing was written/);
    await expect(insitu(app, "init", "mine.txt")).rejects.toThrow(/cannot be used/);
    await expect(insitu(app, "init", "new", "--template", "cobol")).rejects.toThrow(/vanilla, react/);
    expect(readdirSync(app.folder)).toEqual(["mine.txt"]);
    expect(await insitu(app, "init", "My App")).toContain("package.json");
    expect(JSON.parse(readFileSync(join(app.folder, "My App/package.json"), "utf8")).name).toBe("my-app");
  });

  test("--help has an example", async () => {
    expect(await insitu(tool, "init", "--help")).toContain("insitu init my-app --template react");
  });
});

describe("insitu get", () => {
  test("says what to install where insitu-models is missing", async () => {
    await expect(insitu(emptyApp(), "get", "digits", "--out", "models")).rejects.toThrow(
      /npm install --save-dev insitu-models/,
    );
  });

  test("copies each model with its licence, checks it, and refuses to replace something else", async () => {
    const app = emptyApp();
    await app.install(inject("models"));
    for (const name of ["objects", "digits", "features", "ranker"]) {
      expect(await insitu(app, "get", name, "--out", "public/models")).toContain(`client.load("/models/${name}/"`);
      expect(await insitu(app, "verify", `public/models/${name}`)).toContain("is intact");
      expect(readFileSync(join(app.folder, "public/models", name, "LICENSE.txt"), "utf8")).toMatch(/^MIT License/);
    }
    expect(await insitu(app, "get", "digits", "--out", "public/models")).toContain("already in");
    await expect(insitu(app, "get", "cats", "--out", "public/models")).rejects.toThrow(
      /digits, features, objects, ranker/,
    );
    writeFileSync(join(app.folder, "public/models/digits/insitu.json"), "{}");
    await expect(insitu(app, "get", "digits", "--out", "public/models")).rejects.toThrow(/--force/);
    expect(await insitu(app, "get", "digits", "--out", "public/models", "--force")).toContain("written to");
  });
});
