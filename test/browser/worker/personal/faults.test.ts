// Personal models when tabs crash, space runs out, keys are lost or the model is updated: nothing is lost, and errors say what to do.
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BrowserContext } from "playwright";
import { ROOT } from "../../../../scripts/checks/paths.js";
import { launchChromium } from "../../../support/chromium.js";
import { crash, prepareCrash } from "../../../support/crash.js";
import { test as base, expect } from "../../../support/fixtures.js";
import type { ServerOptions } from "../../../support/server.js";
import { codeOf, digits, NAMES, open, say, state, teach } from "../../../support/teaching.js";

/** Holds `newer`, a model with another embedding: what an update of the model is to taught examples. */
const test = base
  // biome-ignore lint/correctness/noEmptyPattern: Vitest reads which fixtures it needs from the pattern.
  .extend("root", { scope: "file" }, ({}, { onCleanup }) => {
    const root = mkdtempSync(join(tmpdir(), "insitu-teach-"));
    onCleanup(() => rmSync(root, { recursive: true, force: true }));
    cpSync(join(ROOT, "models/digits/package"), join(root, "newer"), { recursive: true });
    const manifest = JSON.parse(readFileSync(join(root, "newer", "insitu.json"), "utf8"));
    const newer = { ...manifest, version: "2.0.0", release: 2, embedding: { node: "features3", pool: "mean" } };
    writeFileSync(join(root, "newer", "insitu.json"), JSON.stringify(newer));
    return root;
  })
  .extend(
    "serve",
    { scope: "file" },
    ({ root }): ServerOptions => ({ mounts: { "/models/newer/": join(root, "newer") } }),
  );

const some = (from: number, to: number) => [1, 4, 7].flatMap((label) => digits(label, from, to));

/** Files of a profile that hold these bytes. */
function holders(profile: string, bytes: Buffer): string[] {
  return readdirSync(profile, { recursive: true, encoding: "utf8" }).filter((name) => {
    try {
      return statSync(join(profile, name)).isFile() && readFileSync(join(profile, name)).includes(bytes);
    } catch {
      // It went while it was looked at: the browser is running.
      return false;
    }
  });
}

test("what was taught cannot be read on the disk, and its key is gone from it once it is forgotten", async ({
  root,
  visit,
}) => {
  const profile = join(root, "profile");
  const chromium = await launchChromium({ userDataDir: profile });
  try {
    const tab = await visit("", chromium.context);
    await open(tab, { store: "disk" });
    await tab.evaluate(
      async (pixels) => {
        await window.mine.addExample(Float32Array.from(pixels), "my-secret-label", { keep: true });
        await window.mine.addExample(new Float32Array(784).fill(0.123456789), "another-secret", { keep: true });
        await window.mine.train();
      },
      [...(digits(1, 0, 1)[0]?.pixels ?? [])],
    );
    const keys = await tab.evaluate(async () => {
      const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("disk-keys");
      const found: number[][] = [];
      for await (const [, file] of folder.entries()) {
        const bytes = await (await (file as FileSystemFileHandle).getFile()).arrayBuffer();
        found.push([...new Uint8Array(bytes)]);
      }
      return found;
    });
    expect(keys.map((key) => key.length)).toEqual([32]);
    const key = Buffer.from(keys[0] as number[]);
    const plain = [Buffer.from("my-secret-label"), Buffer.from(new Float32Array(8).fill(0.123456789).buffer)];
    // The test can find what is there: the key is.
    expect(holders(profile, key)).toHaveLength(1);
    for (const bytes of plain) expect(holders(profile, bytes)).toEqual([]);
    await tab.evaluate(() => window.mine.forget());
    expect(await state(tab)).toMatchObject({ examples: 0, version: 0, bytes: 0 });
    expect(holders(profile, key)).toEqual([]);
    await chromium.close();
    for (const bytes of [key, ...plain]) expect(holders(profile, bytes)).toEqual([]);
  } finally {
    await chromium.close();
  }
});

