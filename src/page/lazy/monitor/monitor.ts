// Monitors one model: joins predictions with their truths, and computes its accuracy.

import { InsituError } from "../../../shared/errors.js";
import type { ModelInfo } from "../../../shared/types/model.js";
import { earlierLabels } from "../../lib/earlier-labels.js";
import { createTable } from "../../lib/idb-table.js";
import type { Arm, FeedbackRecord, TelemetryRecord } from "../telemetry/records.js";
import { accuracyReport } from "./accuracy-report.js";
import { openClearChannel } from "./clear-channel.js";
import { createOutcomeLog, type Outcome, type Truth } from "./outcome-log.js";
import type { Feedback, FeedbackResult, MonitorSnapshot } from "./types.js";

export interface Monitor {
  predicted(outcome: Omit<Outcome, "model" | "truth">): void;
  /**
   * `truth` must be valid. `joined` is set when the truth is new.
   * @param byVersion - What the truth is for predictions of other versions, whose classes are others.
   */
  feedback(id: string, truth: GivenTruth | undefined, byVersion?: TruthByVersion): Promise<FeedbackOutcome>;
  snapshot(): FeedbackSample;
  /** Resolves once the outcomes of earlier pages were read. */
  readonly read: Promise<void>;
  clear(): Promise<void>;
  /** How often the outcomes were cleared, here or, where they can be, by another tab. */
  readonly clears: { count: number };
  /** Writes what is new, and ends. */
  close(): Promise<void>;
}

/** Undefined where the version does not have the class. */
export type TruthByVersion = Map<string, GivenTruth | undefined>;

/** A class becomes a score once it is known what was predicted. */
export type GivenTruth = Truth | { class: number };

/** Without the triggers, which belong to personal models, and what others add. */
export type FeedbackSample = Omit<MonitorSnapshot, "retrain" | "drift" | "inputs">;

export type JoinedOutcome = Outcome & { truth: Truth };

export interface FeedbackOutcome {
  result: FeedbackResult;
  joined?: JoinedOutcome;
}

/** @param isCleared - Whether the outcomes can be cleared, also by another tab; a base model's cannot. */
export function createMonitor(model: string, storeName: string, isCleared = false): Monitor {
  const log = createOutcomeLog(model, createTable<Outcome>(`${storeName}-monitor`));
  const channel = isCleared ? openClearChannel(`${storeName}-monitor`, model, () => void log.drop()) : undefined;
  let unmatched = 0;
  let corrected = 0;
  // The page may end before the next write is due.
  const onHide = () => void log.flush();
  globalThis.document?.addEventListener("visibilitychange", onHide);

  return {
    read: log.read,
    predicted: (outcome) => log.add({ ...outcome, model }),
    async feedback(id, current, byVersion) {
      let truth: Truth | undefined;
      const before = await log.change(id, (outcome) => {
        const given = byVersion?.has(outcome.version) ? byVersion.get(outcome.version) : current;
        if (!given) return undefined;
        truth = "score" in given ? given : { class: given.class, score: given.class === outcome.class ? 1 : 0 };
        return isSame(outcome.truth, truth) ? undefined : { ...outcome, truth };
      });
      if (!before || !truth) {
        unmatched += 1;
        return { result: "unmatched" };
      }
      if (!before.truth) return { result: "counted", joined: { ...before, truth } };
      if (isSame(before.truth, truth)) return { result: "repeated" };
      corrected += 1;
      return { result: "corrected" };
    },
    snapshot: () => ({ model, versions: accuracyReport(log.all(), Date.now()), unmatched, corrected }),
    async clear() {
      channel?.cleared();
      await log.clear();
    },
    clears: log.clears,
    async close() {
      globalThis.document?.removeEventListener("visibilitychange", onHide);
      channel?.close();
      await log.flush();
    },
  };
}

const isSame = (a: Truth | undefined, b: Truth) => a?.score === b.score && a.class === b.class;

/** Another key would fail in the database. Throws `input_invalid`. */
function checkId(id: unknown): void {
  if (typeof id === "string") return;
  throw new InsituError("input_invalid", `The id is ${String(id)}; pass the id of a prediction.`, { id });
}

/** The truth that the feedback of a page says; undefined when it is not valid. */
export function readTruth(feedback: Feedback, labels: readonly string[]): GivenTruth | undefined {
  if (typeof feedback !== "object" || feedback === null) return undefined;
  if ("correct" in feedback)
    return typeof feedback.correct === "boolean" ? { score: feedback.correct ? 1 : 0 } : undefined;
  if ("score" in feedback) return feedback.score >= 0 && feedback.score <= 1 ? { score: feedback.score } : undefined;
  const index = "label" in feedback ? labels.indexOf(feedback.label) : feedback.class;
  // A model without labels does not say how many classes it has.
  const isKnown = labels.length === 0 || index < labels.length;
  return Number.isInteger(index) && index >= 0 && isKnown ? { class: index } : undefined;
}

/** Checks feedback, joins it with its prediction and reports it to telemetry. Rejects with `input_invalid` for feedback that does not fit the model. */
export async function recordFeedback(
  monitor: Monitor,
  info: ModelInfo,
  telemetry: { record(record: TelemetryRecord): void },
  id: string,
  feedback: Feedback,
): Promise<FeedbackResult> {
  checkId(id);
  const truth = readTruth(feedback, info.labels);
  const byVersion: TruthByVersion = new Map();
  for (const [version, labels] of earlierLabels(info))
    if (version !== info.version) byVersion.set(version, readTruth(feedback, labels));
  if (![truth, ...byVersion.values()].some(Boolean)) {
    const message = `The feedback is ${JSON.stringify(feedback)}; pass a label of the model, a class, whether it was correct, or a score from 0 to 1.`;
    throw new InsituError("input_invalid", message, { feedback });
  }
  const { result, joined } = await monitor.feedback(id, truth, byVersion);
  if (result === "unmatched") telemetry.record({ kind: "unmatched", model: info.name });
  if (joined) telemetry.record(feedbackRecord(joined, info));
  return result;
}

function feedbackRecord({ id, version, arm, confidence, time, truth }: JoinedOutcome, info: ModelInfo): FeedbackRecord {
  return {
    kind: "feedback",
    id,
    model: { name: info.name, version },
    arm: arm as Arm,
    source: "explicit",
    correct: truth.score >= 0.5,
    class: truth.class,
    classes: info.labels.length,
    delayMs: Math.max(0, Date.now() - time),
    squaredError: confidence === undefined ? undefined : (confidence - truth.score) ** 2,
  };
}

/** Deletes the predictions and truths of models, also of those that are not open. */
export async function clearMonitors(models: string[], storeName: string): Promise<void> {
  for (const model of models) {
    const monitor = createMonitor(model, storeName, true);
    await monitor.clear();
    await monitor.close();
  }
}
