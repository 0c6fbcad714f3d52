// A server with the collector's routes for channels and decisions, whose decision a test sets.
import { createHash } from "node:crypto";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface RolloutCollector {
  url: string;
  token: string;
  /** The channel's text by model. */
  channels: Map<string, string>;
  /** Newest first, as the collector sends it. */
  history: { release: number; at: number; by: string; why: string; arms: unknown }[];
  /** The body of `GET /v1/rollouts/:model`; a function answers by itself. */
  decision: unknown | ((response: ServerResponse) => void);
  /** Called before each PUT is looked at, as another publisher would act. */
  beforePut?: () => void;
  requests: string[];
  close(): Promise<void>;
}

const etagOf = (text: string) => `"${createHash("sha256").update(text).digest("hex").slice(0, 16)}"`;

export async function startRolloutCollector(): Promise<RolloutCollector> {
  const http = createServer((request, response) => {
    void (async () => {
      let body = "";
      for await (const part of request) body += part;
      collector.requests.push(`${request.method} ${request.url}`);
      const answer = (status: number, text: string, headers = {}) => void response.writeHead(status, headers).end(text);
      const { authorization } = request.headers;
      const isOperator = authorization === `Bearer ${collector.token}`;
      const [, model = "", rest] = /^\/v1\/channels\/([^/]+)(\/history)?$/.exec(request.url ?? "") ?? [];
      if (rest) return isOperator ? answer(200, JSON.stringify(collector.history)) : answer(401, "no token");
      if (request.url?.startsWith("/v1/rollouts/")) {
        if (!isOperator) return answer(401, "no token");
        if (typeof collector.decision === "function") return collector.decision(response);
        return answer(200, JSON.stringify(collector.decision));
      }
      if (request.method === "PUT") {
        if (!isOperator) return answer(401, "no token");
        collector.beforePut?.();
      }
      const there = collector.channels.get(model);
      if (request.method === "PUT") {
        const { "if-match": ifMatch, "if-none-match": ifNone } = request.headers;
        if (ifNone === "*" ? there !== undefined : there === undefined || ifMatch !== etagOf(there))
          return answer(412, "changed");
        collector.channels.set(model, body);
        const [by, why] = ["by", "why"].map((name) => decodeURIComponent(String(request.headers[`x-insitu-${name}`])));
        const { release, arms } = JSON.parse(body);
        collector.history.unshift({ release, at: Date.now(), by: by ?? "", why: why ?? "", arms });
        return answer(204, "", { etag: etagOf(body) });
      }
      return there === undefined ? answer(404, "none") : answer(200, there, { etag: etagOf(there) });
    })();
  });
  await new Promise<void>((done) => http.listen(0, "127.0.0.1", done));
  const collector: RolloutCollector = {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    token: "operator",
    channels: new Map(),
    history: [],
    decision: undefined,
    requests: [],
    close: () =>
      new Promise((done) => {
        http.closeAllConnections();
        http.close(() => done());
      }),
  };
  return collector;
}

const figure = (value: number) => ({ n: 1_000, value, low: value - 0.01, high: value + 0.01 });

/** A decision as the contract describes it. */
export function decisionOf(action: string, reason: string, changes: Record<string, unknown> = {}) {
  return {
    model: "digits",
    at: new Date().toISOString(),
    control: { version: "1.0.0", arm: "stable", n: 9_000 },
    candidate: { version: "1.1.0", arm: "canary", n: 1_000 },
    action,
    reason,
    evidence: [
      {
        metric: "accuracy",
        trusted: true,
        control: figure(0.95),
        candidate: figure(0.96),
        difference: 0.01,
        low: -0.01,
        high: 0.03,
        p: 0.2,
        alpha: 0.05,
        verdict: action === "rollback" ? "worse" : "equivalent",
      },
      { metric: "latency", trusted: false, control: { n: 0 }, candidate: { n: 0 }, p: null, verdict: "unknown" },
    ],
    history: [],
    ...changes,
  };
}
