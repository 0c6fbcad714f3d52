// Extends Vite's server with isolation headers, the model packages and the page's configuration.
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import sirv from "sirv";
import type { Connect, Plugin } from "vite";

/** Makes the page cross-origin isolated, which wasm threads need. The service worker caches responses with these headers. */
const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};

const PACKAGES = ["objects", "digits", "features", "ranker"];

/** Serves the files of the packages, and a plain 404 for missing ones. */
function serveModels(models: string): Connect.NextHandleFunction {
  const packages = PACKAGES.map((name) => ({
    prefix: `/models/${name}/`,
    // `dev` reads the disk on each request: the packages may be built while the server runs.
    serve: sirv(join(models, name, "package"), { dev: true, etag: true }),
  }));
  return (req, res, next) => {
    for (const [name, value] of Object.entries(HEADERS)) res.setHeader(name, value);
    const path = (req.url ?? "/").split("?")[0] ?? "/";
    const found = packages.find(({ prefix }) => path.startsWith(prefix));
    if (!found) return next();
    req.url = path.slice(found.prefix.length - 1);
    found.serve(req, res as ServerResponse, () => {
      res.writeHead(404, { "Content-Type": "text/plain" });
      res.end(`${path} does not exist. Build the models with "npm run models".`);
    });
  };
}

/** For the development and the preview server. */
export function site({ models }: { models: string }): Plugin {
  return {
    name: "insitu-demo:site",
    configureServer: ({ middlewares }) => void middlewares.use(serveModels(models)),
    configurePreviewServer: ({ middlewares }) => void middlewares.use(serveModels(models)),
  };
}

/** Serves `/config.json` with the collector's address, which is read at each request, since the collector starts later. */
export function pageConfig(collector: () => string | null): Plugin {
  return {
    name: "insitu-demo:config",
    configurePreviewServer: ({ middlewares }) =>
      void middlewares.use("/config.json", (_req, res) => {
        res.setHeader("Content-Type", "application/json");
        res.setHeader("Cache-Control", "no-cache");
        res.end(JSON.stringify({ collector: collector() }));
      }),
  };
}
