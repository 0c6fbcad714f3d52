// The routes of retraining: its log for readers, and the reports of the receiver and retries for the operator.
import type { FastifyInstance, onRequestAsyncHookHandler } from "fastify";
import { z } from "zod";
import { HttpError, unavailable } from "../errors.js";
import type { Retrain } from "./retrain.js";
import type { Run } from "./run.js";

export interface RetrainRoutesDeps {
  retrain: Retrain;
  /** Hooks of requests that read, and of those that need the operator's token. */
  read: onRequestAsyncHookHandler[];
  operate: onRequestAsyncHookHandler[];
}

const MAX_DETAIL = 1_000;

const reportBody = z.strictObject({
  state: z.enum(["running", "done", "failed"], 'must be "running", "done" or "failed"'),
  version: z.string().min(1).max(128).optional(),
  detail: z.string().max(MAX_DETAIL).optional(),
});

export function addRetrainRoutes(app: FastifyInstance, { retrain, read, operate }: RetrainRoutesDeps): void {
  const querystring = {
    type: "object",
    properties: { model: { type: "string", description: "a string, given once" } },
  } as const;
  app.get<{ Querystring: { model?: string } }>(
    "/v1/retrain",
    { onRequest: read, schema: { querystring } },
    async ({ query }) => {
      const found = retrain.status(query.model || undefined);
      if (query.model && found.length === 0)
        throw new HttpError(404, `The model "${query.model}" is not in the file of --retrain.`);
      return found;
    },
  );
  app.post<{ Params: { id: string } }>("/v1/retrain/:id", { onRequest: operate }, async ({ params, body }) => {
    const { success, data, error } = reportBody.safeParse(body);
    if (!success) {
      const [issue] = error.issues;
      const where = issue?.path.length ? `"${issue.path.join(".")}"` : "it";
      throw new HttpError(
        400,
        `The body must be a JSON object { state, version?, detail? }: ${where} ${issue?.message}.`,
      );
    }
    return answer(retrain.report(params.id, data));
  });
  app.post<{ Params: { id: string } }>("/v1/retrain/:id/retry", { onRequest: operate }, ({ params }) =>
    answer(retrain.retry(params.id)),
  );
}

async function answer(change: Promise<Run>): Promise<{ id: string; state: Run["state"] }> {
  const { id, state } = await change.catch((error) => {
    throw error instanceof HttpError ? error : unavailable(error);
  });
  return { id, state };
}
