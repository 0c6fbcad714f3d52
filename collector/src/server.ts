// The routes: telemetry in, sums out, and an answer in words for everything that cannot be taken.
import { randomUUID } from "node:crypto";
import cors from "@fastify/cors";
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { Access, Caller, Denial } from "./access.js";
import type { AllowList } from "./allow-list.js";
import { parseBeacon } from "./beacon.js";
import { HttpError, readJson } from "./body.js";
import { dashboard } from "./dashboard.js";
import { MAX_BODY_BYTES, REQUEST_TIMEOUT_MS } from "./limits.js";
import { BadBody, parseLogs, parseMetrics } from "./otlp.js";
import { type OwnFigure, PROMETHEUS_TEXT, toPrometheus } from "./prometheus.js";
import type { RateLimit } from "./rate-limit.js";
import type { Attributes, Rejected } from "./records.js";
import { readReportQuery, report } from "./report-route.js";
import type { Passed } from "./sinks/sink.js";
import type { Appended, Batch, Store } from "./store.js";

/** Seconds after which a sender may try again what could not be stored. */
const RETRY_SECONDS = 5;

export interface ServerOptions {
  /** Batches that must speak of a model, version, arm and backend before the report shows it. */
  minBatches: number;
  allowList: AllowList;
  /** Of requests that write, by address and by key. */
  limits: { address: RateLimit; key: RateLimit };
  /** Hands what was counted to those who want it as well; never waits. */
  passOn(passed: Passed): void;
  /** Figures of those, for `GET /metrics`. */
  sinks(): OwnFigure[];
  /** Whether a proxy's `X-Forwarded-For` names the sender. */
  trustProxy: boolean;
}

/** A server that is not listening yet. Closing it waits for the requests in flight; the store stays open. */
export function createServer(store: Store, access: Access, options: ServerOptions): FastifyInstance {
  const { minBatches, allowList, limits, trustProxy } = options;
  const app = Fastify({
    trustProxy,
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: "idle",
  });
  closeInTime(app);
  const figures: Figures = { batches: 0, points: 0, events: 0, rejected: 0, repeated: 0, limited: 0, failed: 0 };
  app.setErrorHandler((error: FastifyError, _request, reply) => sendError(reply, error));
  app.setNotFoundHandler((request, reply) =>
    sendError(reply, new HttpError(404, `There is no ${request.method} ${request.url.split("?")[0]} here.`)),
  );
  app.get("/healthz", async () => ({ status: "ok" }));
  app.get("/readyz", async () => {
    await store.check().catch((cause) => unavailable(cause));
    return { status: "ready" };
  });
  app.get("/metrics", { onRequest: guard((caller) => access.read(caller)) }, async (_request, reply) => {
    const own = [...ownFigures(store.series().length, figures, allowList.dropped()), ...options.sinks()];
    return reply.header("content-type", PROMETHEUS_TEXT).send(toPrometheus(store.series(), own));
  });
  app.get("/v1/report", { onRequest: guard((caller) => access.read(caller)) }, async (request) => {
    const query = readReportQuery(request.query as Record<string, unknown>, Date.now());
    const { batches, repeated: duplicates } = figures;
    return report(store, query, { minBatches, batches, duplicates }).catch((cause) => unavailable(cause));
  });
  app.register(dashboard);
  // A scope of its own: only writing is for other origins, so a page elsewhere cannot read what was counted.
  app.register(async (writing) => {
    await writing.register(cors, access.cors);
    writing.addHook(
      "onRequest",
      guard((caller) => access.write(caller)),
    );
    writing.addHook("onRequest", async (request) => {
      if (request.method === "OPTIONS") return;
      const sender = access.senderOf(callerOf(request));
      const wait = Math.max(limits.address.take(request.ip), sender === undefined ? 0 : limits.key.take(sender));
      if (wait === 0) return;
      figures.limited += 1;
      throw new HttpError(429, "Too many requests; come again later.", { retryMs: wait });
    });
    const allowed = <R extends { attributes: Attributes }>(records: R[]) =>
      records.map((record) => ({ ...record, attributes: allowList.keep(record.attributes) }));
    takeJson(writing);
    /** Counts it, unless it was counted before, and passes it on then. */
    const take = async (request: FastifyRequest, { points, events, otlp }: Omit<Passed, "id">) => {
      const batch = { id: batchId(request), points: allowed([...points]), events: allowed([...events]) };
      const appended = await append(store, batch, figures);
      if (appended.isRepeated) return appended;
      figures.points += points.length;
      figures.events += events.length;
      options.passOn({ ...batch, otlp, id: batch.id ?? randomUUID().replaceAll("-", "") });
      return appended;
    };
    writing.post("/v1/metrics", async (request) => {
      const { records: points, rejected } = parse(() => parseMetrics(request.body, Date.now()));
      const otlp = [{ path: "/v1/metrics" as const, body: request.body }];
      const appended = await take(request, { points, events: [], otlp });
      if (appended.isRepeated) return {};
      return partial("rejectedDataPoints", [...rejected, ...appended.rejected], figures);
    });
    writing.post("/v1/logs", async (request) => {
      const { records: events, rejected } = parse(() => parseLogs(request.body, Date.now()));
      const otlp = [{ path: "/v1/logs" as const, body: request.body }];
      const appended = await take(request, { points: [], events, otlp });
      return appended.isRepeated ? {} : partial("rejectedLogRecords", rejected, figures);
    });
    writing.post("/v1/beacon", async (request) => {
      const { points, events, rejected, otlp } = parse(() => parseBeacon(request.body, Date.now()));
      const bodies = [
        ...(points.length > 0 ? [{ path: "/v1/metrics" as const, body: otlp.metrics }] : []),
        ...(events.length > 0 ? [{ path: "/v1/logs" as const, body: otlp.logs }] : []),
      ];
      const appended = await take(request, { points, events, otlp: bodies });
      if (appended.isRepeated) return {};
      return partial("rejectedRecords", [...rejected, ...appended.rejected], figures);
    });
  });
  return app;
}

