// A backend that was left for a reason of the host is tried again at the next visit.
import type { Page } from "playwright";
import type { Fault } from "../../../../support/faults.js";
import { expect, test } from "../../../../support/fixtures.js";

const WASM = "/dist/wasm/tfjs-backend-wasm-simd.wasm";

/** Loads, and waits until the fastest backend was found and is remembered. */
const load = (on: Page) =>
  on.evaluate(async () => {
    const client = window.insitu.createClient({ backends: ["wasm", "cpu"] });
    const model = await client.load("/models/digits/");
    await model.stored;
    await model.tuned;
    const { backend, refused } = model.info;
    await client.dispose();
    return { backend, refused };
  });

const FAULTS: [what: string, fault: Fault, reason: RegExp][] = [
  ["fails", { kind: "status", status: 503 }, /503/],
  ["sends its start page", { kind: "html" }, /not WebAssembly/],
  ["breaks off", { kind: "cut", bytes: 1000 }, /Could not fetch/],
];

for (const [what, fault, reason] of FAULTS)
  test(`a host that ${what} for the wasm binary costs this visit the backend, not later ones`, async ({
    library,
    visit,
  }) => {
    const context = await library.chromium.context.browser()?.newContext();
    try {
      library.server.faults.set(WASM, fault);
      const refused = [{ backend: "wasm", reason: expect.stringMatching(reason) }];
      expect(await load(await visit("", context))).toEqual({ backend: "cpu", refused });
      // The reason is still the true one where it fails again.
      expect(await load(await visit("", context))).toEqual({ backend: "cpu", refused });
      library.server.faults.clear();
      expect(await load(await visit("", context))).toMatchObject({ backend: "wasm" });
    } finally {
      library.server.faults.clear();
      await context?.close();
    }
  });
