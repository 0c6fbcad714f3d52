// The routes that read: health, Prometheus's metrics, and the dashboard's report.
import type { FastifyInstance } from "fastify";
import type { Access } from "./access.js";
import type { AllowList } from "./allow-list.js";
import { guard, limitByAddress } from "./caller.js";
import { unavailable } from "./errors.js";
import { type OwnCounts, ownMetrics } from "./own-metrics.js";
import { type OwnMetric, PROMETHEUS_TEXT, toPrometheus } from "./prometheus.js";
import type { RateLimit } from "./rate-limit.js";
import { makeReport } from "./report.js";
import { toReportQuery } from "./report-query.js";
import { REPORT_QUERY, type ReportParameters } from "./schemas.js";
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
  /** Metrics of the other parts. */
  metrics(): OwnMetric[];
}

export function addReadRoutes(app: FastifyInstance, deps: ReadRoutesDeps): void {
  const { store, access, allowList, counts, minBatches, limit, metrics } = deps;
  const onLimited = () => {
    counts.limited += 1;
  };
  const onRequest = [limitByAddress(limit, onLimited), guard((caller) => access.read(caller))];
  app.get("/healthz", async () => ({ status: "ok" }));
  app.get("/readyz", async () => {
    await store.check().catch(unavailable);
    return { status: "ready" };
  });
  app.get("/metrics", { onRequest }, async (_request, reply) => {
    const series = store.series();
    const own = [...ownMetrics(counts, series.length, allowList.dropped()), ...metrics()];
    return reply.header("content-type", PROMETHEUS_TEXT).send(toPrometheus(series, own));
  });
  const schema = { querystring: REPORT_QUERY };
  app.get<{ Querystring: ReportParameters }>("/v1/report", { onRequest, schema }, async ({ query }) => {
    const { batches, repeated: duplicates } = counts;
    const { slots, batchCounts } = store;
    const deps = { series: store.series(), slots, batchCounts, minBatches, batches, duplicates };
    return makeReport(toReportQuery(query, Date.now()), deps).catch(unavailable);
  });
}
