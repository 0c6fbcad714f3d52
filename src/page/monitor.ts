// A model's monitor on the page: feedback in, accuracy out; its logic is imported with the first model.

import { InsituError } from "../shared/errors.js";
import type { ModelInfo } from "../shared/types/model.js";
import type { RetrainEvent } from "../shared/types/personal.js";
import type * as monitorModule from "./lazy/monitor/monitor.js";
import type { Monitor } from "./lazy/monitor/monitor.js";
import type { Feedback, FeedbackResult, MonitorSnapshot } from "./lazy/monitor/types.js";
import { loadChunk } from "./lib/load-chunk.js";
import type { TelemetryHandle } from "./telemetry.js";

export type MonitorModule = typeof monitorModule;

/** The monitor's module; without one the reason, unless the option `monitor` switched it off. */
export interface Monitoring {
  readonly module?: MonitorModule;
  readonly cause?: unknown;
}

/** Never rejects: a model runs without its monitor. */
export async function importMonitor(isEnabled: boolean): Promise<Monitoring> {
  try {
    return isEnabled ? { module: await loadChunk(import("./lazy/monitor/monitor.js")) } : {};
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
   * Listens for `retrain`: a trigger of one of the model's personal models fired, or the state of its training changed; `detail` says which
   * and why.
   *
   * @example
   * ```ts
   * model.monitor.addEventListener("retrain", ({ detail }) => console.log(detail.personal, detail.trigger));
   * ```
   */
  addEventListener(type: "retrain", listener: (event: CustomEvent<RetrainEvent>) => void): void;
  /** Removes a listener that `addEventListener` added. */
  removeEventListener(type: "retrain", listener: (event: CustomEvent<RetrainEvent>) => void): void;
  /** Deletes the model's predictions and truths in this browser. */
  clear(): Promise<void>;
}

export interface MonitorHandle {
  readonly monitor: ModelMonitor;
  predicted: Monitor["predicted"];
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
): MonitorHandle {
  const events = new EventTarget();
  /** By time and personal model: a later state of an event replaces the earlier one. */
  const retrainEvents = new Map<string, RetrainEvent>();
  const monitor = monitoring.module?.createMonitor(info.name, storeName);
  return {
    monitor: {
      snapshot: () => ({
        ...(monitor?.snapshot() ?? { model: info.name, versions: [], unmatched: 0, corrected: 0 }),
        retrain: [...retrainEvents.values()],
      }),
      addEventListener: (type, listener) => events.addEventListener(type, listener as EventListener),
      removeEventListener: (type, listener) => events.removeEventListener(type, listener as EventListener),
      clear: async () => monitor?.clear(),
    },
    retrain(event) {
      retrainEvents.set(event.firedAt + event.personal, event);
      if (retrainEvents.size > MAX_RETRAIN_EVENTS) retrainEvents.delete(retrainEvents.keys().next().value as string);
      events.dispatchEvent(new CustomEvent("retrain", { detail: event }));
    },
    predicted: (outcome) => monitor?.predicted(outcome),
    async feedback(id, feedback) {
      if (!monitoring.module || !monitor) throw monitorUnavailable(monitoring);
      return monitoring.module.recordFeedback(monitor, info, telemetry, id, feedback);
    },
    close: async () => monitor?.close(),
  };
}
