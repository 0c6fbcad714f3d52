// Serves insitu's wasm binaries at the address of `assets.wasm`, since bundlers do not copy a folder.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import sirv from "sirv";
import type { Plugin } from "vite";

/** `from` is the library's `dist/wasm`; `to` the folder below the page's address, without a leading slash. */
export function wasm({ from, to }: { from: string; to: string }): Plugin {
  return {
    name: "insitu-demo:wasm",
    configureServer: ({ middlewares }) => void middlewares.use(`/${to}`, sirv(from, { dev: true })),
    generateBundle() {
      for (const name of readdirSync(from)) {
        this.emitFile({ type: "asset", fileName: `${to}/${name}`, source: readFileSync(join(from, name)) });
      }
    },
  };
}
