// A collector that can fail in every way that a network can, and keeps what it received.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";

export interface Received {
  id: string;
  path: string;
  /** With the query string. */
  url: string;
  text: string;
  headers: IncomingMessage["headers"];
  /** Whether it was acknowledged. */
  taken: boolean;
}

/** What becomes of a request: a status, a connection that is cut, or no response at all. */
export type Reply = { status: number; headers?: Record<string, string>; body?: string } | "reset" | "hang";

export interface Receiver {
  url: string;
  received: Received[];
  /** Decides on each request; the default takes all. */
  reply: (request: Received, number: number) => Reply;
  /** What was taken, each id once. */
  taken(): Map<string, Received>;
  /** How many figures of a counter or histogram those hold. */
  count(metric: string): number;
  /** How many events of a name those hold. */
  events(name: string): number;
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** sendBeacon always sends credentials: the origin must be named for it. */
const cors = ({ headers }: IncomingMessage) => ({
  "access-control-allow-origin": headers.origin ?? "*",
  "access-control-allow-credentials": "true",
  "access-control-allow-headers": "content-type, content-encoding, x-insitu-key, authorization, x-scope-orgid",
  "access-control-expose-headers": "retry-after",
});

export async function startReceiver(): Promise<Receiver> {
  let server: Server | undefined;
  let port = 0;
  const receiver: Receiver = {
    url: "",
    received: [],
    reply: () => ({ status: 200 }),
    taken: () => new Map(receiver.received.filter(({ taken }) => taken).map((each) => [each.id, each])),
    count: (metric) =>
      [...receiver.taken().values()]
        .flatMap(({ path, text }) => (path.endsWith("/v1/metrics") ? pointsOf(text, metric) : []))
        .reduce((sum, count) => sum + count, 0),
    events: (name) =>
      [...receiver.taken().values()].reduce((sum, { text }) => sum + text.split(`"eventName":"${name}"`).length - 1, 0),
    async start() {
      const listening = createServer((req, res) => void serve(receiver, req, res));
      server = listening;
      await new Promise<void>((resolve) => listening.listen(port, "127.0.0.1", resolve));
      port = (listening.address() as AddressInfo).port;
      receiver.url = `http://127.0.0.1:${port}`;
    },
    async stop() {
      server?.closeAllConnections();
      await new Promise((resolve) => server?.close(resolve));
    },
  };
  await receiver.start();
  return receiver;
}

async function serve(receiver: Receiver, req: IncomingMessage, res: ServerResponse): Promise<void> {
  if (req.method === "OPTIONS") {
    res.writeHead(204, cors(req)).end();
    return;
  }
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of req) chunks.push(chunk as Buffer);
  } catch {
    // The page broke it off: it never came.
    return;
  }
  const bytes = Buffer.concat(chunks);
  const text = (req.headers["content-encoding"] === "gzip" ? gunzipSync(bytes) : bytes).toString();
  const { pathname, searchParams } = new URL(req.url ?? "", "http://receiver");
  const id = searchParams.get("batch") ?? "";
  const request = { id, path: pathname, url: req.url ?? "", text, headers: req.headers, taken: false };
  receiver.received.push(request);
  const reply = receiver.reply(request, receiver.received.length);
  if (reply === "hang") return;
  if (reply === "reset") {
    req.socket.destroy();
    return;
  }
  request.taken = reply.status === 200;
  res
    .writeHead(reply.status, { ...cors(req), "content-type": "application/json", ...reply.headers })
    .end(reply.body ?? "{}");
}

interface Point {
  count?: string;
  asInt?: string;
}

function pointsOf(text: string, wanted: string): number[] {
  const { resourceMetrics } = JSON.parse(text);
  const metrics = resourceMetrics[0].scopeMetrics[0].metrics as {
    name: string;
    sum?: { dataPoints: Point[] };
    histogram?: { dataPoints: Point[] };
  }[];
  return metrics
    .filter(({ name }) => name === wanted)
    .flatMap(({ sum, histogram }) => (sum ?? histogram)?.dataPoints ?? [])
    .map(({ count, asInt }) => Number(count ?? asInt));
}
