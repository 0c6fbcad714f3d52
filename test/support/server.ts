// A static web server on loopback that logs requests and responses, and fails on request.
import { createReadStream } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Fault, fail, HTML_PAGE } from "./faults.js";
import { findFile, GOOD_MANNERS, type Manners, replyTo } from "./static.js";

export type { Fault } from "./faults.js";

/** Responds and returns true, or returns false to let the next route try. */
export type Route = (req: IncomingMessage, res: ServerResponse) => boolean;

export interface ServerOptions {
  /** URL prefix with both slashes, to folder: `{ "/dist/": "dist" }`. The longest prefix wins. */
  mounts?: Record<string, string>;
  /** Sent with every response. */
  headers?: Record<string, string>;
  /** Sends COOP and COEP, which make the page cross-origin isolated (wasm threads need it). Default false. */
  isolated?: boolean;
  /** Tried in order before the mounts. */
  routes?: Route[];
}

export interface LoggedRequest {
  method: string;
  /** The path with its query. */
  url: string;
  range?: string;
  ifRange?: string;
  /** 0 until the response began. */
  status: number;
  /** Bytes of the body that were written so far. */
  sent: number;
  /** How the response ended: `early` when either side left before all was sent. */
  ended?: "whole" | "early";
}

export interface TestServer {
  /** `http://127.0.0.1:port/`. */
  url: string;
  /** Every request in order. Empty it with `requests.length = 0`. */
  requests: LoggedRequest[];
  /** Path without query, to its fault for every request, or to one fault for each of the next requests. */
  faults: Map<string, Fault | Fault[]>;
  manners: Manners;
  /** Cuts every connection, also those that a fault holds. */
  hangUp(): void;
  close(): Promise<void>;
}

const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "cross-origin",
};

/** Starts on a free port. `/` is an empty page unless a mount has one, so that code can run in this origin. */
export async function startServer(options: ServerOptions = {}): Promise<TestServer> {
  const mounts = Object.entries(options.mounts ?? {}).sort(([a], [b]) => b.length - a.length);
  const headers: Record<string, string> = {
    "Cache-Control": "no-cache",
    ...(options.isolated ? ISOLATION : {}),
    ...options.headers,
  };
  const requests: TestServer["requests"] = [];
  const faults: TestServer["faults"] = new Map();
  const manners = { ...GOOD_MANNERS };

  const takeFault = (path: string): Fault | undefined => {
    const found = faults.get(path);
    return Array.isArray(found) ? found.shift() : found;
  };

  const answer = (req: IncomingMessage, res: ServerResponse) => {
    const path = decodeURIComponent((req.url ?? "/").split("?")[0] ?? "/");
    for (const [name, value] of Object.entries({ ...headers, ...manners.headers })) res.setHeader(name, value);
    const [prefix, dir] = mounts.find(([start]) => path.startsWith(start)) ?? [];
    const file = dir === undefined ? undefined : findFile(dir, path.slice(prefix?.length));
    const fault = takeFault(path);
    // A host that fails does not look whether the browser has the file already.
    if (fault) delete req.headers["if-none-match"];
    const good = file === undefined ? undefined : replyTo(req, file, manners);
    if (fault) return fail(fault, good, res);
    if (options.routes?.some((route) => route(req, res))) return;
    if (good) {
      res.writeHead(good.status, good.headers);
      if (good.end === good.start) res.end();
      else createReadStream(good.path, { start: good.start, end: good.end - 1 }).pipe(res);
    } else if (path === "/") res.writeHead(200, { "Content-Type": "text/html" }).end(HTML_PAGE);
    else res.writeHead(404, { "Content-Type": "text/plain" }).end(`Nothing at ${path}`);
  };

  const server = createServer((req, res) => {
    requests.push(logged(req, res));
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
    manners,
    hangUp: () => server.closeAllConnections(),
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        // Kept-alive and stalled connections would keep it open for ever.
        server.closeAllConnections();
      }),
  };
}

/** The log's entry, which goes on counting what the response sends. */
function logged({ method = "GET", url = "/", headers }: IncomingMessage, res: ServerResponse): LoggedRequest {
  const { range } = headers;
  const ifRange = headers["if-range"] as string | undefined;
  const entry: LoggedRequest = { method, url, range, ifRange, status: 0, sent: 0 };
  const { write, end, writeHead } = res;
  const count = (chunk: unknown) => {
    if (typeof chunk === "string" || chunk instanceof Uint8Array) entry.sent += Buffer.byteLength(chunk);
  };
  res.writeHead = ((...args: Parameters<typeof writeHead>) => {
    entry.status = args[0];
    return writeHead.apply(res, args);
  }) as typeof writeHead;
  res.write = ((...args: Parameters<typeof write>) => {
    count(args[0]);
    return write.apply(res, args);
  }) as typeof write;
  res.end = ((...args: Parameters<typeof end>) => {
    count(args[0]);
    return end.apply(res, args);
  }) as typeof end;
  res.once("close", () => {
    entry.ended = res.writableFinished ? "whole" : "early";
  });
  return entry;
}
