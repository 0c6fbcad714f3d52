// Moves what the recorder has collected to the collector: now, later by the browser, or when the page ends, but never twice.

import type { Accounting } from "./accounting.js";
import type { applyBeforeSend } from "./before-send.js";
import { type ByteBudget, createByteBudget } from "./byte-budget.js";
import { createDelivery } from "./delivery.js";
import { createPageEnd, type PageEnd } from "./page-end.js";
import type { Recorder, RecorderBatch } from "./recorder.js";
import { type ExportRequest, toRequests } from "./requests.js";
import { createResource } from "./resource.js";
import { createTransport } from "./transport.js";
import type { TelemetryOptions } from "./types.js";

export interface Sender {
  /** Sends what was recorded; resolves when it was sent or cannot be sent now. */
  send(): Promise<void>;
  /** Tries again after too many failures; the next `send` sends. */
  resume(): void;
  /** Sends what is in the outbox. */
  sendStored(): void;
  /** Whether `defer` can pass requests to the browser. */
  readonly canDefer: boolean;
  /** Passes what was recorded to the browser for later, in case the page crashes; sends what the browser does not take. */
  defer(): void;
  /** The page is left. `isKept`: it may come back from the back/forward cache. */
  leave(isKept: boolean): void;
  /** Takes back what the browser holds or is sending, and keeps it with what waits; with `isDenied` all of it is dropped. */
  withdraw(isDenied: boolean): void;
  close(): Promise<void>;
}

export interface SenderDeps {
  options: TelemetryOptions;
  storeName: string;
  /** The browser's own. */
  fetch: typeof globalThis.fetch;
  recorder: Recorder;
  accounting: Accounting;
  /** Whether anything may be sent or stored now. */
  maySend(): boolean;
  /** Where the option `beforeSend` is given. */
  applyBeforeSend?: typeof applyBeforeSend;
}

export function createSender(deps: SenderDeps): Sender {
  const { options, storeName, fetch, recorder, accounting } = deps;
  const { drop, settle } = accounting;
  const spend = createByteBudget();
  const transport = createTransport(options, fetch);
  const delivery = createDelivery({ transport, storeName, maySend: deps.maySend, onSettled: settle });
  const pageEnd = createPageEnd(transport, options, (request, result) => {
    if (result.kind === "retry") void delivery.deliver([request]);
    else settle(request, result.dropped);
  });
  const collect = createCollect(deps, spend);
  const deferral = createDeferral(deps, pageEnd, spend);

  const collectAll = () => [...deferral.recall(), ...(collect()?.requests ?? [])];

  /** Passes everything to the browser; returns what it did not take. */
  const deferAll = (): ExportRequest[] => {
    const recalled = deferral.recall();
    const next = collect();
    if (!next || deferral.defer(next)) return recalled;
    return [...recalled, ...next.requests];
  };

  const deliver = (requests: ExportRequest[]): Promise<void> => {
    for (const { body } of requests) spend(body.length);
    return delivery.deliver(requests);
  };
  const deliverAny = (requests: ExportRequest[]) => {
    if (requests.length > 0) void deliver(requests);
  };

  return {
    canDefer: pageEnd.canDefer,
    send: () => deliver(collectAll()),
    resume: delivery.resume,
    sendStored: () => void delivery.deliver([]),
    defer: () => deliverAny(deferAll()),
    leave(isKept) {
      // The browser would hold deferred requests of a page in the back/forward cache until it is gone: hours later, perhaps.
      const requests = isKept ? collectAll() : deferAll();
      deliverAny(requests.length > 0 ? pageEnd.leave(requests) : []);
    },
    withdraw(isDenied) {
      delivery.withdraw(deferral.recall(), isDenied);
      if (isDenied) drop("consent", recorder.clear());
    },
    close: delivery.close,
  };
}

interface Collected {
  batch: RecorderBatch;
  requests: ExportRequest[];
}

/** Packs what was recorded. While the hour has no bytes left, the sums grow and the oldest events are dropped. */
function createCollect({ options, recorder, accounting, applyBeforeSend }: SenderDeps, spend: ByteBudget) {
  const { beforeSend } = options;
  const resource = createResource(options);
  return (): Collected | undefined => {
    const collected = spend(0) ? recorder.collect() : undefined;
    // Both are there, or neither; nothing is sent unseen.
    const batch = collected && beforeSend ? applyBeforeSend?.(collected, beforeSend, accounting.drop) : collected;
    if (!batch) return undefined;
    try {
      const requests = toRequests(batch, resource, options.protocol);
      accounting.track(requests);
      return { batch, requests };
    } catch {
      // What `beforeSend` returned cannot be written.
      accounting.drop("before_send", batch.records);
      return undefined;
    }
  };
}

/** Keeps track of what the browser holds, so that no record is sent twice. */
function createDeferral({ recorder, accounting }: SenderDeps, pageEnd: PageEnd, spend: ByteBudget) {
  let deferred: RecorderBatch | undefined;
  return {
    /** False when the browser did not take it. */
    defer({ batch, requests }: Collected): boolean {
      if (!pageEnd.canDefer || !pageEnd.defer(requests)) return false;
      deferred = batch;
      return true;
    },
    /** Cancels what the browser holds; returns the requests that must be sent another way under the same id. */
    recall(): ExportRequest[] {
      const { sent, cancelled } = pageEnd.recall();
      for (const request of sent) {
        spend(request.body.length);
        accounting.settle(request);
      }
      const batch = deferred;
      deferred = undefined;
      if (sent.length > 0) return cancelled;
      if (batch) {
        accounting.untrack(cancelled);
        recorder.mergeBack(batch);
      }
      return [];
    },
  };
}
