// `insitu/react` in a React 19 app under StrictMode, built by Vite from the packed library, in Chromium; and rendered on a server.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Chromium, launchChromium } from "../support/chromium.js";
import { startServer, type TestServer } from "../support/server.js";
import { type App, installApp, removeApps, startOwnServer } from "./support/app.js";
import { heldOutDigit } from "./support/visit.js";

interface Scene {
  readers: number;
  url?: string;
  input?: Float32Array;
  top?: number;
}

const URL_OF_DIGITS = "/models/digits/";
const MANIFEST = "/models/digits/insitu.json";
/** As in src/page/react/shared-model.ts. */
const KEEP_MS = 5_000;

let app: App;
let browser: Chromium;
let server: TestServer;
let page: Page;
let errors: string[];

beforeAll(async () => {
  app = await installApp("react");
  await app.run("npm", "run", "types");
  await app.run("npm", "run", "build");
  app.putModels("dist");
  browser = await launchChromium({ args: ["--disable-gpu"] });
}, 400_000);
afterAll(async () => {
  await browser?.close();
  await removeApps();
});
beforeEach(async () => {
  server = await startServer({ mounts: { "/": join(app.folder, "dist") } });
  page = await browser.context.newPage();
  errors = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(server.url);
  await page.locator("[data-app=ready]").waitFor({ state: "attached" });
});
afterEach(async () => {
  await page?.close();
  await server?.close();
});

/** Each ends up in the page's memory: a test changes the input by handing over another array. */
const show = (scene: Scene) =>
  page.evaluate(
    ({ input, ...rest }) => {
      const { show } = window as unknown as { show(scene: Scene): void };
      show({ ...rest, input: input && Float32Array.from(input) });
    },
    { ...scene, input: scene.input && [...scene.input] },
  );
const reader = (index: number) => page.locator(`#reader-${index}`);
const attribute = (name: string, index = 0) => reader(index).getAttribute(`data-${name}`);
const requestsFor = (path: string) => server.requests.filter(({ url }) => url === path);

describe("useModel under StrictMode", () => {
  test("two components share one load; the model is freed after the last one, and comes from the store again", async () => {
    await show({ readers: 2, url: URL_OF_DIGITS, input: heldOutDigit("7") });
    for (const index of [0, 1]) {
      await expect.poll(() => attribute("label", index)).toBe("7");
      expect(await attribute("status", index)).toBe("ready");
    }
    expect(requestsFor(MANIFEST)).toHaveLength(1);
    expect(requestsFor("/models/digits/weights.bin")).toHaveLength(1);
    const workers = () => page.workers().length;
    expect(workers()).toBe(1);

    await show({ readers: 0 });
    await show({ readers: 1, url: URL_OF_DIGITS });
    // Kept for some seconds: it is there in the first render.
    expect((await renders()).at(-1)).toContain("ready");
    await show({ readers: 0 });
    await new Promise((done) => setTimeout(done, KEEP_MS + 500));
    await show({ readers: 1, url: URL_OF_DIGITS });
    expect((await renders()).at(-1)).not.toContain("ready");
    await expect.poll(() => attribute("status")).toBe("ready");
    expect(requestsFor(MANIFEST)).toHaveLength(1);
    expect(errors).toEqual([]);
  });

  test("an unmount while it loads aborts the download, and a later mount loads again", async () => {
    server.faults.set("/models/digits/weights.bin", [{ kind: "stall", bytes: 1000 }]);
    await show({ readers: 1, url: URL_OF_DIGITS });
    await expect.poll(() => requestsFor("/models/digits/weights.bin").length).toBe(1);
    await expect.poll(() => attribute("loaded")).not.toBeNull();
    await show({ readers: 0 });
    await expect.poll(() => requestsFor("/models/digits/weights.bin")[0]?.ended).toBe("early");
    await show({ readers: 1, url: URL_OF_DIGITS, input: heldOutDigit("2") });
    await expect.poll(() => attribute("label")).toBe("2");
    expect(errors).toEqual([]);
  });

  test("an error has its code, and retry loads again for every component", async () => {
    server.faults.set(MANIFEST, { kind: "status", status: 404 });
    await show({ readers: 2, url: URL_OF_DIGITS });
    await expect.poll(() => attribute("code", 1)).toBe("http_4xx");
    expect(await attribute("status", 0)).toBe("error");
    server.faults.clear();
    await reader(1).click();
    for (const index of [0, 1]) await expect.poll(() => attribute("status", index)).toBe("ready");
    expect(await attribute("code", 0)).toBeNull();
  });

  test("without a URL nothing is loaded; another URL is another model", async () => {
    await show({ readers: 1 });
    expect(await attribute("status")).toBe("idle");
    expect(page.workers()).toHaveLength(0);
    await show({ readers: 1, url: URL_OF_DIGITS });
    await expect.poll(() => attribute("status")).toBe("ready");
    await show({ readers: 1, url: "/models/none/" });
    await expect.poll(() => attribute("code")).toBe("http_4xx");
  });
});

