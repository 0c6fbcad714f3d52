// `npm run kernels`: compiles the library's own kernels from C into a module of WebAssembly, which the repository holds.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ROOT } from "./checks/paths.js";

const FOLDER = join(ROOT, "src/worker/runtime/plan/kernels");
export const KERNELS_FILE = join(FOLDER, "kernels-binary.ts");
const SOURCES = ["convolve.c", "depthwise.c", "pack.c"];
const COMPILER = "clang-19";
const FLAGS = [
  "--target=wasm32",
  "-O3",
  "-msimd128",
  "-mrelaxed-simd",
  "-nostdlib",
  "-fno-builtin",
  "-Wall",
  "-Werror",
  // They keep nothing between two calls and use no stack, so that they can work on the memory of another module.
  "-Wl,--no-entry,--import-memory,--strip-all,-z,stack-size=0",
];

/** Undefined where there is no compiler. */
export function compileKernels(): Buffer | undefined {
  const room = mkdtempSync(join(tmpdir(), "insitu-kernels-"));
  try {
    const out = join(room, "kernels.wasm");
    const { error, status, stderr } = spawnSync(COMPILER, [...FLAGS, "-o", out, ...SOURCES], { cwd: FOLDER, encoding: "utf8" }); // biome-ignore format: one line
    if (error) return undefined;
    if (status !== 0) throw new Error(stderr);
    return readFileSync(out);
  } finally {
    rmSync(room, { recursive: true, force: true });
  }
}

/** The text of the file that holds the module. */
export function kernelsText(module: Buffer): string {
  const sha256 = createHash("sha256").update(module).digest("hex");
  return `// Made by "npm run kernels" from the C files beside it.
export const KERNELS_SHA256 = "${sha256}";
export const KERNELS =
  "${module.toString("base64")}";
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const module = compileKernels();
  if (!module) throw new Error(`${COMPILER} is missing: apt-get install clang-19 lld-19`);
  writeFileSync(KERNELS_FILE, kernelsText(module));
  console.log(`${KERNELS_FILE}: a module of ${module.length} bytes`);
}