test("a tab that crashes during a training loses nothing, and blocks no other tab", async ({ page, visit }) => {
  const store = await open(page);
  await teach(page, some(0, 16));
  await page.evaluate(() => window.mine.train());
  let next = page;
  // On a busy machine a training may be over before its tab crashes.
  for (let [tries, version] = [0, 1]; tries < 5; tries += 1) {
    await teach(next, some(16 + 8 * tries, 24 + 8 * tries));
    const crashNow = await prepareCrash(next);
    await next.evaluate(
      () => new Promise((resolve) => void window.mine.train({ onProgress: resolve }).catch(() => undefined)),
    );
    await crashNow();
    next = await visit();
    await open(next, { store });
    const found = await state(next);
    expect(found.examples).toBe(72 + 24 * tries);
    if (found.version === version) {
      expect(found.fresh).toBe(24);
      expect((await say(next, digits(7, 60, 61)))[0]).toMatchObject({ label: "seven", version });
      expect((await next.evaluate(() => window.mine.train())).version).toBe(version + 1);
      return;
    }
    version = found.version as number;
  }
  expect.fail("Each training was over before its tab crashed.");
});

test("a tab that crashes while it teaches keeps every example that was acknowledged", async ({ page, visit }) => {
  const store = await open(page);
  const ids: string[] = [];
  await page.exposeFunction("isKept", (id: string) => void ids.push(id));
  void page
    .evaluate(
      async (items) => {
        for (const pixels of items) window.isKept((await window.mine.addExample(Float32Array.from(pixels), "one")).id);
      },
      digits(1, 0, 100).map(({ pixels }) => [...pixels]),
    )
    .catch(() => undefined);
  await expect.poll(() => ids.length).toBeGreaterThan(10);
  await crash(page);
  const told = [...ids];
  const next = await visit();
  await open(next, { store });
  const there = new Set((await next.evaluate(() => window.mine.examples())).map(({ id }) => id));
  for (const id of told) expect(there).toContain(id);
});

test("without space an example is refused with storage_quota, and everything before it stays", async ({
  visit,
  library,
}) => {
  const visitor = await (library.chromium.context.browser()?.newContext() as Promise<BrowserContext>);
  try {
    const tab = await visit("", visitor);
    const session = await visitor.newCDPSession(tab);
    const origin = library.server.url;
    // Before the first write: Chromium remembers for a while how much is left. The model and the wasm binary need half of it.
    await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 6_000_000 });
    await open(tab, { store: "full", package: "/models/features/" });
    await tab.evaluate(async () => {
      const canvas = new OffscreenCanvas(640, 640);
      const context = canvas.getContext("2d") as OffscreenCanvasRenderingContext2D;
      const noise = context.createImageData(640, 640);
      for (let i = 0; i < noise.data.length; i += 1) noise.data[i] = i % 4 === 3 ? 255 : Math.random() * 256;
      context.putImageData(noise, 0, 0);
      window.noise = await canvas.convertToBlob({ type: "image/png" });
    });
    const { added, code } = await tab.evaluate(async () => {
      for (let added = 0; added < 40; added += 1) {
        try {
          await window.mine.addExample(window.noise, "noise", { keep: true });
        } catch (error) {
          return { added, code: (error as { code: string }).code };
        }
      }
      return { added: 40, code: "nothing" };
    });
    expect(code).toBe("storage_quota");
    expect(await state(tab)).toMatchObject({ examples: added, labels: { noise: added } });
    await session.send("Storage.overrideQuotaForOrigin", { origin });
    expect((await tab.evaluate(() => window.mine.train())).version).toBe(1);
  } finally {
    await visitor.close();
  }
});

test("a browser that gives no private files learns for as long as the worker lives, and says so", async ({ page }) => {
  const tab = page;
  await tab.evaluate(async () => {
    const lame =
      'StorageManager.prototype.getDirectory = () => Promise.reject(new DOMException("no", "SecurityError"));';
    const url = URL.createObjectURL(
      new Blob([`${lame} import(${JSON.stringify(new URL("/dist/worker.js", location.href).href)});`], {
        type: "text/javascript",
      }),
    );
    window.client = window.insitu.createClient({
      backends: ["wasm"],
      storage: { name: "lame" },
      worker: () => new Worker(url, { type: "module" }),
      assets: { wasm: "/dist/wasm/" },
    });
    window.base = await window.client.load("/models/digits/");
    window.mine = await window.base.personalize("mine");
  });
  await teach(tab, [...digits(1, 0, 1), ...digits(7, 0, 1)]);
  expect((await say(tab, digits(1, 20, 21)))[0]?.label).toBe("one");
  const code = await tab.evaluate(async () => (await window.mine.state()).storeError?.code);
  expect(code).toBe("storage_unavailable");
});

