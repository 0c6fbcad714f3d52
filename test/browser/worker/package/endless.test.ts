// Models that would run for ever, or compute what no device can hold: refused with a code, and the client works on.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ENDLESS } from "../../../support/endless.js";
import type { LibraryPage } from "../../../support/page.js";
import { openSharedLibrary } from "../../../support/shared-browser.js";

let root: string;
let library: LibraryPage;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "insitu-endless-"));
  for (const [index, pack] of Object.values(ENDLESS).entries()) await pack(join(root, String(index)));
  library = await openSharedLibrary({ mounts: { "/endless/": root } });
});
afterAll(async () => {
  await library?.close();
  rmSync(root, { recursive: true, force: true });
});

test.each(Object.keys(ENDLESS))("%s", async (what) => {
  const index = Object.keys(ENDLESS).indexOf(what);
  const found = await library.page.evaluate(async (path) => {
    const client = window.insitu.createClient({ backends: ["wasm", "cpu"] });
    const digits = await client.load("/models/digits/");
    const outcome = await client.load(path, { timeout: 120_000 }).then(
      () => "loaded",
      (error: { code: string; message: string }) => `${error.code}: ${error.message}`,
    );
    const { value } = await digits.predict(new Float32Array(784));
    await client.dispose();
    return { outcome, digits: Array.isArray(value) };
  }, `/endless/${index}/`);
  expect(found.outcome).toMatch(
    /^model_too_large: (The (node|layer) .* computes an output of shape|The model's loops)/,
  );
  expect(found.digits).toBe(true);
});
