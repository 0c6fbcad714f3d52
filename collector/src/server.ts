// The collector's routes: telemetry in, Prometheus text out.
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { type AccessOptions, allowOrigin, mayRead, mayWrite } from "./access.js";
import { type Parsed, parseLogs, parseMetrics } from "./otlp.js";
import { toPrometheus } from "./prometheus.js";
import type { Store } from "./store.js";

// Five times the batch that a page sends at most; before and after inflating.
const MAX_BODY = 256 * 1024;

const inflate = promisify(gunzip);

/** An answer other than 200, with what the sender should do. */
class Refused extends Error {
  constructor(
    readonly statusCode: number,
    message: string,
  ) {
    super(message);
  }
}

export function createServer(store: Store, access: AccessOptions): FastifyInstance {
  const app = fastify({ bodyLimit: MAX_BODY, logger: false, forceCloseConnections: "idle" });
  app.removeAllContentTypeParsers();
  // Beacons come as text/plain, since that needs no preflight; the content is JSON all the same.
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  app.addHook("onRequest", async (request, reply) => allowOrigin(request, reply, access));
  app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    const status = error.statusCode ?? 500;
    const message = status === 413 ? `the body has more than ${MAX_BODY} bytes; send smaller batches` : error.message;
    return reply.code(status).send({ code: status, message: status >= 500 ? "the collector failed; try again later" : message });
  });
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send({ code: 404, message: `nothing is at ${request.url}; POST /v1/metrics or /v1/logs, GET /metrics, /healthz or /readyz` }),
  );

  const receive = <T>(path: string, key: string, parse: (body: unknown) => Parsed<T>, add: (items: T[]) => Promise<void>) => {
    app.options(path, async (_request, reply) => reply.code(204).send());
    app.post(path, async (request, reply) => {
      const refused = mayWrite(request, access);
      if (refused) throw new Refused(refused.startsWith("pages") ? 403 : 401, refused);
      const { items, rejected, message } = parse(await json(request));
      if (items.length > 0) await add(items);
      return reply.send(rejected > 0 ? { partialSuccess: { [key]: String(rejected), errorMessage: message } } : {});
    });
  };
  receive("/v1/metrics", "rejectedDataPoints", parseMetrics, store.addPoints);
  receive("/v1/logs", "rejectedLogRecords", parseLogs, store.addEvents);

  app.get("/metrics", async (request: FastifyRequest, reply: FastifyReply) => {
    const refused = mayRead(request, access);
    if (refused) throw new Refused(401, refused);
    return reply.type("text/plain; version=0.0.4; charset=utf-8").send(toPrometheus(await store.series()));
  });
  app.get("/healthz", async () => ({ status: "ok" }));
  app.get("/readyz", async () => {
    await store.series();
    return { status: "ready" };
  });
  return app;
}

async function json(request: FastifyRequest): Promise<unknown> {
  let body = request.body as Buffer | undefined;
  const encoding = request.headers["content-encoding"];
  if (encoding === "gzip") {
    body = await inflate(body ?? Buffer.alloc(0), { maxOutputLength: MAX_BODY }).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ERR_BUFFER_TOO_LARGE") throw new Refused(413, "too large");
      throw new Refused(400, "the body is not gzip, as content-encoding says");
    });
  } else if (encoding && encoding !== "identity") throw new Refused(415, `content-encoding ${encoding} is not read; send gzip or none`);
  try {
    const parsed: unknown = JSON.parse((body ?? Buffer.alloc(0)).toString("utf8"));
    if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) return parsed;
  } catch {
    // Falls through to the same answer.
  }
  throw new Refused(400, "the body is not a JSON object; OTLP is read as JSON here, not as protobuf");
}
