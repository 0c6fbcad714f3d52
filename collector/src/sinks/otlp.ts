// Passes requests on to an OpenTelemetry Collector as they came.
import { createHash } from "node:crypto";
import { postTo } from "./http.js";
import type { Attempt, Sink } from "./sink.js";

/** `url` is the base, to which `/v1/metrics` and `/v1/logs` are added. */
export function otlpSink(url: string, headers: Record<string, string> = {}): Sink {
  const base = url.replace(/\/+$/, "");
  return {
    name: "otlp",
    // With names, so that another collector of ours counts each once; a beacon becomes two requests, which need one each.
    pack: ({ id, otlp, points, events }) =>
      otlp.map(({ path, body }) => ({
        ...{ path: `${path}?batch=${nameOf(id, path)}`, body: JSON.stringify(body) },
        items: path === "/v1/metrics" ? points.length : events.length,
      })),
    send: ({ path = "", body, items }) =>
      postTo(`${base}${path}`, body, { "content-type": "application/json", ...headers }, (text) =>
        partial(text, items),
      ),
  };
}

function nameOf(id: string, path: string): string {
  return createHash("sha256").update(`${id} ${path}`).digest("hex").slice(0, 32);
}

function partial(text: string, items: number): Attempt {
  try {
    const { rejectedDataPoints, rejectedLogRecords } = JSON.parse(text).partialSuccess;
    return { kind: "done", failed: Math.min(items, Number(rejectedDataPoints ?? rejectedLogRecords ?? 0) || 0) };
  } catch {
    return { kind: "done", failed: 0 };
  }
}
