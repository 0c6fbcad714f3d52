// The sizes and hashes that the worker insists on are those of the installed tfjs.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { sha256 } from "../../../../src/shared/sha256.js";
import { WASM_BINARIES } from "../../../../src/worker/runtime/wasm-binary.js";

test.each(Object.entries(WASM_BINARIES))("%s", async (name, { size, sha256: expected }) => {
  const folder = new URL(".", import.meta.resolve("@tensorflow/tfjs-backend-wasm"));
  const bytes = await readFile(fileURLToPath(new URL(name, folder)));
  expect(bytes.byteLength).toBe(size);
  expect(await sha256(bytes)).toBe(expected);
});
