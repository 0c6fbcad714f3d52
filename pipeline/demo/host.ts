// The static host of the demo, with the site's backend beside it: the page, the library, the channel and its packages.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sirv from "sirv";
import type { Backend } from "../site/backend.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export interface HostOptions {
  port?: number;
  /** Folder of the channel and its packages. */
  site: string;
  backend: () => Backend;
  /** What the page reads at its start. */
  config: () => object;
}

export interface Host {
  url: string;
  close(): Promise<void>;
}

export async function startHost({ port = 0, site, backend, config }: HostOptions): Promise<Host> {
  // `dev` reads the disk on each request: the channel changes while the host runs.
  const serve = (folder: string) => sirv(folder, { dev: true, etag: true });
  const mounts = [
    { prefix: "/models/digits/", handler: serve(site) },
    { prefix: "/insitu/", handler: serve(join(ROOT, "dist")) },
    { prefix: "/", handler: serve(join(ROOT, "pipeline/site")) },
  ];
  const server: Server = createServer((request, response) => {
    if (backend().handle(request, response)) return;
    const path = (request.url ?? "/").split("?")[0] ?? "/";
    if (path === "/config.json") {
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(config()));
      return;
    }
    const mount = mounts.find(({ prefix }) => path.startsWith(prefix));
    request.url = path.slice((mount?.prefix.length ?? 1) - 1);
    mount?.handler(request, response, () => void response.writeHead(404).end("There is no such file.\n"));
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
