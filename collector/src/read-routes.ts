// The routes that read: health, Prometheus's metrics, and the dashboard's report.
import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import type { Access } from "./access.js";
import type { AllowList } from "./allow-list.js";
import { guard, limitByAddress } from "./caller.js";
import { unavailable } from "./errors.js";
import { type OwnCounts, ownMetrics } from "./own-metrics.js";
import { type OwnMetric, PROMETHEUS_TEXT, toPrometheus } from "./prometheus.js";
import type { RateLimit } from "./rate-limit.js";
import { createReaderLimit } from "./reader-limit.js";
import { makeReport, type ReportQuery } from "./report.js";
import { toReportQuery } from "./report-query.js";
import { REPORT_QUERY, type ReportParameters } from "./schemas.js";
import { createSharedReads, pause } from "./shared-reads.js";
import type { Store } from "./store.js";

export interface ReadRoutesDeps {
  store: Store;
  access: Access;
  allowList: AllowList;
  counts: OwnCounts;
  /** Batches that must hold data of a model, version, arm and backend before the report shows it. */
  minBatches: number;
  /** Of requests by address. */
  limit: RateLimit;
  /** Milliseconds for which a response is sent again. */
  readCache: number;
  /** Epoch milliseconds. */
  now(): number;
  /** Metrics of the other parts. */
  metrics(): OwnMetric[];
}

// Each holds a second of the event loop's time at worst; what they ask of the database runs beside the writes.
const PARALLEL_REPORTS = 2;

/** Returns the hooks of requests that read, for the other routes that do. */
export function addReadRoutes(app: FastifyInstance, deps: ReadRoutesDeps) {
  const { access, counts, limit } = deps;
  const onLimited = () => {
    counts.limited += 1;
  };
  const onRequest = [
    limitByAddress(limit, onLimited),
    guard((caller) => access.read(caller)),
    // After the guard, so that strangers take no places from those who have the token.
    createReaderLimit(),
  ];
  app.get("/healthz", async () => ({ status: "ok" }));
  app.get("/readyz", async () => {
    await deps.store.check().catch(unavailable);
    return { status: "ready" };
  });
  const figures = createSharedReads<Buffer[]>(1, deps.readCache);
  app.get("/metrics", { onRequest }, async (_request, reply) => {
    const pieces = await figures("", () => writeMetrics(deps));
    return reply.header("content-type", PROMETHEUS_TEXT).send(Readable.from(pieces));
  });
  const schema = { querystring: REPORT_QUERY };
  const reports = createSharedReads<Buffer[]>(PARALLEL_REPORTS, deps.readCache);
  app.get<{ Querystring: ReportParameters }>("/v1/report", { onRequest, schema }, async ({ query }, reply) => {
    const asked = toReportQuery(query, deps.now());
    // By what was sent: without "to" the report ends now, which is another time for each request.
    const pieces = await reports(JSON.stringify(query), () => writeReport(asked, deps));
    return reply.type("application/json; charset=utf-8").send(Readable.from(pieces));
  });
  return onRequest;
}

/** Pauses after each piece; the pieces are sent to everybody who asks within a second. */
async function writeMetrics({ store, counts, allowList, metrics }: ReadRoutesDeps): Promise<Buffer[]> {
  const series = store.series();
  const own = [...ownMetrics(counts, series.length, allowList.dropped()), ...metrics()];
  const pieces: Buffer[] = [];
  for (const piece of toPrometheus(series, own)) {
    pieces.push(Buffer.from(piece));
    await pause(store.isWriting);
  }
  return pieces;
}

async function writeReport(query: ReportQuery, { store, counts, minBatches }: ReadRoutesDeps): Promise<Buffer[]> {
  const { batches, repeated: duplicates } = counts;
  const { slots, batchCounts, isWriting } = store;
  const deps = { series: store.series(), slots, batchCounts, isWriting, minBatches, batches, duplicates };
  const report = await makeReport(query, deps).catch(unavailable);
  const pieces: Buffer[] = [];
  // One section after the other, since one JSON of all may have megabytes.
  for (const [name, section] of Object.entries(report)) {
    pieces.push(Buffer.from(`${pieces.length === 0 ? "{" : ","}${JSON.stringify(name)}:${JSON.stringify(section)}`));
    await pause(isWriting);
  }
  return [...pieces, Buffer.from("}")];
}
