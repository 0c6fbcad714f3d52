// Sends one request to the collector, and reads from the response what became of its records.

import { retryAfterOf } from "../../../shared/retry-after.js";
import { withTimeout } from "../../lib/with-timeout.js";
import type { DroppedRecords } from "./accounting.js";
import type { ExportRequest } from "./requests.js";
import type { TelemetryOptions } from "./types.js";

export type TransportResult =
  /** Final: the request must not be sent again. `dropped`: the records that the collector refused. */
  | { kind: "done"; dropped?: DroppedRecords }
  /** `after`: milliseconds that the collector asked for. `atOnce`: the request never left the page. */
  | { kind: "retry"; after?: number; atOnce?: boolean };

export interface SendOptions {
  /** The request must leave synchronously, since the page is ending. */
  isLeaving?: boolean;
  /** Ends the request when it aborts; the result is `retry`. */
  signal?: AbortSignal;
}

export interface Transport {
  /** Never rejects, and never hangs: after ten seconds the result is `retry`. */
  send(request: ExportRequest, options?: SendOptions): Promise<TransportResult>;
  /** The URL with the write key in it, for APIs that cannot set headers. */
  urlWithKey(request: ExportRequest): string;
  /** The options of `fetch`, for APIs that take the same. */
  init(request: ExportRequest): RequestInit;
}

/** A custom header would cost the beacon a preflight. */
const isBeacon = ({ path }: ExportRequest) => path === "/v1/beacon";
export const contentType = (request: ExportRequest) => (isBeacon(request) ? "text/plain" : "application/json");

// A collector that does not respond costs nothing but this.
const LIMITS = { timeout: 10_000, what: "" };
// A smaller body fits two network packets without compression.
const MIN_GZIP_BYTES = 4 * 1024;
// Browsers allow 64 KiB of keepalive requests in flight, for the whole page together.
export const MAX_KEEPALIVE_BYTES = 60_000;
// A larger response is not read to its end.
const MAX_RESPONSE_BYTES = 64 * 1024;
// An extension blocks at once; a network takes longer to fail than this.
const BLOCKED_MS = 50;
// OTLP/HTTP: requests with these responses may be sent again, all others must not.
const RETRYABLE_STATUS = [429, 502, 503, 504];

const REFUSED: TransportResult = { kind: "done", dropped: { reason: "rejected" } };

/** `fetch` is the browser's own. */
export function createTransport(options: TelemetryOptions, fetch: typeof globalThis.fetch): Transport {
  const { endpoint = "", headers, writeKey, exporter, keepalive = "auto" } = options;
  const [base, query] = endpoint.split("?");
  const url = ({ path, id }: ExportRequest) => `${base}${path}?batch=${id}${query ? `&${query}` : ""}`;
  const urlWithKey = (request: ExportRequest) =>
    url(request) + (writeKey ? `&key=${encodeURIComponent(writeKey)}` : "");
  const init = (request: ExportRequest) => ({
    method: "POST",
    body: request.body as string | Blob,
    credentials: "omit" as const,
    // The default would send the page's whole URL to its own origin; "no-referrer" would make the Origin header null there.
    referrerPolicy: "origin" as const,
    headers: {
      ...headers,
      "content-type": contentType(request),
      ...(writeKey && !isBeacon(request) && { "x-insitu-key": writeKey }),
    } as Record<string, string>,
    // The write key must not go along to another address, nor the records to another host than the one that was configured.
    redirect: "error" as const,
    // So that the request goes on when the page is left.
    keepalive: keepalive === "auto" && request.body.length <= MAX_KEEPALIVE_BYTES,
  });

  const sendByFetch = async (request: ExportRequest, { isLeaving, signal }: SendOptions): Promise<TransportResult> => {
    const options = init(request);
    const { body } = request;
    const zipped = !isLeaving && !isBeacon(request) && body.length > MIN_GZIP_BYTES ? await gzip(body) : undefined;
    if (zipped) {
      options.body = zipped;
      options.headers["content-encoding"] = "gzip";
    }
    return fetchResult(fetch, isBeacon(request) ? urlWithKey(request) : url(request), options, signal);
  };

  return {
    urlWithKey,
    init,
    send: (request, options = {}) =>
      exporter ? sendByExporter(exporter, request, options.signal) : sendByFetch(request, options),
  };
}

async function fetchResult(
  fetch: typeof globalThis.fetch,
  url: string,
  init: RequestInit,
  outer?: AbortSignal,
): Promise<TransportResult> {
  const startedAt = performance.now();
  try {
    return await withTimeout({ ...LIMITS, signal: outer }, async (signal) => {
      const response = await fetch(url, { ...init, signal });
      // Read, so that the connection is free again.
      const text = await readStart(response);
      if (response.ok) return { kind: "done", dropped: rejectedIn(text) };
      if (!RETRYABLE_STATUS.includes(response.status)) return REFUSED;
      return { kind: "retry", after: retryAfterOf(response.headers.get("retry-after"), Date.now()) };
    });
  } catch {
    return { kind: "retry", atOnce: performance.now() - startedAt < BLOCKED_MS };
  }
}

/** The page's function may fail, throw or never settle. */
async function sendByExporter(
  exporter: NonNullable<TelemetryOptions["exporter"]>,
  { id, path, body }: ExportRequest,
  signal?: AbortSignal,
): Promise<TransportResult> {
  try {
    const result = await withTimeout({ ...LIMITS, signal }, async () => exporter({ id, path, body }));
    return result === "drop" ? REFUSED : { kind: result === "sent" ? "done" : "retry" };
  } catch {
    return { kind: "retry" };
  }
}

async function gzip(text: string): Promise<Blob | undefined> {
  if (typeof CompressionStream === "undefined") return undefined;
  return new Response(new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"))).blob();
}

async function readStart(response: Response): Promise<string> {
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
    text += decoder.decode(read.value, { stream: true });
    if (text.length > MAX_RESPONSE_BYTES) {
      await reader?.cancel();
      break;
    }
  }
  return text;
}

/** OTLP's partial success is final: what was rejected must not be sent again. */
function rejectedIn(text: string): DroppedRecords | undefined {
  try {
    const { rejectedDataPoints, rejectedLogRecords } = JSON.parse(text).partialSuccess;
    const count = Number(rejectedDataPoints ?? 0) + Number(rejectedLogRecords ?? 0);
    if (count > 0) return { reason: "partial", count };
  } catch {
    // The response is not OTLP's: nothing was rejected.
  }
  return undefined;
}
