// A static web server on loopback that logs what is asked of it and fails on demand.
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import sirv from "sirv";

/** How a path fails. The good bytes of `truncate` and `alter` come from the mounted file. */
export type Fault =
  | { kind: "status"; status: number }
  /** What a single-page app's server answers for any path: 200 and its page. */
  | { kind: "html" }
  /** `bytes` of the body, then the socket is cut although more was promised. */
  | { kind: "cut"; bytes: number }
  /** A whole answer that is shorter than the file. */
  | { kind: "truncate"; bytes: number }
  /** The file with the byte at `offset` flipped. */
  | { kind: "alter"; offset: number }
  | { kind: "replace"; body: string | Uint8Array; type?: string }
  /** Headers come, the body never does. */
  | { kind: "stall" };

/** Answers the request and returns true, or returns false to let the next one try. */
export type Route = (req: IncomingMessage, res: ServerResponse) => boolean;

export interface ServerOptions {
  /** URL prefix with both slashes, to folder: `{ "/dist/": "dist" }`. The longest prefix wins. */
  mounts?: Record<string, string>;
  /** Sent with every answer. */
  headers?: Record<string, string>;
  /** Sends COOP and COEP, which make the page cross-origin isolated (wasm threads need it). Default false. */
  isolated?: boolean;
  /** Tried in order before the mounts. */
  routes?: Route[];
}

export interface TestServer {
  /** `http://127.0.0.1:port/`. */
  url: string;
  /** Every request in order; `url` is the path with its query. Empty it with `requests.length = 0`. */
  requests: { method: string; url: string }[];
  /** Path without query, to its fault; may change while the server runs. */
  faults: Map<string, Fault>;
  close(): Promise<void>;
}

const PAGE = '<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>test</title>';
const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "cross-origin",
};

function fail(fault: Fault, read: () => Buffer, res: ServerResponse): void {
  res.setHeader("Content-Type", "application/octet-stream");
  switch (fault.kind) {
    case "status":
      res.writeHead(fault.status).end(`${fault.status}`);
      return;
    case "html":
      res.writeHead(200, { "Content-Type": "text/html" }).end(PAGE);
      return;
    case "cut": {
      const body = read();
      res.writeHead(200, { "Content-Length": body.length });
      res.write(body.subarray(0, fault.bytes), () => res.destroy());
      return;
    }
    case "truncate":
      res.end(read().subarray(0, fault.bytes));
      return;
    case "alter": {
      const body = read();
      body[fault.offset] = (body[fault.offset] ?? 0) ^ 0xff;
      res.end(body);
      return;
    }
    case "replace":
      if (fault.type) res.setHeader("Content-Type", fault.type);
      res.end(fault.body);
      return;
    case "stall":
      res.writeHead(200).flushHeaders();
      return;
    default:
      fault satisfies never;
  }
}

/** Starts on a free port. `/` answers an empty page unless a mount has one, so that code can run in this origin. */
export async function startServer(options: ServerOptions = {}): Promise<TestServer> {
  const mounts = Object.entries(options.mounts ?? {})
    .sort(([a], [b]) => b.length - a.length)
    // `dev` reads the disk on each request: files may change while a test runs.
    .map(([prefix, dir]) => ({ prefix, dir, serve: sirv(dir, { dev: true, etag: true, dotfiles: true }) }));
  const headers = { ...(options.isolated ? ISOLATION : {}), ...(options.headers ?? {}) };
  const requests: TestServer["requests"] = [];
  const faults: TestServer["faults"] = new Map();

  const answer = (req: IncomingMessage, res: ServerResponse) => {
    const url = req.url ?? "/";
    const path = decodeURIComponent(url.split("?")[0] ?? "/");
    requests.push({ method: req.method ?? "GET", url });
    for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
    const mount = mounts.find(({ prefix }) => path.startsWith(prefix));
    const inMount = mount ? path.slice(mount.prefix.length) : "";
    const fault = faults.get(path);
    if (fault) return fail(fault, () => readFileSync(join(mount?.dir ?? ".", inMount)), res);
    if (options.routes?.some((route) => route(req, res))) return;
    const missing = () => {
      if (path === "/") {
        res.writeHead(200, { "Content-Type": "text/html" }).end(PAGE);
        return;
      }
      res.writeHead(404, { "Content-Type": "text/plain" }).end(`Nothing at ${path}`);
    };
    if (!mount) return missing();
    req.url = url.slice(mount.prefix.length - 1);
    mount.serve(req, res, missing);
  };

  const server = createServer((req, res) => {
    try {
      answer(req, res);
    } catch (error) {
      res.writeHead(500, { "Content-Type": "text/plain" }).end(String(error));
    }
  });
  await new Promise<void>((done, refuse) => server.once("error", refuse).listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    requests,
    faults,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        // Kept-alive and stalled connections would keep it open for ever.
        server.closeAllConnections();
      }),
  };
}