test("a key that was lost makes what it sealed worthless, and one can begin anew", async ({ page, visit }) => {
  const store = await open(page);
  await teach(page, digits(1, 0, 4));
  await page.evaluate(async (name) => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle(`${name}-keys`);
    for await (const key of folder.keys()) await folder.removeEntry(key);
  }, store);
  const next = await visit();
  await open(next, { store });
  expect(await state(next)).toMatchObject({ examples: 0 });
  await teach(next, digits(7, 0, 2));
  expect(await state(next)).toMatchObject({ labels: { seven: 2 }, examples: 2 });
});

test("rows that were altered are left out and counted, never read", async ({ page, visit }) => {
  const store = await open(page);
  await teach(page, digits(1, 0, 4));
  await page.evaluate(async (name) => {
    const db = await new Promise<IDBDatabase>((resolve) => {
      const request = indexedDB.open(`${name}-personal`);
      request.onsuccess = () => resolve(request.result);
    });
    const rows = db.transaction("examples", "readwrite").objectStore("examples");
    const all = await new Promise<{ cipherText: ArrayBuffer }[]>((resolve) => {
      const request = rows.getAll();
      request.onsuccess = () => resolve(request.result);
    });
    const [first, second] = all as [{ cipherText: ArrayBuffer }, { cipherText: ArrayBuffer }];
    new Uint8Array(first.cipherText)[40] = (new Uint8Array(first.cipherText)[40] ?? 0) ^ 1;
    rows.put(first);
    // Another row's bytes.
    rows.put({ ...second, cipherText: (all[2] as { cipherText: ArrayBuffer }).cipherText });
    await new Promise((resolve) => {
      rows.transaction.oncomplete = resolve;
    });
    db.close();
  }, store);
  const next = await visit();
  await open(next, { store });
  expect(await state(next)).toMatchObject({ examples: 2, unusable: 2 });
});

test("one tab forgets while another teaches: nothing comes back, and the other gets an error or starts again", async ({
  page,
  visit,
}) => {
  const store = await open(page);
  await teach(page, digits(1, 0, 4));
  const other = await visit();
  await open(other, { store });
  await say(other, digits(1, 5, 6));
  await page.evaluate(() => window.mine.forget());
  expect(await codeOf(other, "window.mine.predict(new Float32Array(784).fill(0.5))")).toBe("input_invalid");
  await teach(other, digits(7, 0, 2));
  expect(await state(page)).toMatchObject({ labels: { seven: 2 }, examples: 2 });
});

test("what was learned survives an update of the model where inputs were kept, and the rest is counted as unusable", async ({
  page,
  visit,
}) => {
  const store = await open(page);
  await teach(page, some(0, 8), true);
  await teach(page, digits(1, 30, 33));
  await page.evaluate(() => window.mine.train());
  const next = await visit();
  await open(next, { store, package: "/models/newer/" });
  expect(await state(next)).toMatchObject({ examples: 0, again: 24, unusable: 3, version: 0 });
  expect(await codeOf(next, "window.mine.revert(1)")).toBe("input_invalid");
  const version = await next.evaluate(() => window.mine.train());
  expect(version).toMatchObject({ version: 2, activated: true, base: { version: "2.0.0" } });
  expect(version.parent).toBeUndefined();
  expect(await state(next)).toMatchObject({ examples: 24, again: 0, unusable: 3, version: 2 });
  const fresh = some(60, 70);
  const right = (await say(next, fresh)).filter(({ label }, index) => label === NAMES[fresh[index]?.label ?? 0]);
  expect(right.length).toBeGreaterThanOrEqual(24);
  const versions = await next.evaluate(() => window.mine.versions());
  expect(versions.map(({ usable }) => usable)).toEqual([false, true]);
  // Back to the first model: its version is of use again.
  const before = await visit();
  await open(before, { store });
  expect((await before.evaluate(() => window.mine.revert(1))).usable).toBe(true);
});

test("an update is noticed by itself where triggers are on", async ({ page, visit }) => {
  const store = await open(page);
  await teach(page, some(0, 8), true);
  await page.evaluate(() => window.mine.train());
  const next = await visit();
  await open(next, { store, package: "/models/newer/", personal: { triggers: { examples: 1_000 } } });
  await expect.poll(() => state(next), { timeout: 20_000 }).toMatchObject({ version: 2, again: 0 });
  const { fired } = await next.evaluate(() => window.mine.monitor.snapshot());
  expect(fired).toMatchObject([{ trigger: "update", outcome: "trained", version: 2 }]);
});
