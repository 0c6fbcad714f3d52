// A model's monitor as the page sees it: feedback in, a judgement out; the rest is fetched with the first model.
import { InsituError } from "../shared/errors.js";
import type { ModelInfo } from "../shared/types/model.js";
import type { RetrainEvent } from "../shared/types/personal.js";
import type * as monitorModule from "./lazy/monitor/monitor.js";
import type { Monitor } from "./lazy/monitor/monitor.js";
import type { Feedback, FeedbackResult, MonitorSnapshot } from "./lazy/monitor/types.js";
import type { TelemetryHandle } from "./telemetry.js";

export type MonitorModule = typeof monitorModule;

/** How right the model has been in this browser. What it is judged by stays here; no input is kept. */
export interface ModelMonitor {
  /** By at most the last 1,000 predictions of the last 7 days. */
  snapshot(): MonitorSnapshot;
  /** `retrain`: a trigger of one of the model's personal models fired, or what it started went on; `detail` says which and why. */
  addEventListener(type: "retrain", listener: (event: CustomEvent<RetrainEvent>) => void): void;
  removeEventListener(type: "retrain", listener: (event: CustomEvent<RetrainEvent>) => void): void;
  /** Forgets them all. */
  clear(): Promise<void>;
}

export interface MonitorHandle {
  readonly monitor: ModelMonitor;
  predicted: Monitor["predicted"];
  /** A trigger fired, or what came of it changed. */
  retrain(event: RetrainEvent): void;
  feedback(id: string, feedback: Feedback): Promise<FeedbackResult>;
  close(): Promise<void>;
}

const MOST_FIRED = 50;

/** `module` is undefined where monitoring is off, or could not be fetched. */
export function createMonitorHandle(
  module: MonitorModule | undefined,
  info: ModelInfo,
  storeName: string,
  telemetry: TelemetryHandle,
): MonitorHandle {
  const events = new EventTarget();
  /** By when, and by whose. */
  const fired = new Map<string, RetrainEvent>();
  const watching = module?.createMonitor(info.name, storeName);
  const need = () => {
    if (module && watching) return { module, watching };
    const message =
      "Feedback is not taken: monitoring is off, or its part of the library could not be fetched. Load the model again.";
    throw new InsituError("backend_unavailable", message);
  };
  return {
    monitor: {
      snapshot: () => ({
        ...(watching?.snapshot() ?? { model: info.name, versions: [], unmatched: 0, corrected: 0 }),
        retrain: [...fired.values()],
      }),
      addEventListener: (type, listener) => events.addEventListener(type, listener as EventListener),
      removeEventListener: (type, listener) => events.removeEventListener(type, listener as EventListener),
      clear: async () => watching?.clear(),
    },
    retrain(event) {
      fired.set(event.firedAt + event.personal, event);
      if (fired.size > MOST_FIRED) fired.delete(fired.keys().next().value as string);
      events.dispatchEvent(new CustomEvent("retrain", { detail: event }));
    },
    predicted: (outcome) => watching?.predicted(outcome),
    async feedback(id, feedback) {
      const { module, watching } = need();
      const truth = module.readTruth(feedback, info.labels);
      if (!truth) {
        const message = `The feedback is ${JSON.stringify(feedback)}; pass a label of the model, a class, whether it was correct, or a score from 0 to 1.`;
        throw new InsituError("input_invalid", message, { feedback });
      }
      const { result, joined } = await watching.feedback(id, truth);
      if (result === "unmatched") telemetry.record({ kind: "unmatched", model: info.name });
      if (joined) {
        const { version, confidence, time, truth: known } = joined;
        telemetry.record({
          ...{ kind: "feedback", id, model: { name: info.name, version }, arm: "stable", source: "explicit" },
          ...{
            correct: known.score >= 0.5,
            class: known.class,
            classes: info.labels.length,
            delayMs: Math.max(0, Date.now() - time),
          },
          squaredError: confidence === undefined ? undefined : (confidence - known.score) ** 2,
        });
      }
      return result;
    },
    close: async () => watching?.close(),
  };
}
