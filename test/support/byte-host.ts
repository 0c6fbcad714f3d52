// An HTTP host on loopback whose responses a test writes, and which counts connections and bytes.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

export interface Asked {
  /** Path with query. */
  path: string;
  range?: string;
  ifRange?: string;
  /** Milliseconds on the clock of `performance.now()`. */
  at: number;
}

/** `count` is 0 for the first request that this host gets. */
export type Answering = (req: IncomingMessage, res: ServerResponse, count: number) => void;

export interface ByteHost {
  /** `http://127.0.0.1:port/`. */
  url: string;
  requests: Asked[];
  /** The most requests that were being answered at the same time. */
  mostAtOnce: number;
  /** Responses that ended, one way or the other. */
  closed: number;
  /** Connections made so far. */
  connections: number;
  /** May change while the host runs. */
  answer: Answering;
  /** Bytes handed to the network so far, headers included. */
  sent(): number;
  close(): Promise<void>;
}

export async function startHost(answer: Answering): Promise<ByteHost> {
  const sockets: Socket[] = [];
  let open = 0;
  const server = createServer((req, res) => {
    const { range, "if-range": ifRange } = req.headers;
    host.requests.push({ path: req.url ?? "", range, ifRange: ifRange as string | undefined, at: performance.now() });
    open += 1;
    host.mostAtOnce = Math.max(host.mostAtOnce, open);
    res.on("close", () => {
      open -= 1;
      host.closed += 1;
    });
    host.answer(req, res, host.requests.length - 1);
  });
  server.on("connection", (socket) => {
    sockets.push(socket);
    host.connections += 1;
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const host: ByteHost = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    requests: [],
    mostAtOnce: 0,
    closed: 0,
    connections: 0,
    answer,
    sent: () => sockets.reduce((sum, socket) => sum + socket.bytesWritten, 0),
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
  return host;
}

export interface Serving {
  etag?: string;
  /** False for a host that sends the whole file for every range. Default true. */
  ranges?: boolean;
  /** Bytes of the body after which the connection is cut. */
  cutAfter?: number;
}

/** Responds as a good static host does (RFC 9110): the range, or the whole file when `If-Range` names another one. */
export function serve(req: IncomingMessage, res: ServerResponse, bytes: Uint8Array, serving: Serving = {}): void {
  const { etag, ranges = true, cutAfter } = serving;
  const { range, "if-range": ifRange } = req.headers;
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range ?? "") ?? [];
  if (etag) res.setHeader("ETag", etag);
  let body = bytes;
  if (ranges && first !== undefined && (ifRange === undefined || ifRange === etag)) {
    const from = Number(first);
    const to = Math.min(Number(last) + 1, bytes.length);
    if (from >= bytes.length) {
      res.writeHead(416, { "Content-Range": `bytes */${bytes.length}` }).end();
      return;
    }
    body = bytes.subarray(from, to);
    res.writeHead(206, { "Content-Range": `bytes ${from}-${to - 1}/${bytes.length}`, "Content-Length": body.length });
  } else {
    res.writeHead(200, { "Content-Length": body.length });
  }
  if (cutAfter === undefined || cutAfter > body.length) {
    res.end(body);
    return;
  }
  res.write(body.subarray(0, cutAfter));
  // What lies unread when a connection breaks is lost; a test that counts needs it to have been read.
  setTimeout(() => res.destroy(), 50);
}
