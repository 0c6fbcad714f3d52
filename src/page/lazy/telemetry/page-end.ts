// Sends what is left when a page ends: nothing that waits for an answer runs any more then.
//
// No record may be in two requests of which both can arrive. So what the browser was handed for later is taken back whole before
// it is sent another way, and what it has sent meanwhile is not: `activated` tells. A request has one `id` for good.

import type { ExportRequest } from "./requests.js";
import { contentType, MAX_KEEPALIVE_BYTES, type Transport, type TransportResult } from "./transport.js";
import type { TelemetryOptions } from "./types.js";

interface Deferred {
  readonly activated: boolean;
}
type FetchLater = (url: string, init: RequestInit & { activateAfter?: number }) => Deferred;

export interface PageEnd {
  /** Whether the browser can be handed requests for later, which it sends also when the page crashes. */
  readonly canDefer: boolean;
  /** Hands them to the browser: all of them or, when it has no room, none. */
  defer(parcels: ExportRequest[]): boolean;
  /** Takes back what was handed over; answers what has gone meanwhile, and what has not. */
  recall(): { gone: ExportRequest[]; back: ExportRequest[] };
  /** Sends them at once, without a wait for any answer; answers those that could not be. */
  leave(parcels: ExportRequest[]): ExportRequest[];
}

/** `onAnswer` hears what came of a request that was sent by `leave`, should the page live on. */
export function createPageEnd(
  post: Transport,
  { keepalive = "auto", exporter }: TelemetryOptions,
  onAnswer: (parcel: ExportRequest, answer: TransportResult) => void,
): PageEnd {
  const fetchLater = (globalThis as { fetchLater?: FetchLater }).fetchLater?.bind(globalThis);
  const canDefer = fetchLater !== undefined && !exporter && keepalive === "auto";
  let deferred: { parcel: ExportRequest; result: Deferred; stop: AbortController }[] = [];

  const recall = () => {
    const gone = deferred.filter(({ result }) => result.activated).map(({ parcel }) => parcel);
    const back = deferred.filter(({ result }) => !result.activated);
    for (const { stop } of back) stop.abort();
    deferred = [];
    return { gone, back: back.map(({ parcel }) => parcel) };
  };

  return {
    canDefer,
    recall,
    defer(parcels) {
      try {
        for (const parcel of parcels) {
          const stop = new AbortController();
          const result = fetchLater?.(post.address(parcel), { ...post.request(parcel), signal: stop.signal });
          if (!result) return false;
          deferred.push({ parcel, result, stop });
        }
        return true;
      } catch {
        // All requests of the page, other scripts' too, share 64 KiB for an origin.
        for (const { stop } of deferred) stop.abort();
        deferred = [];
        return false;
      }
    },
    leave(parcels) {
      if (exporter) {
        for (const parcel of parcels) void post.send(parcel, true).then((answer) => onAnswer(parcel, answer));
        return [];
      }
      // sendBeacon says yes without a network, and loses it.
      if (globalThis.navigator?.onLine === false) return parcels;
      let bytes = 0;
      return parcels.filter((parcel) => {
        bytes += parcel.body.length;
        if (bytes > MAX_KEEPALIVE_BYTES) return true;
        if (keepalive === "auto") {
          void post.send(parcel, true).then((answer) => onAnswer(parcel, answer));
          return false;
        }
        const type = contentType(parcel);
        const isTaken = navigator.sendBeacon?.(post.address(parcel), new Blob([parcel.body], { type })) ?? false;
        // Nothing more is ever heard of it.
        if (isTaken) onAnswer(parcel, { kind: "sent", rejected: 0 });
        return !isTaken;
      });
    },
  };
}