// How often a closing server looks for connections that have become idle.
const LOOK_MS = 50;

/**
 * Fastify ends the connections that are idle when closing begins. Those that are answered a little later stay open for
 * their keep-alive (72 s), and `close` with them; so does whoever never finishes a request.
 */
function closeInTime(app: FastifyInstance): void {
  app.addHook("preClose", async () => {
    const end = Date.now() + REQUEST_TIMEOUT_MS;
    const timer = setInterval(() => {
      if (Date.now() < end) app.server.closeIdleConnections();
      else app.server.closeAllConnections();
    }, LOOK_MS);
    app.server.once("close", () => clearInterval(timer));
  });
}

type Figures = {
  batches: number;
  points: number;
  events: number;
  rejected: number;
  repeated: number;
  limited: number;
  failed: number;
};

function takeJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  // text/plain: what a page may send to another origin without asking first.
  app.addContentTypeParser(
    ["application/json", "text/plain"],
    { parseAs: "buffer" },
    (request: FastifyRequest, body: Buffer) => readJson(body, request.headers["content-encoding"]),
  );
}

function guard(decide: (caller: Caller) => Denial | null) {
  return async (request: FastifyRequest): Promise<void> => {
    // The preflight carries no key by design.
    if (request.method === "OPTIONS") return;
    const denial = decide(callerOf(request));
    if (denial) throw new HttpError(denial.status, denial.message);
  };
}

function callerOf(request: FastifyRequest): Caller {
  const { authorization, origin } = request.headers;
  const { key } = request.query as Record<string, unknown>;
  return { authorization, origin, insituKey: one(request.headers["x-insitu-key"]), key: one(key) };
}

/** A header or parameter that comes twice is none. */
function one(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function parse<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof BadBody ? new HttpError(400, error.message) : error;
  }
}

