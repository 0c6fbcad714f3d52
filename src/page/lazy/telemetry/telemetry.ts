// What the page reports of itself: records in, requests out, and books of what became of each record.

import { createAccounting } from "./accounting.js";
import { createDelivery, droppedRecordsOf } from "./delivery.js";
import { createLongTasks } from "./long-tasks.js";
import { createOtelBridge } from "./otel-bridge.js";
import { createPageEnd } from "./page-end.js";
import { isPrivate } from "./privacy.js";
import { createRecorder, type RecorderBatch } from "./recorder.js";
import type { TelemetryRecord } from "./records.js";
import { type ExportRequest, toRequests } from "./requests.js";
import { createResource } from "./resource.js";
import { createTransport, type TransportResult } from "./transport.js";
import type { TelemetryBatch, TelemetryConsent, TelemetryOptions, TelemetryStats } from "./types.js";

/** Never throws, never blocks, and carries figures and names of models only. */
export interface Telemetry {
  record(record: TelemetryRecord): void;
  setConsent(consent: TelemetryConsent): void;
  flush(): Promise<void>;
  stats(): TelemetryStats;
  close(): Promise<void>;
}

const FLUSH_MS = 30_000;
// So that the pages that were opened by one event do not all report in one moment.
const FIRST_FLUSH_JITTER = 0.5;
// New records are handed to the browser, for the case that the page crashes, at most this often.
const DEFER_MS = 1_000;
// What a page may send in an hour; a loop gone wild must not cost a visitor his data plan.
const HOUR_MS = 3600 * 1000;
const BYTES_AN_HOUR = 1024 * 1024;

