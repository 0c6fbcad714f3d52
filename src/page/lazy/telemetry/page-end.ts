// Sends what is left when a page ends: code that waits for a response does not run any more then.
//
// No record may be in two requests that can both arrive. So requests that the browser holds for later are cancelled before their
// records are sent another way, and those that the browser has sent already (`activated`) are not sent again. A request keeps its `id`.

import type { ExportRequest } from "./requests.js";
import { contentType, MAX_KEEPALIVE_BYTES, type Transport, type TransportResult } from "./transport.js";
import type { TelemetryOptions } from "./types.js";

interface FetchLaterResult {
  readonly activated: boolean;
}
type FetchLater = (url: string, init: RequestInit & { activateAfter?: number }) => FetchLaterResult;

interface Deferred {
  request: ExportRequest;
  result: FetchLaterResult;
  controller: AbortController;
}

export interface PageEnd {
  /** Whether the browser has `fetchLater`, which sends requests also when the page crashes. */
  readonly canDefer: boolean;
  /** Passes them to `fetchLater`, if `canDefer`: all of them, or none when the browser refuses one. */
  defer(requests: ExportRequest[]): boolean;
  /** Cancels the deferred requests; returns those that were sent meanwhile, and those that were cancelled. */
  recall(): { sent: ExportRequest[]; cancelled: ExportRequest[] };
  /** Sends them at once, without waiting for a response; returns those that could not be sent. */
  leave(requests: ExportRequest[]): ExportRequest[];
}

/** `onResult` is called with the result of a request that `leave` sent, if the page lives on. */
export function createPageEnd(
  transport: Transport,
  { keepalive = "auto", exporter, headers }: TelemetryOptions,
  onResult: (request: ExportRequest, result: TransportResult) => void,
): PageEnd {
  const fetchLater = (globalThis as { fetchLater?: FetchLater }).fetchLater?.bind(globalThis) as FetchLater;
  const canDefer = fetchLater !== undefined && !exporter && keepalive === "auto";
  let deferred: Deferred[] = [];

  const send = (request: ExportRequest) =>
    void transport.send(request, { isLeaving: true }).then((result) => onResult(request, result));

  const recall = () => {
    const sent: ExportRequest[] = [];
    const cancelled: ExportRequest[] = [];
    for (const { request, result, controller } of deferred) {
      if (!result.activated) controller.abort();
      (result.activated ? sent : cancelled).push(request);
    }
    deferred = [];
    return { sent, cancelled };
  };

  return {
    canDefer,
    recall,
    defer(requests) {
      try {
        for (const request of requests) {
          const controller = new AbortController();
          const init = { ...transport.init(request), signal: controller.signal };
          deferred.push({ request, controller, result: fetchLater(transport.urlWithKey(request), init) });
        }
        return true;
      } catch {
        // All deferred requests of the page, other scripts' too, share 64 KiB for an origin.
        recall();
        return false;
      }
    },
    leave(requests) {
      if (exporter) {
        requests.forEach(send);
        return [];
      }
      // Without a network sendBeacon returns true, and the request is lost.
      if (globalThis.navigator?.onLine === false) return requests;
      let bytes = 0;
      return requests.filter((request) => {
        bytes += request.body.length;
        if (bytes > MAX_KEEPALIVE_BYTES) return true;
        if (keepalive === "auto") send(request);
        else if (headers || !sendBeacon(transport, request)) return true;
        // The browser reports no result of a beacon.
        else onResult(request, { kind: "done" });
        return false;
      });
    },
  };
}

/** True when the browser took the request. A beacon has no headers. */
function sendBeacon(transport: Transport, request: ExportRequest): boolean {
  const body = new Blob([request.body], { type: contentType(request) });
  return navigator.sendBeacon?.(transport.urlWithKey(request), body) ?? false;
}
