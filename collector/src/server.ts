// Puts the routes together into a server, and answers every error in OTLP's form.
import Fastify, { type FastifyError, type FastifyInstance } from "fastify";
import type { Access } from "./access.js";
import { createAdmission } from "./admission.js";
import type { AllowList } from "./allow-list.js";
import { guard, limitByAddress } from "./caller.js";
import type { Catalogue } from "./catalogue.js";
import { dashboard } from "./dashboard.js";
import { HttpError, sendError } from "./errors.js";
import { createIngests } from "./ingest.js";
import { MAX_BODY_BYTES, REQUEST_TIMEOUT_MS, TIMEOUT_CHECK_MS } from "./limits.js";
import { createOwnCounts, type OwnCounts } from "./own-metrics.js";
import type { OwnMetric } from "./prometheus.js";
import { type TrustProxy, toFastify } from "./proxies.js";
import type { RateLimit } from "./rate-limit.js";
import { addReadRoutes } from "./read-routes.js";
import type { Retrain } from "./retrain/retrain.js";
import { addRetrainRoutes } from "./retrain/routes.js";
import { channelRoutes } from "./rollout/channel-routes.js";
import { addDecisionRoutes } from "./rollout/decision-routes.js";
import type { Rollouts } from "./rollout/rollouts.js";
import { AJV_OPTIONS, parameterError } from "./schemas.js";
import type { SinkBatch } from "./sinks/sink.js";
import type { Store } from "./store.js";
import { writeRoutes } from "./write-routes.js";

export interface ServerOptions {
  /** Batches that must hold data of a model, version, arm and backend before the report shows it. */
  minBatches: number;
  /** Milliseconds for which a response of `GET /metrics` or `GET /v1/report` is sent again. */
  readCache: number;
  allowList: AllowList;
  catalogue: Catalogue;
  /** Of requests that write, by address and by key, and of those that read, and that read a channel, by address. */
  limits: { address: RateLimit; key: RateLimit; read: RateLimit; channel: RateLimit };
  /** Channels, decisions and drift. */
  rollouts: Rollouts;
  /** Epoch milliseconds. */
  now(): number;
  /** Passes a stored batch on to the sinks; never waits. */
  passOn(batch: SinkBatch): void;
  /** Metrics of the sinks, for `GET /metrics`. */
  sinkMetrics(): OwnMetric[];
  /** Whose `X-Forwarded-For` names the sender's address. */
  trustProxy?: TrustProxy;
  /** Absent without `--retrain`. */
  retrain?: Retrain;
}

/** A server that is not listening yet. Closing it waits for the requests in flight; the store stays open. */
export function createServer(store: Store, access: Access, options: ServerOptions): FastifyInstance {
  const { minBatches, readCache, allowList, catalogue, limits, trustProxy, passOn, sinkMetrics } = options;
  const { rollouts, retrain, now } = options;
  const app = Fastify({
    trustProxy: toFastify(trustProxy),
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: { headersTimeout: REQUEST_TIMEOUT_MS, connectionsCheckingInterval: TIMEOUT_CHECK_MS },
    forceCloseConnections: "idle",
    ajv: { customOptions: AJV_OPTIONS },
    schemaErrorFormatter: parameterError,
  });
  closeInTime(app);
  app.setErrorHandler((error: FastifyError, _request, reply) => sendError(reply, error));
  app.setNotFoundHandler((request, reply) =>
    sendError(reply, new HttpError(404, `There is no ${request.method} ${request.url.split("?")[0]} here.`)),
  );
  const counts = createOwnCounts(store.lostRequests);
  const admission = createAdmission();
  const metrics = () => [
    ...admission.metrics(),
    ...sinkMetrics(),
    ...rollouts.metrics(),
    ...(retrain?.metrics() ?? []),
  ];
  const ingests = createIngests({ store, allowList, catalogue, counts, passOn, now });
  const read = addReadRoutes(app, {
    store,
    access,
    allowList,
    counts,
    minBatches,
    readCache,
    limit: limits.read,
    metrics,
    now,
  });
  addDecisionRoutes(app, { rollouts, read, readCache });
  app.register(channelRoutes, { rollouts, access, counts, limits, read });
  if (retrain) addRetrainRoutes(app, { retrain, read, operate: operatorHooks(access, limits.address, counts) });
  app.register(dashboard);
  app.register(writeRoutes, { access, admission, counts, limits, ingests });
  return app;
}

/** For routes of the operator. Who tries tokens is limited as well. */
function operatorHooks(access: Access, limit: RateLimit, counts: OwnCounts) {
  const onLimited = () => {
    counts.limited += 1;
  };
  return [limitByAddress(limit, onLimited), guard((caller) => access.operate(caller))];
}

// How often a closing server looks for connections that have become idle.
const CLOSE_POLL_MS = 50;

/**
 * When closing begins, Fastify ends the connections that are idle. Those that become idle a little later would stay open for their
 * keep-alive (72 s), and `close` would wait for them; so would a sender that never finishes its request.
 */
function closeInTime(app: FastifyInstance): void {
  app.addHook("preClose", async () => {
    const end = Date.now() + REQUEST_TIMEOUT_MS;
    const timer = setInterval(() => {
      if (Date.now() < end) app.server.closeIdleConnections();
      else app.server.closeAllConnections();
    }, CLOSE_POLL_MS);
    app.server.once("close", () => clearInterval(timer));
  });
}
