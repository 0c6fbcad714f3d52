// Bundles the scripts that run in the benchmark's pages.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
/** Where the bundled scripts are; served as `/bench/`. */
export const PAGE = join(ROOT, ".cache", "bench", "page");

export async function buildPages(): Promise<void> {
  for (const [index, name] of ["compare", "loads", "preprocess"].entries()) {
    await build({
      root: ROOT,
      configFile: false,
      logLevel: "error",
      define: { "process.env.NODE_ENV": JSON.stringify("production") },
      build: {
        outDir: PAGE,
        emptyOutDir: index === 0,
        lib: { entry: join(ROOT, `bench/page/${name}.ts`), formats: ["es"], fileName: name },
      },
    });
  }
}
