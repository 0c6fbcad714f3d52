// A page on plain http that is not localhost has no crypto.subtle: packages are checked and run there, personal models are refused.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../../../../scripts/checks/paths.js";
import type { TrustOptions } from "../../../../src/index.js";
import { newKey, signPackage, trusting } from "../../../support/keys.js";
import { importLibrary, type LibraryPage, openLibrary } from "../../../support/page.js";

const key = newKey("site");
const stranger = newKey("site");
let root: string;
let library: LibraryPage;
let page: Page;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "insitu-insecure-"));
  for (const name of ["signed", "altered"])
    cpSync(join(ROOT, "models/digits/package"), join(root, name), { recursive: true });
  signPackage(join(root, "signed"), key);
  const weights = join(root, "altered", "weights.bin");
  const bytes = readFileSync(weights);
  bytes[1000] = (bytes[1000] ?? 0) ^ 1;
  writeFileSync(weights, bytes);
  library = await openLibrary(
    { args: ["--host-resolver-rules=MAP lan.test 127.0.0.1"] },
    { mounts: { "/packages/": root } },
  );
  page = await library.chromium.context.newPage();
  await page.goto(library.server.url.replace("127.0.0.1", "lan.test"));
  await importLibrary(page);
});
afterAll(async () => {
  await library?.close();
  rmSync(root, { recursive: true, force: true });
});

interface Loaded {
  code: string;
  source?: string;
  storeError?: string;
  top?: string;
}

function load(path: string, trust?: TrustOptions): Promise<Loaded> {
  return page.evaluate(
    async ([url, keys]) => {
      const client = window.insitu.createClient({
        backends: ["wasm", "cpu"],
        storage: { name: url },
        ...(keys && { trust: keys }),
      });
      try {
        const model = await client.load(url, { task: "classification" });
        const { value } = await model.predict(new Float32Array(784));
        await model.stored;
        const { source, storeError } = model.info;
        return { code: "", source, storeError: storeError?.code, top: value[0]?.label };
      } catch (error) {
        return { code: (error as { code: string }).code };
      } finally {
        await client.dispose();
      }
    },
    [path, trust] as const,
  );
}

test("the page is not a secure context, and capabilities() says so", async () => {
  expect(await page.evaluate(() => [isSecureContext, typeof crypto.subtle])).toEqual([false, "undefined"]);
  const ask = (where: Page) =>
    where.evaluate(async () => {
      const client = window.insitu.createClient();
      const { secureContext } = await client.capabilities();
      await client.dispose();
      return secureContext;
    });
  expect(await ask(page)).toBe(false);
  expect(await ask(library.page)).toBe(true);
});

test("a package is loaded, checked, kept, and loaded again from the store", async () => {
  const cold = await load("/models/digits/");
  expect(cold).toEqual({ code: "", source: "network", storeError: undefined, top: expect.any(String) });
  expect(await load("/models/digits/")).toEqual({ ...cold, source: "cache" });
});

test("a file with one altered bit is refused", async () => {
  expect(await load("/packages/altered/")).toEqual({ code: "model_integrity" });
});

test("a signature is checked", async () => {
  expect(await load("/packages/signed/", trusting([stranger]))).toEqual({ code: "model_signature" });
  expect(await load("/packages/signed/", trusting([key]))).toMatchObject({ code: "", source: "network" });
  expect(await load("/models/digits/", trusting([key]))).toEqual({ code: "model_signature" });
});

test("a personal model is refused, and the error says what to do", async () => {
  const refused = await page.evaluate(async () => {
    const client = window.insitu.createClient({ backends: ["cpu"] });
    const refusals: { code: string; message: string }[] = [];
    for (const path of ["/models/digits/", "/models/ranker/"]) {
      const model = await client.load(path);
      await model.personalize("mine").catch(({ code, message }) => refusals.push({ code, message }));
    }
    await client.dispose();
    return refusals;
  });
  const refusal = { code: "insecure_context", message: expect.stringContaining("https") };
  expect(refused).toEqual([refusal, refusal]);
});
