// A site that publishes synthetic packages beside the built library.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Manifest } from "../../src/shared/types/manifest.js";
import { type GatedHost, gatedHost } from "./gated-host.js";
import { type Route, startServer, type TestServer } from "./server.js";
import { makePackage, type Recipe } from "./synthetic.js";

export interface Site {
  server: TestServer;
  /** Serves the packages. */
  host: GatedHost;
  /** Serves at `/workers/<name>.js` a worker that runs this script before the library's. */
  workers: Map<string, string>;
  /** Serves the package at `path` from now on; made once for each recipe. */
  publish(path: string, recipe: Recipe): Promise<Manifest>;
  /** Bytes that went out for the files under `path`, manifests left out, since the last `server.requests.length = 0`. */
  sent(path: string): number;
  close(): Promise<void>;
}

/** `routes` come before everything else. */
export async function openSite(routes: Route[] = []): Promise<Site> {
  const root = mkdtempSync(join(tmpdir(), "insitu-site-"));
  const host = gatedHost();
  const workers = new Map<string, string>();
  const made = new Map<string, { dir: string; manifest: Promise<Manifest> }>();
  const server = await startServer({
    mounts: { "/dist/": "dist" },
    routes: [
      ...routes,
      host.route,
      (req, res) => {
        const [, name, part] = /^\/workers\/([\w-]+?)(-first)?\.js$/.exec(req.url ?? "") ?? [];
        const script = workers.get(name ?? "");
        if (script === undefined) return false;
        // Static imports run in their order.
        const worker = `import "/workers/${name}-first.js"; import "/dist/worker.js";`;
        res.writeHead(200, { "Content-Type": "text/javascript" }).end(part ? script : worker);
        return true;
      },
    ],
  });
  return {
    server,
    host,
    workers,
    publish(path, recipe) {
      const key = JSON.stringify(recipe);
      const dir = join(root, "packages", String(made.size));
      const found = made.get(key) ?? { dir, manifest: makePackage(dir, recipe) };
      made.set(key, found);
      host.folders.set(path, found.dir);
      return found.manifest;
    },
    sent: (path) =>
      server.requests
        .filter(({ url }) => url.startsWith(path) && !url.endsWith("/insitu.json"))
        .reduce((sum, { sent }) => sum + sent, 0),
    async close() {
      await server.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}
