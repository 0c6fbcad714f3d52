// A model's monitor on the page: feedback in, accuracy out; its logic is imported with the first model.

import { InsituError } from "../shared/errors.js";
import type { ModelInfo } from "../shared/types/model.js";
import type { RetrainEvent } from "../shared/types/personal.js";
import type * as driftModule from "./lazy/drift/drift.js";
import type { DegradedEvent, DriftEvent, MonitorLimits } from "./lazy/drift/types.js";
import type * as monitorModule from "./lazy/monitor/monitor.js";
import type { Monitor } from "./lazy/monitor/monitor.js";
import type { Feedback, FeedbackResult, MonitorSnapshot } from "./lazy/monitor/types.js";
import type { TelemetryRecord } from "./lazy/telemetry/records.js";
import { loadChunk } from "./lib/load-chunk.js";
import type { TelemetryHandle } from "./telemetry.js";

export type MonitorModule = typeof monitorModule;

/** The monitor's modules; without them the reason, unless the option `monitor` switched it off. */
export interface Monitoring {
  readonly module?: MonitorModule;
  readonly drift?: typeof driftModule;
  readonly cause?: unknown;
}

/** Never rejects: a model runs without its monitor. */
export async function importMonitor(isEnabled: boolean): Promise<Monitoring> {
  try {
    if (!isEnabled) return {};
    const chunks = Promise.all([import("./lazy/monitor/monitor.js"), import("./lazy/drift/drift.js")]);
    const [module, drift] = await loadChunk(chunks);
    return { module, drift };
  } catch (cause) {
    return { cause };
  }
}

/** The error of a call that needs the module: `disabled` or `network`. */
export function monitorUnavailable({ cause }: Monitoring): InsituError {
  return cause === undefined
    ? new InsituError("disabled", "Feedback was not recorded: the client was created with `monitor: false`.")
    : new InsituError(
        "network",
        "Feedback was not recorded: the monitor could not be fetched. Load the model again.",
        {},
        { cause },
      );
}

/** What `model.monitor` tells, by the type of the event. */
export interface MonitorEvents {
  retrain: RetrainEvent;
  drift: DriftEvent;
  degraded: DegradedEvent;
}

/**
 * How accurate a model is in this browser, by the feedback that the page gives. Predictions and truths stay in this browser; inputs are
 * not kept.
 */
export interface ModelMonitor {
  /**
   * Accuracy and calibration of at most the last 1,000 predictions of the last 7 days, for each version.
   *
   * @example
   * ```ts
   * const [current] = model.monitor.snapshot().versions;
   * if (current?.enough) console.log(current.accuracy, current.interval);
   * ```
   */
  snapshot(): MonitorSnapshot;
  /**
   * Listens for
   * - `retrain`: a trigger of one of the model's personal models fired, or the state of its training changed;
   * - `drift`: confidences or errors have changed, in this browser;
   * - `degraded`: the model is less accurate than it should be.
   *
   * `detail` says what, why and since when. Each change is told once.
   *
   * @example
   * ```ts
   * model.monitor.addEventListener("retrain", ({ detail }) => console.log(detail.personal, detail.trigger));
   * model.monitor.addEventListener("drift", ({ detail }) => console.log(detail.target, detail.before, detail.after));
   * model.monitor.addEventListener("degraded", ({ detail }) => console.log(detail.accuracy, detail.interval, detail.limit));
   * ```
   */
  addEventListener<T extends keyof MonitorEvents>(
    type: T,
    listener: (event: CustomEvent<MonitorEvents[T]>) => void,
  ): void;
  /** Removes a listener that `addEventListener` added. */
  removeEventListener<T extends keyof MonitorEvents>(
    type: T,
    listener: (event: CustomEvent<MonitorEvents[T]>) => void,
  ): void;
  /** Deletes the model's predictions and truths in this browser. */
  clear(): Promise<void>;
}

export interface MonitorHandle {
  readonly monitor: ModelMonitor;
  /** Whether the worker should summarise the input of the next prediction. */
  wantsInput(): boolean;
  predicted(outcome: Parameters<Monitor["predicted"]>[0], summaries?: Record<string, number[]>): void;
  /** A trigger fired, or the state of what it started changed. */
  retrain(event: RetrainEvent): void;
  feedback(id: string, feedback: Feedback): Promise<FeedbackResult>;
  close(): Promise<void>;
}

const MAX_RETRAIN_EVENTS = 50;

export function createMonitorHandle(
  monitoring: Monitoring,
  info: ModelInfo,
  storeName: string,
  telemetry: TelemetryHandle,
  limits?: MonitorLimits,
): MonitorHandle {
  const events = new EventTarget();
  /** By time and personal model: a later state of an event replaces the earlier one. */
  const retrainEvents = new Map<string, RetrainEvent>();
  const monitor = monitoring.module?.createMonitor(info.name, storeName);
  const emit = (type: keyof MonitorEvents, detail: unknown) => events.dispatchEvent(new CustomEvent(type, { detail }));
  const { record } = telemetry;
  const report = () => monitor?.snapshot().versions ?? [];
  const drift = monitoring.drift?.createDrift({ info, storeName, limits, record, report, emit });
  const both = (feedback: TelemetryRecord) => {
    drift?.labelled(feedback);
    record(feedback);
  };
  return {
    monitor: {
      snapshot: () => ({
        ...(monitor?.snapshot() ?? { model: info.name, versions: [], unmatched: 0, corrected: 0 }),
        ...(drift?.snapshot() ?? { drift: [], inputs: [] }),
        retrain: [...retrainEvents.values()],
      }),
      addEventListener: (type, listener) => events.addEventListener(type, listener as EventListener),
      removeEventListener: (type, listener) => events.removeEventListener(type, listener as EventListener),
      clear: async () => void (await Promise.all([monitor?.clear(), drift?.clear()])),
    },
    retrain(event) {
      retrainEvents.set(event.firedAt + event.personal, event);
      if (retrainEvents.size > MAX_RETRAIN_EVENTS) retrainEvents.delete(retrainEvents.keys().next().value as string);
      emit("retrain", event);
    },
    wantsInput: () => drift?.wantsInput() ?? false,
    predicted(outcome, summaries) {
      monitor?.predicted(outcome);
      drift?.predicted(outcome, summaries);
    },
    async feedback(id, feedback) {
      if (!monitoring.module || !monitor) throw monitorUnavailable(monitoring);
      return monitoring.module.recordFeedback(monitor, info, { record: both }, id, feedback);
    },
    close: async () => void (await Promise.all([monitor?.close(), drift?.close()])),
  };
}