describe("usePrediction under StrictMode", () => {
  test("the newest input's result is shown, none of an older one under its status", async () => {
    await show({ readers: 1, url: URL_OF_DIGITS });
    await expect.poll(() => attribute("status")).toBe("ready");
    expect(await attribute("reading")).toBe("idle");
    // In one task: the first two calls are aborted before they end.
    await page.evaluate(
      async (inputs) => {
        const { show } = window as unknown as { show(scene: Scene): void };
        for (const input of inputs) {
          show({ readers: 1, url: "/models/digits/", input: Float32Array.from(input) });
          await new Promise((done) => setTimeout(done));
        }
      },
      ["2", "5", "7"].map((label) => [...heldOutDigit(label)]),
    );
    await expect.poll(() => attribute("reading")).toBe("done");
    expect(await attribute("label")).toBe("7");
    const done = (await renders()).filter((render) => render.includes(" done "));
    expect(new Set(done.slice(-2))).toEqual(new Set(["reader-0 ready done 7"]));
    expect(errors).toEqual([]);
  });

  test("an option is compared by value; a wrong input is an error, a right one ends it", async () => {
    const input = heldOutDigit("5");
    await show({ readers: 1, url: URL_OF_DIGITS, input, top: 3 });
    await expect.poll(() => attribute("classes")).toBe("3");
    await show({ readers: 1, url: URL_OF_DIGITS, input: new Float32Array(3) });
    await expect.poll(() => attribute("failure")).toBe("input_invalid");
    await show({ readers: 1, url: URL_OF_DIGITS, input });
    await expect.poll(() => attribute("label")).toBe("5");
    expect(await attribute("failure")).toBeNull();
  });
});

test("a hot update of the component keeps the model and makes no request", async () => {
  app.putModels("public");
  const dev = await startOwnServer(app, "vite/bin/vite.js", "--host", "127.0.0.1");
  try {
    await page.goto(dev.url);
    await page.locator("[data-app=ready]").waitFor({ state: "attached", timeout: 60_000 });
    await show({ readers: 1, url: URL_OF_DIGITS, input: heldOutDigit("7") });
    await expect.poll(() => attribute("label")).toBe("7");
    const asked: string[] = [];
    page.on("request", (request) => request.url().includes("/models/") && asked.push(request.url()));
    const path = join(app.folder, "src/Reader.tsx");
    // One more hook: React mounts the component anew.
    const edited = readFileSync(path, "utf8")
      .replace("first edition", "second edition")
      .replace("  window.renders ??= [];", "  useState(0);\n  window.renders ??= [];");
    writeFileSync(path, `import { useState } from "react";\n${edited}`);
    await page.getByText("second edition").waitFor();
    await expect.poll(() => attribute("label")).toBe("7");
    expect(asked).toEqual([]);
    expect(page.workers()).toHaveLength(1);
  } finally {
    await dev.stop();
  }
});

test("rendered on a server it starts nothing and says that it loads", async () => {
  const script = `
    import { createElement } from "react";
    import { renderToString } from "react-dom/server";
    import { useModel, usePrediction } from "insitu/react";
    function Page({ url }) {
      const { status, model } = useModel(url, { task: "classification" });
      return createElement("p", null, status + " " + usePrediction(model, new Float32Array(784)).status);
    }
    console.log(renderToString(createElement(Page, { url: "/models/digits/" })));
    console.log(renderToString(createElement(Page, {})));
  `;
  writeFileSync(join(app.folder, "server.mjs"), script);
  expect(await app.run(process.execPath, "server.mjs")).toBe("<p>loading idle</p>\n<p>idle idle</p>\n");
});

const renders = () => page.evaluate(() => (window as unknown as { renders: string[] }).renders);
