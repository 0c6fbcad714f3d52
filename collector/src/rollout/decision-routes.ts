// The routes of the decision about a model's candidate, and of drift.
import type { FastifyInstance, onRequestAsyncHookHandler } from "fastify";
import type { DriftReport } from "../drift/drift-types.js";
import { HttpError, unavailable } from "../errors.js";
import { DRIFT_QUERY } from "../schemas.js";
import { createSharedReads } from "../shared-reads.js";
import type { Decision } from "./decision-types.js";
import { modelOf } from "./model-name.js";
import type { Rollouts } from "./rollouts.js";

export interface DecisionRoutesDeps {
  rollouts: Rollouts;
  /** The hooks of requests that read. */
  read: onRequestAsyncHookHandler[];
  /** Milliseconds for which a response is sent again. */
  readCache: number;
}

export function addDecisionRoutes(app: FastifyInstance, { rollouts, read, readCache }: DecisionRoutesDeps): void {
  const decisions = createSharedReads<Decision | null>(1, readCache);
  app.get<{ Params: { model: string } }>("/v1/rollouts/:model", { onRequest: read }, async ({ params }) => {
    const model = modelOf(params.model);
    const decision = await decisions(model, () => rollouts.decisions.decide(model)).catch(unavailable);
    if (decision) return decision;
    throw new HttpError(
      404,
      `Nothing is known of the model "${model}": it has no channel, and no page reported about it.`,
    );
  });
  const reports = createSharedReads<DriftReport[]>(1, readCache);
  app.get<{ Querystring: { model: string } }>(
    "/v1/drift",
    { onRequest: read, schema: { querystring: DRIFT_QUERY } },
    async ({ query }) => reports(query.model, () => rollouts.drift.report(query.model)).catch(unavailable),
  );
}
