// A package with correct hashes and wrong numbers: its self-test prevents it from running.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { describeFile } from "../../../../../src/cli/files.js";
import type { Manifest } from "../../../../../src/shared/types/manifest.js";
import type { LibraryPage } from "../../../../support/page.js";
import { openSharedLibrary } from "../../../../support/shared-browser.js";

let library: LibraryPage;
let root: string;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "insitu-poisoned-"));
  library = await openSharedLibrary({ mounts: { "/p/": root } });
});
afterAll(async () => {
  await library?.close();
  if (root) rmSync(root, { recursive: true, force: true });
});
beforeEach(() => library.visit());

/** The digits' package as release `release`, with the sign of every weight turned where it is poisoned. */
async function publish(release: number, poisoned: boolean): Promise<void> {
  cpSync("models/digits/package", root, { recursive: true });
  const weights = join(root, "weights.bin");
  if (poisoned) {
    const bytes = readFileSync(weights);
    const { weightsManifest } = JSON.parse(readFileSync(join(root, "model.json"), "utf8")) as {
      weightsManifest: { weights: { shape: number[]; dtype: string }[] }[];
    };
    let at = 0;
    for (const { shape, dtype } of weightsManifest.flatMap(({ weights }) => weights)) {
      const end = at + shape.reduce((size, length) => size * length, 4);
      // The sign is the highest bit of the last byte. Whole numbers are shapes and axes.
      for (let last = at + 3; dtype === "float32" && last < end; last += 4)
        bytes[last] = (bytes[last] as number) ^ 0x80;
      at = end;
    }
    expect(at).toBe(bytes.length);
    writeFileSync(weights, bytes);
  }
  const path = join(root, "insitu.json");
  const manifest = JSON.parse(readFileSync(path, "utf8")) as Manifest;
  const files = await Promise.all(manifest.files.map((file) => describeFile(join(root, file.path), file.path)));
  writeFileSync(path, JSON.stringify({ ...manifest, release, version: `1.0.${release}`, files }));
}

function load(refresh = false) {
  return library.page.evaluate(async (refresh) => {
    const client = window.insitu.createClient({ backends: ["wasm", "cpu"] });
    try {
      const model = await client.load("/p/", { refresh });
      await model.stored;
      await model.predict(new Float32Array(784));
      const { release, backend, fellBackFrom } = model.info;
      return { release, backend, fellBackFrom };
    } catch (error) {
      const { code, message } = error as { code: string; message: string };
      return { code, message };
    } finally {
      await client.dispose();
    }
  }, refresh);
}

test("it is refused on every backend, with the figures", async () => {
  await publish(1, true);
  const { code, message } = await load();
  expect(code).toBe("backend_unavailable");
  for (const backend of ["wasm", "cpu"])
    expect(message).toMatch(
      new RegExp(`self-test failed: ${backend} gave .* where .* is right \\(output probabilities`),
    );
});

test("as an update it is not used: the version before it runs on, and says why", async () => {
  await publish(2, false);
  // The one of the test before may have been stored.
  expect(await load(true)).toMatchObject({ release: 2, backend: "wasm" });
  await publish(3, true);
  const { release, fellBackFrom } = await load(true);
  expect(release).toBe(2);
  expect(fellBackFrom).toMatchObject({ release: 3, reason: expect.stringMatching(/self-test failed/) });
  await publish(4, false);
  expect(await load(true)).toMatchObject({ release: 4, fellBackFrom: undefined });
});
