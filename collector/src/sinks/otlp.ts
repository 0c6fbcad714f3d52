// Passes requests on to an OpenTelemetry Collector unchanged.
import { createHash } from "node:crypto";
import { postTo } from "./http.js";
import type { SendResult, Sink } from "./sink.js";

/** `url` is the base, to which `/v1/metrics` and `/v1/logs` are added. */
export function otlpSink(url: string, headers: Record<string, string> = {}): Sink {
  const base = url.replace(/\/+$/, "");
  return {
    name: "otlp",
    // With ids, so that another collector of ours counts each once; a beacon becomes two requests, which need one each.
    pack: ({ id, otlp, points, events }) =>
      otlp.map(({ path, body }) => ({
        path: `${path}?batch=${idOf(id, path)}`,
        body: JSON.stringify(body),
        items: path === "/v1/metrics" ? points.length : events.length,
      })),
    send: ({ path = "", body, items }, signal) =>
      postTo(`${base}${path}`, body, { headers: { "content-type": "application/json", ...headers }, signal }, (text) =>
        readPartialSuccess(text, items),
      ),
  };
}

function idOf(id: string, path: string): string {
  return createHash("sha256").update(`${id} ${path}`).digest("hex").slice(0, 32);
}

function readPartialSuccess(text: string, items: number): SendResult {
  try {
    const { rejectedDataPoints, rejectedLogRecords } = JSON.parse(text).partialSuccess;
    return { kind: "done", failed: Math.min(items, Number(rejectedDataPoints ?? rejectedLogRecords ?? 0) || 0) };
  } catch {
    return { kind: "done", failed: 0 };
  }
}
