// Copies what a page fetches besides its own bundle: the worker, the files that it imports, and the WebAssembly binaries.
import { cp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { InsituError, isInsituError } from "../shared/errors.js";
import { makeFolder } from "./make-folder.js";

// The same relative path from src/cli and from dist/cli.
const DIST = fileURLToPath(new URL("../../dist/", import.meta.url));
const RUNTIME = [
  "worker.js",
  "worker-first-visit.js",
  "worker-personal.js",
  "worker-crypto.js",
  "worker-kernels.js",
  "worker-threads.js",
  "worker-gpu.js",
  "engine-tfjs.js",
  "wasm",
  "THIRD-PARTY-LICENSES.txt",
];

/** Overwrites older copies. Returns the paths; throws `input_invalid` for a folder that cannot be written, or has another worker.js. */
export async function copyRuntime(folder: string, force = false): Promise<string[]> {
  try {
    await makeFolder(folder);
    if (!force) await checkWorker(join(folder, "worker.js"));
    for (const name of RUNTIME) await cp(join(DIST, name), join(folder, name), { recursive: true });
  } catch (cause) {
    if (isInsituError(cause)) throw cause;
    const message = `The files cannot be written to ${folder}: ${(cause as Error).message}. Name a folder that you may write.`;
    throw new InsituError("input_invalid", message, { folder }, { cause });
  }
  return RUNTIME.map((name) => join(folder, name));
}

/** An app may have a worker.js of its own. */
async function checkWorker(path: string): Promise<void> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  // What every build of the worker holds.
  if (text === undefined || text.includes("InsituError")) return;
  const message = `${path} is not insitu's. Name another folder, and pass createClient({ worker }) its address; or replace it with --force.`;
  throw new InsituError("input_invalid", message, { path });
}
