// Bundles a script with all that it imports, for a page of a test.
import { build } from "vite";

/** Writes `name`.js into `folder`. */
export async function bundlePage(entry: string, folder: string, name: string): Promise<void> {
  await build({
    configFile: false,
    logLevel: "error",
    define: { "process.env.NODE_ENV": JSON.stringify("production") },
    build: { outDir: folder, minify: false, lib: { entry, formats: ["es"], fileName: name } },
  });
}
