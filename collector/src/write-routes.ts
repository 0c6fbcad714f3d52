// The routes that write, as a Fastify plugin: keys, origins, rate limits, and what is done with a body.
import type { IncomingMessage } from "node:http";
import cors from "@fastify/cors";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Access } from "./access.js";
import type { Admission, Place } from "./admission.js";
import { readJson } from "./body.js";
import { callerOf, guard, limitByAddress, refuseFor } from "./caller.js";
import type { Ingest, Ingests } from "./ingest.js";
import { MAX_BODY_BYTES } from "./limits.js";
import type { OwnCounts } from "./own-metrics.js";
import { senderOf } from "./proxies.js";
import type { RateLimit } from "./rate-limit.js";
import { BATCH_QUERY, type BatchParameters } from "./schemas.js";

export interface WriteRoutesDeps {
  access: Access;
  admission: Admission;
  counts: OwnCounts;
  ingests: Ingests;
  limits: { address: RateLimit; key: RateLimit };
}

/** A scope of its own: only these routes are for other origins, so that a page elsewhere cannot read what was counted. */
export async function writeRoutes(app: FastifyInstance, deps: WriteRoutesDeps): Promise<void> {
  const { access, ingests, limits, counts } = deps;
  const onLimited = () => {
    counts.limited += 1;
  };
  await app.register(cors, access.cors);
  app.addHook("onRequest", limitByAddress(limits.address, onLimited));
  const placeOf = letIn(app, deps.admission);
  app.addHook(
    "onRequest",
    guard((caller) => access.write(caller)),
  );
  app.addHook("onRequest", async (request) => {
    const key = access.senderOf(callerOf(request));
    if (key !== undefined && request.method !== "OPTIONS") refuseFor(limits.key.take(key), onLimited);
  });
  acceptJson(app, placeOf);
  const schema = { querystring: BATCH_QUERY };
  const post = (path: string, ingest: Ingest) =>
    app.post<{ Querystring: BatchParameters }>(path, { schema }, async (request) => {
      const { body, query, ip } = request;
      const isTrusted = access.isTrusted(callerOf(request));
      return placeOf(request).hold(() => ingest(body, { id: query.batch, sender: senderOf(ip), isTrusted }));
    });
  post("/v1/metrics", ingests.metrics);
  post("/v1/logs", ingests.logs);
  post("/v1/beacon", ingests.beacon);
}

/** Refuses a request before its body is read when too much waits. Returns what finds the place of one that was let in. */
function letIn(app: FastifyInstance, admission: Admission): (request: { raw: IncomingMessage }) => Place {
  const places = new WeakMap<IncomingMessage, Place>();
  app.addHook("onRequest", async (request, reply) => {
    if (request.method === "OPTIONS") return;
    const place = admission.enter(senderOf(request.ip), () => request.raw.destroy());
    places.set(request.raw, place);
    reply.raw.once("close", () => place.leave());
  });
  return (request) => {
    const place = places.get(request.raw);
    if (!place) throw new Error("This request was not let in.");
    return place;
  };
}

function acceptJson(app: FastifyInstance, placeOf: (request: FastifyRequest) => Place): void {
  app.removeAllContentTypeParsers();
  // text/plain: what a page may send to another origin without a preflight.
  app.addContentTypeParser(
    ["application/json", "text/plain"],
    { parseAs: "buffer" },
    (request: FastifyRequest, body: Buffer) => {
      const place = placeOf(request);
      const encoding = request.headers["content-encoding"];
      // What is compressed counts as the largest body until its size is known: many that arrive together must not inflate together.
      const counted = encoding ? MAX_BODY_BYTES : body.length;
      place.arrived(counted);
      return place.hold(() => readJson(body, encoding, (bytes) => place.grew(bytes - counted)));
    },
  );
}
