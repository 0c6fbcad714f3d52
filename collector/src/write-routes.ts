// The routes that write, as a Fastify plugin: keys, origins, rate limits, and what is done with a body.
import cors from "@fastify/cors";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Access } from "./access.js";
import { readJson } from "./body.js";
import { callerOf, guard } from "./caller.js";
import { HttpError } from "./errors.js";
import type { Ingest, Ingests } from "./ingest.js";
import type { OwnCounts } from "./own-metrics.js";
import type { RateLimit } from "./rate-limit.js";
import { BATCH_QUERY, type BatchParameters } from "./schemas.js";

export interface WriteRoutesDeps {
  access: Access;
  counts: OwnCounts;
  ingests: Ingests;
  limits: { address: RateLimit; key: RateLimit };
}

/** A scope of its own: only these routes are for other origins, so that a page elsewhere cannot read what was counted. */
export async function writeRoutes(app: FastifyInstance, deps: WriteRoutesDeps): Promise<void> {
  const { access, ingests } = deps;
  await app.register(cors, access.cors);
  app.addHook(
    "onRequest",
    guard((caller) => access.write(caller)),
  );
  app.addHook("onRequest", rateLimit(deps));
  acceptJson(app);
  const schema = { querystring: BATCH_QUERY };
  const post = (path: string, ingest: Ingest) =>
    app.post<{ Querystring: BatchParameters }>(path, { schema }, async ({ body, query, ip }) =>
      ingest(body, { id: query.batch, sender: ip }),
    );
  post("/v1/metrics", ingests.metrics);
  post("/v1/logs", ingests.logs);
  post("/v1/beacon", ingests.beacon);
}

function rateLimit({ access, limits, counts }: WriteRoutesDeps) {
  return async (request: FastifyRequest): Promise<void> => {
    if (request.method === "OPTIONS") return;
    const sender = access.senderOf(callerOf(request));
    const retryMs = Math.max(limits.address.take(request.ip), sender === undefined ? 0 : limits.key.take(sender));
    if (retryMs === 0) return;
    counts.limited += 1;
    throw new HttpError(429, "Too many requests; try again later.", { retryMs });
  };
}

function acceptJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  // text/plain: what a page may send to another origin without a preflight.
  app.addContentTypeParser(
    ["application/json", "text/plain"],
    { parseAs: "buffer" },
    (request: FastifyRequest, body: Buffer) => readJson(body, request.headers["content-encoding"]),
  );
}
