// One request to the collector, and what its answer means for the records in it.
import { retryAfterOf } from "../../../shared/retry-after.js";
import type { ExportRequest } from "./requests.js";
import type { TelemetryOptions } from "./types.js";

export type TransportResult =
  /** `rejected` records of it the collector did not take, and never will. */
  | { kind: "sent"; rejected: number }
  /** `after`: milliseconds that the collector asked for. `atOnce`: no request left the page. */
  | { kind: "retry"; after?: number; atOnce?: boolean }
  | { kind: "refused" };

export interface Transport {
  /** Never rejects. At once: nothing is waited for before the request leaves, since the page is ending. */
  send(parcel: ExportRequest, atOnce?: boolean): Promise<TransportResult>;
  /** With the key in it, for whoever can set no header. */
  address(parcel: ExportRequest): string;
  /** The request as it is, for whoever sends it otherwise. */
  request(parcel: ExportRequest): RequestInit;
}

export const contentType = ({ path }: ExportRequest) => (path === "/v1/beacon" ? "text/plain" : "application/json");

// A collector that hangs costs nothing but this.
const SEND_MS = 10_000;
// What is smaller fits two packets anyway.
const GZIP_FROM_BYTES = 4 * 1024;
// Browsers let 64 KiB of requests that outlive their page be under way, all of the page's together.
export const MAX_KEEPALIVE_BYTES = 60_000;
// An answer that says more is not read.
const MAX_ANSWER_BYTES = 64 * 1024;
// An extension blocks at once; a network takes longer to fail than this.
const BLOCKED_MS = 50;
// OTLP/HTTP: these answers may be tried again, all others never.
const RETRY = new Set([429, 502, 503, 504]);

/** `fetch` is the browser's own. */
export function createTransport(options: TelemetryOptions, fetch: typeof globalThis.fetch): Transport {
  const { endpoint = "", writeKey, exporter, keepalive = "auto" } = options;
  const base = endpoint.replace(/\/+$/, "");
  const url = ({ path, id }: ExportRequest) => `${base}${path}?batch=${id}`;
  const address = (parcel: ExportRequest) => url(parcel) + (writeKey ? `&key=${encodeURIComponent(writeKey)}` : "");
  // Any header of our own would cost the beacon a preflight.
  const hasHeaders = (parcel: ExportRequest) => parcel.path !== "/v1/beacon";
  const request = (parcel: ExportRequest) => ({
    ...{ method: "POST", body: parcel.body as string | Blob, credentials: "omit" as const },
    // To its own origin a browser would tell the page's whole address. "no-referrer" would make the Origin null there.
    referrerPolicy: "origin" as const,
    headers: {
      "content-type": contentType(parcel),
      ...(writeKey && hasHeaders(parcel) && { "x-insitu-key": writeKey }),
    } as Record<string, string>,
    // So that leaving the page does not break it off.
    keepalive: keepalive === "auto" && parcel.body.length <= MAX_KEEPALIVE_BYTES,
  });

  const fetched = async (parcel: ExportRequest, atOnce: boolean): Promise<TransportResult> => {
    const init = request(parcel);
    const { body } = parcel;
    const zipped = !atOnce && hasHeaders(parcel) && body.length > GZIP_FROM_BYTES ? await gzip(body) : undefined;
    if (zipped) {
      init.body = zipped;
      init.headers["content-encoding"] = "gzip";
    }
    const started = performance.now();
    const giveUp = new AbortController();
    const timer = setTimeout(() => giveUp.abort(), SEND_MS);
    try {
      const to = hasHeaders(parcel) ? url(parcel) : address(parcel);
      const response = await fetch(to, { ...init, signal: giveUp.signal });
      // Read, so that the connection is free again.
      const text = await firstOf(response);
      if (response.ok) return { kind: "sent", rejected: rejectedIn(text) };
      if (!RETRY.has(response.status)) return { kind: "refused" };
      return { kind: "retry", after: retryAfterOf(response.headers.get("retry-after"), Date.now()) || undefined };
    } catch {
      return { kind: "retry", atOnce: performance.now() - started < BLOCKED_MS };
    } finally {
      clearTimeout(timer);
    }
  };

  return {
    address,
    request,
    async send(parcel, atOnce = false) {
      if (!exporter) return fetched(parcel, atOnce);
      try {
        const { id, path, body } = parcel;
        const answer = await exporter({ id, path, body });
        if (answer === "sent") return { kind: "sent", rejected: 0 };
        return { kind: answer === "drop" ? "refused" : "retry" };
      } catch {
        return { kind: "retry" };
      }
    },
  };
}

async function gzip(text: string): Promise<Blob | undefined> {
  if (typeof CompressionStream === "undefined") return undefined;
  return new Response(new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"))).blob();
}

async function firstOf(response: Response): Promise<string> {
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
    text += decoder.decode(read.value, { stream: true });
    if (text.length > MAX_ANSWER_BYTES) {
      await reader?.cancel();
      break;
    }
  }
  return text;
}

/** OTLP's partial success: final, the rejected must not be sent again. */
function rejectedIn(text: string): number {
  try {
    const { rejectedDataPoints, rejectedLogRecords } = JSON.parse(text).partialSuccess;
    return Math.max(0, Number(rejectedDataPoints ?? 0) + Number(rejectedLogRecords ?? 0)) || 0;
  } catch {
    return 0;
  }
}