async function append(store: Store, batch: Batch, figures: Figures): Promise<Appended> {
  const appended = await store.append(batch).catch((cause) => {
    figures.failed += 1;
    return unavailable(cause);
  });
  if (appended.isRepeated) figures.repeated += 1;
  else figures.batches += 1;
  return appended;
}

/** The name of a request in its query, `?batch=`: 32 hex digits. Throws `HttpError` for anything else. */
function batchId(request: FastifyRequest): string | undefined {
  const { batch } = request.query as Record<string, unknown>;
  if (batch === undefined || (typeof batch === "string" && BATCH_ID.test(batch))) return batch;
  throw new HttpError(400, "The query's batch must be 32 hex digits, a random name of the request.");
}

const BATCH_ID = /^[0-9a-f]{32}$/;

function unavailable(cause: unknown): never {
  const reason = cause instanceof Error ? cause.message : String(cause);
  console.error(`The database did not take it: ${reason}`);
  throw new HttpError(503, `The database does not answer; try again in ${RETRY_SECONDS} s.`, { cause });
}

// The answer names the first reasons: a batch has few kinds of faults, and the answer must stay small.
const REASONS_TOLD = 5;

/** OTLP: 200 with what was rejected is final, the sender must not try again. */
function partial(field: string, rejected: readonly Rejected[], figures: Figures): object {
  const count = rejected.reduce((sum, one) => sum + one.count, 0);
  figures.rejected += count;
  if (count === 0) return {};
  const reasons = [...new Set(rejected.map(({ reason }) => reason))].slice(0, REASONS_TOLD);
  return { partialSuccess: { [field]: String(count), errorMessage: reasons.join("; ") } };
}

function ownFigures(
  series: number,
  { batches, points, events, rejected, repeated, limited, failed }: Figures,
  attributes: number,
): OwnFigure[] {
  const counter = (what: string, help: string, value: number): OwnFigure => ({
    name: `insitu_collector_${what}_total`,
    kind: "counter",
    help: `${help} since the collector started.`,
    value,
  });
  return [
    counter("batches", "Requests that were counted", batches),
    { name: "insitu_collector_series", kind: "gauge", help: "Series that are kept.", value: series },
    counter("points", "Data points that were read", points),
    counter("events", "Log records that were stored", events),
    counter("rejected", "Data points and log records that were rejected", rejected),
    counter("repeated_batches", "Requests that had been counted before", repeated),
    counter("rate_limited", "Requests that came too fast", limited),
    counter("attributes_dropped", "Attributes that are not on the list", attributes),
    counter("storage_failures", "Requests that the database did not take", failed),
  ];
}

// google.rpc.Code, which OTLP puts into the body of an error.
const RPC_CODES: Readonly<Record<number, number>> = { 401: 16, 403: 7, 404: 5, 413: 8, 429: 8, 503: 14 };
const INVALID_ARGUMENT = 3;
const INTERNAL = 13;

function sendError(reply: FastifyReply, error: FastifyError | HttpError): FastifyReply {
  const status = error.statusCode ?? 500;
  if (status >= 500 && !(error instanceof HttpError)) console.error(error);
  const retryMs = error instanceof HttpError ? error.retryMs : undefined;
  if (status === 503) reply.header("retry-after", String(RETRY_SECONDS));
  if (retryMs !== undefined) reply.header("retry-after", String(Math.max(1, Math.ceil(retryMs / 1000))));
  const message =
    status >= 500 && !(error instanceof HttpError) ? "The collector failed; see its log." : messageOf(error);
  const code = RPC_CODES[status] ?? (status < 500 ? INVALID_ARGUMENT : INTERNAL);
  return reply.code(status).send({ code, message });
}

function messageOf(error: FastifyError | HttpError): string {
  const { code } = error as FastifyError;
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE")
    return `The body is more than ${MAX_BODY_BYTES} bytes; send smaller batches.`;
  if (code === "FST_ERR_CTP_INVALID_MEDIA_TYPE") return "Send OTLP as JSON, with content-type application/json.";
  return error.message;
}
