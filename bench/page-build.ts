// Bundles the scripts that run in the benchmark's pages.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
/** Where the bundled scripts are; served as `/bench/`. */
export const PAGE = join(ROOT, ".cache", "bench", "page");

/** The files of bench/page/ that a page imports. */
const SCRIPTS = [
  "compare",
  "hold",
  "loads",
  "preprocess",
  "throughput",
  "overhead",
  "telemetry",
  "personal",
  "rollout",
  "gpu",
  "start-insitu",
  "start-plain",
];

export async function buildPages(): Promise<void> {
  for (const [index, name] of SCRIPTS.entries()) {
    await build({
      root: ROOT,
      configFile: false,
      logLevel: "error",
      define: { "process.env.NODE_ENV": JSON.stringify("production") },
      build: {
        outDir: PAGE,
        emptyOutDir: index === 0,
        // tfjs's threaded wasm starts its threads from the source text of a function. A minifier breaks it, and the load hangs.
        // The start scripts are minified, since their size counts, and run without threads.
        minify: name.startsWith("start"),
        lib: { entry: join(ROOT, `bench/page/${name}.ts`), formats: ["es"], fileName: name },
      },
    });
  }
}
