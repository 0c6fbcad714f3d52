// Compares feedback with the predictions of a personal model.
import { InsituError } from "../../../shared/errors.js";
import type { PersonalPrediction } from "../../../shared/types/personal.js";
import type { FeedbackSample, Monitor } from "../monitor/monitor.js";
import type { FeedbackResult } from "../monitor/types.js";
import type { TelemetryRecord } from "../telemetry/records.js";

export interface PersonalFeedbackDeps {
  name: string;
  /** Name of the base model. */
  model: string;
  /** Undefined where monitoring is off. */
  monitor: Monitor | undefined;
  /** The error of feedback without a monitor: `disabled`, or `network` with its cause. */
  monitorUnavailable(): InsituError;
  telemetry: { record(record: TelemetryRecord): void };
}

export interface PersonalFeedback {
  predicted(prediction: PersonalPrediction): void;
  give(id: string, feedback: { label: string } | { correct: boolean }): Promise<FeedbackResult>;
  snapshot(): FeedbackSample;
  clear(): void;
}

// Predictions that feedback can name a label for.
const MAX_PREDICTIONS = 1_000;

export function createPersonalFeedback(deps: PersonalFeedbackDeps): PersonalFeedback {
  const { name, model, monitor, telemetry } = deps;
  const labels = new Map<string, string | undefined>();
  return {
    predicted({ id, label, version, value: [best] }) {
      labels.set(id, label);
      if (labels.size > MAX_PREDICTIONS) labels.delete(labels.keys().next().value as string);
      const outcome = { id, version: String(version), arm: "stable" as const, time: Date.now() };
      monitor?.predicted({ ...outcome, ...(best && { class: best.index, confidence: best.score }) });
    },
    async give(id, feedback) {
      if (!monitor) throw deps.monitorUnavailable();
      const isLabel = typeof feedback === "object" && feedback !== null && "label" in feedback;
      const isValid = isLabel ? typeof feedback.label === "string" : typeof feedback?.correct === "boolean";
      if (typeof id !== "string" || !isValid) {
        const message = "Pass a prediction's id and { label } or { correct }.";
        throw new InsituError("input_invalid", message, { id, feedback });
      }
      if (isLabel && !labels.has(id)) return "unmatched";
      const correct = isLabel ? labels.get(id) === feedback.label : feedback.correct;
      const { result } = await monitor.feedback(id, { score: correct ? 1 : 0 });
      if (result === "counted") telemetry.record({ kind: "personalFeedback", model, correct });
      return result;
    },
    snapshot: () => monitor?.snapshot() ?? { model: name, versions: [], unmatched: 0, corrected: 0 },
    clear: () => labels.clear(),
  };
}
