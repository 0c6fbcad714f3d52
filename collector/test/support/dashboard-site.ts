// A real server with the real dashboard and an invented report, whose answers a test may change.
import Fastify from "fastify";
import { dashboard } from "../../src/dashboard.js";
import type { Report } from "../../src/report-types.js";
import type { Question } from "./dashboard-report.js";
import { noRollouts, type RolloutResponses } from "./dashboard-rollouts.js";

export interface Site {
  url: string;
  /** What was asked, the latest last. */
  asked: Question[];
  answer: (question: Question) => Report;
  rollouts: RolloutResponses;
  /** Null: open. */
  token: string | null;
  /** Answers this instead of a report. */
  failure: { status: number; message: string } | null;
  close(): Promise<void>;
}

export async function startSite(answer: Site["answer"], rollouts = noRollouts()): Promise<Site> {
  const app = Fastify({ forceCloseConnections: true });
  const site: Site = { url: "", asked: [], answer, rollouts, token: null, failure: null, close: () => app.close() };
  app.register(dashboard);
  app.get("/v1/report", async (request, reply) => {
    const query = request.query as Record<string, string>;
    const { model, version, backend } = query;
    const question = {
      from: Number(query.from),
      to: Number(query.to),
      step: Number(query.step),
      model,
      version,
      backend,
    };
    site.asked.push(question);
    if (site.token !== null && request.headers.authorization !== `Bearer ${site.token}`)
      return reply.code(401).send({ code: 16, message: "The read token is missing or wrong." });
    if (site.failure) return reply.code(site.failure.status).send({ code: 14, message: site.failure.message });
    return site.answer(question);
  });
  const routes = {
    "/v1/rollouts/:model": (model: string) => site.rollouts.decisions[model],
    "/v1/channels/:model/history": (model: string) => site.rollouts.changes[model] ?? [],
    "/v1/drift": (model: string) => site.rollouts.drift.filter((one) => one.model === model),
    "/v1/retrain": () => site.rollouts.retrain,
  };
  for (const [path, find] of Object.entries(routes))
    app.get<{ Params: { model?: string }; Querystring: { model?: string } }>(path, async ({ params, query }, reply) => {
      const found = find(params.model ?? query.model ?? "");
      return found ?? reply.code(404).send({ code: 5, message: "Nothing is known of it." });
    });
  site.url = await app.listen({ port: 0, host: "127.0.0.1" });
  return site;
}
