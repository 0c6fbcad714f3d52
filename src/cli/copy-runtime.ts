// Copies what a page fetches besides its own bundle: the worker and the WebAssembly binaries.
import { cp, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { InsituError } from "../shared/errors.js";

// The same relative path from src/cli and from dist/cli.
const DIST = fileURLToPath(new URL("../../dist/", import.meta.url));
const RUNTIME = ["worker.js", "wasm", "THIRD-PARTY-LICENSES.txt"];

/** Overwrites older copies. Returns the paths; throws `input_invalid` for a folder that cannot be written. */
export async function copyRuntime(folder: string): Promise<string[]> {
  try {
    await mkdir(folder, { recursive: true });
    for (const name of RUNTIME) await cp(join(DIST, name), join(folder, name), { recursive: true });
  } catch (cause) {
    const message = `The files cannot be written to ${folder}: ${(cause as Error).message}. Name a folder that you may write.`;
    throw new InsituError("input_invalid", message, { folder }, { cause });
  }
  return RUNTIME.map((name) => join(folder, name));
}
