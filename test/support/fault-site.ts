// A site with a small package in two versions, and the scripts that make calls of the platform fail during a load.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ts from "typescript";
import type { Manifest } from "../../src/shared/types/manifest.js";
import { hashOf } from "./chunked.js";
import type { LibraryPage } from "./page.js";
import type { Route } from "./server.js";
import { openSharedLibrary } from "./shared-browser.js";
import { makePackage, type Recipe, sumOf } from "./synthetic.js";

// A chunk of more than 64 KiB becomes a file.
const ROWS = 17;
const CHUNK_BYTES = ROWS * 4096;
// Five chunks of 68 KiB, for which two requests are made; the versions share the first two.
const RECIPES: Recipe[] = [
  { tables: [1, 2, 3, 4, 5], rows: ROWS, release: 1 },
  { tables: [1, 2, 13, 14, 15], rows: ROWS, release: 2 },
];

export interface FaultSite extends LibraryPage {
  /** Replaces what the host has at `/p/`. */
  publish(release: 1 | 2): Promise<void>;
}

/** What the model of a release predicts. */
export const answerOf = (release: number): number[] | undefined => {
  const recipe = RECIPES.find((each) => each.release === release);
  return recipe && sumOf(recipe.tables);
};

/** `/faults/worker.js` is a worker that may break, `/faults/fault-page.js` and the like are the files of that name here. */
function script(path: string): string | undefined {
  // Imports run in their order: the platform is patched when the library starts.
  if (path === "/faults/worker.js") return `import "/faults/fault-worker.js"; import "/dist/worker.js";`;
  const [, name] = /^\/faults\/(fault-[a-z]+)\.js$/.exec(path) ?? [];
  if (!name) return undefined;
  const source = readFileSync(join(import.meta.dirname, `${name}.ts`), "utf8");
  const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext };
  return ts.transpileModule(source, { compilerOptions }).outputText;
}

export async function openFaultSite(): Promise<FaultSite> {
  const folder = mkdtempSync(join(tmpdir(), "insitu-faults-"));
  const made = new Map<string, string | undefined>();
  const scripts: Route = ({ url = "/" }, res) => {
    const path = url.split("?")[0] as string;
    if (!made.has(path)) made.set(path, script(path));
    const text = made.get(path);
    if (text === undefined) return false;
    res.writeHead(200, { "Content-Type": "text/javascript" }).end(text);
    return true;
  };
  // Isolated: a worker stops for good without using the processor by waiting for shared memory.
  const library = await openSharedLibrary({
    mounts: { "/p/": folder },
    routes: [scripts],
    isolated: true,
    headers: { "Cache-Control": "max-age=600" },
  });
  await library.page.addScriptTag({
    type: "module",
    content: 'window.faults = await import("/faults/fault-page.js");',
  });
  await library.page.waitForFunction(() => "faults" in window);
  return {
    ...library,
    async publish(release) {
      const recipe = RECIPES[release - 1] as Recipe;
      cutSmall(folder, await makePackage(folder, recipe));
    },
    async close() {
      await library.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Packages of 4 MiB a chunk would take the time of hundreds of loads. */
function cutSmall(folder: string, manifest: Manifest): void {
  const files = manifest.files.map((file) => {
    if (file.path.endsWith(".json")) return file;
    const bytes = readFileSync(join(folder, file.path));
    const chunks = Array.from({ length: bytes.length / CHUNK_BYTES }, (_, index) => {
      const part = bytes.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES);
      return { size: part.length, sha256: hashOf(part) };
    });
    return { path: file.path, size: file.size, chunks };
  });
  writeFileSync(join(folder, "insitu.json"), JSON.stringify({ ...manifest, files }));
}
