// The page of a real browser extension: packages by its own scheme and by https, the worker beside the library, telemetry, personal models.
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../../../scripts/checks/paths.js";
import { type Chromium, launchChromium } from "../../support/chromium.js";
import { startServer, type TestServer } from "../../support/server.js";

const MANIFEST = {
  manifest_version: 3,
  name: "insitu in an extension",
  version: "1",
  // Without it extensions may not compile WebAssembly.
  content_security_policy: { extension_pages: "script-src 'self' 'wasm-unsafe-eval'; object-src 'self'" },
  background: { service_worker: "background.js" },
};

let folder: string;
let profile: string;
let chromium: Chromium;
let host: TestServer;
let page: Page;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "insitu-extension-"));
  profile = mkdtempSync(join(tmpdir(), "insitu-profile-"));
  cpSync(join(ROOT, "dist"), join(folder, "dist"), { recursive: true });
  cpSync(join(ROOT, "models/digits/package"), join(folder, "models/digits"), { recursive: true });
  writeFileSync(join(folder, "manifest.json"), JSON.stringify(MANIFEST));
  writeFileSync(join(folder, "background.js"), "");
  writeFileSync(join(folder, "page.html"), '<!doctype html><script type="module" src="page.js"></script>');
  writeFileSync(join(folder, "page.js"), 'import * as insitu from "./dist/index.js"; window.insitu = insitu;');
  host = await startServer({
    mounts: { "/features/": "models/features/package" },
    headers: { "Access-Control-Allow-Origin": "*" },
  });
  chromium = await launchChromium({
    userDataDir: profile,
    args: [
      `--disable-extensions-except=${folder}`,
      `--load-extension=${folder}`,
      // Chromium's own builds honour the option before only without this.
      "--disable-features=DisableLoadExtensionCommandLineSwitch",
    ],
  });
  const { context } = chromium;
  const [worker = await context.waitForEvent("serviceworker")] = context.serviceWorkers();
  page = await context.newPage();
  await page.goto(new URL("page.html", worker.url()).href);
  await page.waitForFunction(() => "insitu" in window);
});
afterAll(async () => {
  await chromium?.close();
  await host?.close();
  for (const each of [folder, profile]) if (each) rmSync(each, { recursive: true, force: true });
});

const predict = (address: string, input: "numbers" | "picture") =>
  page.evaluate(
    async ([address, input]) => {
      const client = window.insitu.createClient({ backends: ["wasm"] });
      try {
        const model = await client.load(address);
        await model.stored;
        const { value, backend } = await model.predict(
          input === "numbers" ? new Float32Array(784) : new ImageData(60, 50),
        );
        const stored = (await client.store.list()).map(({ url }) => url);
        return { scheme: location.protocol, code: "", backend, source: model.info.source, values: !!value, stored };
      } catch (error) {
        const { code, message } = error as { code: string; message: string };
        return { scheme: location.protocol, code, message };
      } finally {
        await client.dispose();
      }
    },
    [address, input] as const,
  );

test("a package of the extension itself runs on wasm, and the second load is from the store", async () => {
  const stored = [new URL("models/digits/", page.url()).href];
  const first = { scheme: "chrome-extension:", code: "", backend: "wasm", source: "network", values: true, stored };
  expect(await predict("models/digits/", "numbers")).toEqual(first);
  expect(await predict("/models/digits/insitu.json?v=3", "numbers")).toEqual({ ...first, source: "cache" });
});

test("a package of a web host runs too", async () => {
  expect(await predict(`${host.url}features/`, "picture")).toMatchObject({ code: "", backend: "wasm", values: true });
});

test("the scheme of another extension is refused", async () => {
  const { code } = await predict("other-extension://abcdefghijklmnop/models/", "numbers");
  expect(code).toBe("input_invalid");
});

test("personal models and telemetry work", async () => {
  const told = await page.evaluate(async () => {
    const requests: string[] = [];
    const client = window.insitu.createClient({
      backends: ["wasm"],
      telemetry: { exporter: async ({ path }) => (requests.push(path) ? "sent" : "drop") },
    });
    const model = await client.load("models/digits/");
    const mine = (await model.personalize("mine")) as Awaited<ReturnType<typeof model.personalize>>;
    for (const label of ["a", "b"])
      for (const shade of [0.1, 0.2, 0.3])
        await mine.addExample(new Float32Array(784).fill(label === "a" ? shade : 1 - shade), label);
    const { label } = await mine.predict(new Float32Array(784).fill(0.2));
    await client.telemetry.flush();
    const { secureContext } = await client.capabilities();
    await client.dispose();
    return { label, secureContext, reported: requests.includes("/v1/metrics") };
  });
  expect(told).toMatchObject({ secureContext: true, reported: true });
});