/** `fetch` is the browser's own. */
export function createTelemetry(
  options: TelemetryOptions,
  storeName: string,
  fetch: typeof globalThis.fetch,
): Telemetry {
  const { flushInterval = FLUSH_MS, beforeSend, protocol, otel } = options;
  const isOff = isPrivate() && options.globalPrivacyControl === "off";
  const resource = createResource(options);
  let consent: TelemetryConsent = options.consent ?? "granted";
  let timer: ReturnType<typeof setTimeout> | undefined;
  let deferTimer: ReturnType<typeof setTimeout> | undefined;
  let allowance = BYTES_AN_HOUR;
  let allowedAt = performance.now();
  /** What the browser was handed for later. */
  let handed: RecorderBatch | undefined;
  let isFirst = true;
  let isClosed = false;

  const maySend = () => consent === "granted" && !isOff;
  const books = createAccounting((signal, reason, count) => recorder.dropped(signal, reason, count));
  const { drop, closed } = books;
  const recorder = createRecorder({
    ...options,
    epsilon: options.privacy?.epsilon,
    sumsOnly: isPrivate(),
    bridge: otel && createOtelBridge(otel),
    onDrop(signal, reason) {
      // One figure of a record, where the others count.
      if (reason === "non_finite") books.recorded(1);
      drop(signal, reason, 1);
    },
  });

  const onAnswer = (parcel: ExportRequest, answer: TransportResult) => {
    if (answer.kind === "retry") void delivery.deliver([parcel]);
    else closed(parcel, droppedRecordsOf(answer));
  };
  const post = createTransport(options, fetch);
  const delivery = createDelivery({ post, storeName, onEnd: closed });
  const pageEnd = createPageEnd(post, options, onAnswer);

  /** What the hour has left. */
  const mayCut = (): boolean => {
    const now = performance.now();
    allowance = Math.min(BYTES_AN_HOUR, allowance + ((now - allowedAt) / HOUR_MS) * BYTES_AN_HOUR);
    allowedAt = now;
    return allowance > 0;
  };
  const spend = (parcels: ExportRequest[]) => {
    for (const { body } of parcels) allowance -= body.length;
  };

  /** What was recorded, as requests. While the hour has no bytes left the sums grow, and the oldest events go. */
  const cut = (): { cut: RecorderBatch; parcels: ExportRequest[] } | undefined => {
    const taken = mayCut() ? recorder.collect() : undefined;
    const given = taken && approved(taken);
    if (!given) return undefined;
    const parcels = toRequests(given, resource, protocol);
    books.opened(parcels);
    return { cut: given, parcels };
  };

  const approved = (taken: RecorderBatch): RecorderBatch | undefined => {
    if (!beforeSend) return taken;
    try {
      const batch = beforeSend(structuredClone(taken.batch));
      if (batch) return withoutRemoved(taken, batch);
    } catch {
      // As if it had said no: nobody knows what it would have taken out.
    }
    drop("metrics", "before_send", taken.records.metrics);
    drop("events", "before_send", taken.records.events);
    return undefined;
  };

  /** What the page took out is dropped; the report on drops is no record. */
  const withoutRemoved = ({ batch: before, records }: RecorderBatch, batch: TelemetryBatch): RecorderBatch => {
    const events = Math.min(records.events, Math.max(0, before.events.length - batch.events.length));
    const metrics = batch.metrics.length === 0 ? records.metrics : 0;
    drop("metrics", "before_send", metrics);
    drop("events", "before_send", events);
    return { batch, records: { metrics: records.metrics - metrics, events: records.events - events } };
  };

  /** Nothing is with the browser any more; answers what must go another way under the name that it has. */
  const recall = (): ExportRequest[] => {
    const { gone, back } = pageEnd.recall();
    spend(gone);
    for (const parcel of gone) closed(parcel);
    if (gone.length === 0 && handed) {
      books.recalled(back);
      recorder.mergeBack(handed);
    }
    handed = undefined;
    return gone.length > 0 ? back : [];
  };

  /** Hands all to the browser; answers what it would not take. */
  const defer = (): ExportRequest[] => {
    const left = recall();
    const next = cut();
    if (!next) return left;
    if (pageEnd.canDefer && pageEnd.defer(next.parcels)) {
      handed = next.cut;
      return left;
    }
    return [...left, ...next.parcels];
  };

  const deferSoon = () => {
    if (!pageEnd.canDefer) return;
    deferTimer ??= setTimeout(() => {
      deferTimer = undefined;
      const left = maySend() ? defer() : [];
      if (left.length > 0) void deliver(left);
    }, DEFER_MS);
  };

  const deliver = (parcels: ExportRequest[]): Promise<void> => {
    spend(parcels);
    return delivery.deliver(parcels);
  };

  const flushSoon = () => {
    const jitter = isFirst ? FIRST_FLUSH_JITTER + Math.random() * (1 - FIRST_FLUSH_JITTER) : 1;
    timer ??= setTimeout(() => void flush(), flushInterval * jitter);
  };

  const flush = async (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    isFirst = false;
    if (!maySend()) return;
    const left = recall();
    await deliver([...left, ...(cut()?.parcels ?? [])]);
  };

  const onLeave = (event?: PageTransitionEvent) => {
    if (!maySend()) return;
    // A page that is kept for "back" keeps what the browser was handed, too, until it goes for good: hours later, perhaps.
    const left = event?.persisted ? [...recall(), ...(cut()?.parcels ?? [])] : defer();
    const stuck = left.length > 0 ? pageEnd.leave(left) : [];
    if (stuck.length > 0) void deliver(stuck);
  };
  const onHide = () => {
    if (document.visibilityState === "hidden") onLeave();
  };
  globalThis.document?.addEventListener("visibilitychange", onHide);
  globalThis.addEventListener?.("pagehide", onLeave);
  // What earlier pages could not send.
  if (maySend()) void delivery.deliver([]);

  const forget = () => {
    const back = recall();
    for (const parcel of back) closed(parcel, { reason: "consent" });
    const { metrics, events } = recorder.clear();
    drop("metrics", "consent", metrics);
    drop("events", "consent", events);
    void delivery.clear();
  };

  const longTasks = createLongTasks();

  return {
    record(record) {
      if (isOff || consent === "denied") {
        books.recorded(1);
        drop("metrics", isOff ? "privacy" : "consent", 1);
        return;
      }
      books.recorded(recorder.record(record));
      if (record.kind === "predicted")
        for (const milliseconds of longTasks.during(record.timings.totalMs))
          books.recorded(recorder.record({ kind: "longTask", milliseconds, model: record.model.name }));
      if (!maySend() || isClosed) return;
      if (recorder.isFull()) void flush();
      else {
        flushSoon();
        deferSoon();
      }
    },
    setConsent(next) {
      consent = next;
      if (next === "denied") forget();
      else if (next === "granted") {
        if (!maySend()) return;
        flushSoon();
        void delivery.deliver([]);
      }
    },
    flush,
    stats: books.stats,
    async close() {
      globalThis.document?.removeEventListener("visibilitychange", onHide);
      globalThis.removeEventListener?.("pagehide", onLeave);
      isClosed = true;
      longTasks.close();
      clearTimeout(deferTimer);
      await flush();
      await delivery.close();
    },
  };
}
