// The page's telemetry: records in, requests to the collector out, within consent and privacy settings.

import { type Accounting, createAccounting } from "./accounting.js";
import type { Exponential } from "./aggregate.js";
import type * as BeforeSendModule from "./before-send.js";
import { INSTRUMENTS } from "./instruments.js";
import { listen } from "./listen.js";
import { createLongTasks } from "./long-tasks.js";
import type * as OtelBridgeModule from "./otel-bridge.js";
import { isPrivate } from "./privacy.js";
import { createRecorder, type Recorder } from "./recorder.js";
import type { TelemetryRecord } from "./records.js";
import { createSender } from "./sender.js";
import { createTimer } from "./timer.js";
import type { TelemetryConsent, TelemetryOptions, TelemetryStats } from "./types.js";

/** None of its methods throws or blocks. */
export interface Telemetry {
  record(record: TelemetryRecord): void;
  setConsent(consent: TelemetryConsent): void;
  flush(): Promise<void>;
  stats(): TelemetryStats;
  close(): Promise<void>;
}

const FLUSH_MS = 30_000;
// The first flush comes earlier by a random part of the interval, so that pages that were opened by one event do not all report at once.
const MAX_JITTER = 0.5;
// New records are passed to the browser at most this often.
const DEFER_MS = 1_000;

/** What only some pages ask for, in files of their own. */
export interface TelemetryExtras {
  /** Where the option `histogram` asks for it. */
  exponential?: Exponential;
  /** Where the option `otel` is given. */
  otel?: typeof OtelBridgeModule;
  /** Where the option `beforeSend` is given. */
  screening?: typeof BeforeSendModule;
}

/** `fetch` is the browser's own. */
export function createTelemetry(
  options: TelemetryOptions,
  storeName: string,
  fetch: typeof globalThis.fetch,
  extras: TelemetryExtras = {},
): Telemetry {
  const permission = createPermission(options);
  const { maySend } = permission;
  let isClosed = false;
  let jitter = Math.random() * MAX_JITTER;

  const recording = createRecording(options, maySend, extras);
  const { accounting, recorder } = recording;
  const sender = createSender({ options, storeName, fetch, recorder, accounting, maySend, ...extras.screening });
  const flush = async (): Promise<void> => {
    flushTimer.cancel();
    jitter = 0;
    if (maySend()) await sender.send();
  };
  const flushTimer = createTimer(flush);
  const flushSoon = () => flushTimer.start((options.flushInterval ?? FLUSH_MS) * (1 - jitter));
  // Passes new records to the browser, in case the page crashes.
  const deferTimer = createTimer(() => maySend() && sender.defer());
  const removeListeners = onPageEnd((isKept) => maySend() && sender.leave(isKept));
  // What earlier pages could not send.
  if (maySend()) sender.sendStored();

  return {
    record(record) {
      recording.record(record, permission.refusal());
      if (!maySend() || isClosed) return;
      if (recorder.isFull()) void flush();
      else {
        flushSoon();
        if (sender.canDefer) deferTimer.start(DEFER_MS);
      }
    },
    setConsent(next) {
      permission.setConsent(next);
      if (next !== "granted") sender.withdraw(next === "denied");
      else if (maySend()) {
        flushSoon();
        sender.sendStored();
      }
    },
    flush() {
      sender.resume();
      return flush();
    },
    stats: accounting.stats,
    async close() {
      removeListeners();
      isClosed = true;
      recording.close();
      deferTimer.cancel();
      await flush();
      await sender.close();
    },
  };
}

/** Why a record is dropped; false where it is kept. */
type Refusal = "privacy" | "consent" | false;

/** The visitor's consent, and the browser's privacy signal. */
function createPermission(options: TelemetryOptions) {
  const isOff = isPrivate() && options.globalPrivacyControl === "off";
  let consent: TelemetryConsent = options.consent ?? "granted";
  return {
    maySend: () => consent === "granted" && !isOff,
    refusal: (): Refusal => (isOff ? "privacy" : consent === "denied" && "consent"),
    setConsent(next: TelemetryConsent) {
      consent = next;
    },
  };
}

interface Recording {
  accounting: Accounting;
  recorder: Recorder;
  /** Records it, and the long tasks that ran during a prediction; counts what it became. With a refusal it is counted as dropped. */
  record(record: TelemetryRecord, refusal: Refusal): void;
  close(): void;
}

function createRecording(
  options: TelemetryOptions,
  maySend: () => boolean,
  { exponential, otel }: TelemetryExtras,
): Recording {
  const accounting = createAccounting((signal, reason, count) => recorder.dropped(signal, reason, count));
  const recorder = createRecorder({
    ...options,
    exponential,
    epsilon: options.privacy?.epsilon,
    sumsOnly: isPrivate(),
    bridge: options.otel && otel?.createOtelBridge(options.otel, maySend, INSTRUMENTS),
    onDrop(signal, reason) {
      // A figure that is not finite is not part of what `record` returns.
      if (reason === "non_finite") accounting.recorded(1);
      accounting.drop(reason, { [signal]: 1 });
    },
  });
  const longTasks = createLongTasks();
  return {
    accounting,
    recorder,
    record(record, refusal) {
      accounting.recorded(refusal ? 1 : recorder.record(record));
      if (refusal) accounting.drop(refusal, { metrics: 1 });
      if (refusal || record.kind !== "predicted") return;
      for (const durationMs of longTasks.during(record.timings.totalMs))
        accounting.recorded(recorder.record({ kind: "longTask", durationMs, model: record.model.name }));
    },
    close: longTasks.close,
  };
}

/** Calls back when the page is hidden or left; `isKept` when it may come back from the back/forward cache. Returns how to stop. */
function onPageEnd(callback: (isKept: boolean) => void): () => void {
  const stopHidden = listen(globalThis.document, "visibilitychange", () => {
    if (document.visibilityState === "hidden") callback(false);
  });
  const stopLeft = listen<PageTransitionEvent>(globalThis, "pagehide", ({ persisted }) => callback(persisted));
  return () => {
    stopHidden();
    stopLeft();
  };
}
