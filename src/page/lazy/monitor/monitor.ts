// Monitors one model: joins predictions with their truths, and computes its accuracy.

import { createTable } from "../../lib/idb-table.js";
import { accuracyReport } from "./accuracy-report.js";
import { createOutcomeLog, type Outcome, type Truth } from "./outcome-log.js";
import type { Feedback, FeedbackResult, MonitorSnapshot } from "./types.js";

export interface Monitor {
  predicted(outcome: Omit<Outcome, "model" | "truth">): void;
  /** `truth` must be valid. `joined` is set when the truth is new. */
  feedback(id: string, truth: Truth | { class: number }): Promise<FeedbackOutcome>;
  snapshot(): FeedbackSample;
  /** Resolves once the outcomes of earlier pages were read. */
  readonly read: Promise<void>;
  clear(): Promise<void>;
  /** Writes what is new, and ends. */
  close(): Promise<void>;
}

/** Without the triggers, which belong to personal models. */
export type FeedbackSample = Omit<MonitorSnapshot, "retrain">;

export type JoinedOutcome = Outcome & { truth: Truth };

export interface FeedbackOutcome {
  result: FeedbackResult;
  joined?: JoinedOutcome;
}

export function createMonitor(model: string, storeName: string): Monitor {
  const log = createOutcomeLog(model, createTable<Outcome>(`${storeName}-monitor`));
  let unmatched = 0;
  let corrected = 0;
  // The page may end before the next write is due.
  const onHide = () => void log.flush();
  globalThis.document?.addEventListener("visibilitychange", onHide);

  return {
    read: log.read,
    predicted: (outcome) => log.add({ ...outcome, model }),
    async feedback(id, given) {
      let truth: Truth | undefined;
      const before = await log.change(id, (outcome) => {
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
    clear: log.clear,
    async close() {
      globalThis.document?.removeEventListener("visibilitychange", onHide);
      await log.flush();
    },
  };
}

const isSame = (a: Truth | undefined, b: Truth) => a?.score === b.score && a.class === b.class;

/** The truth that the feedback of a page says; undefined when it is not valid. */
export function readTruth(feedback: Feedback, labels: readonly string[]): Truth | { class: number } | undefined {
  if (typeof feedback !== "object" || feedback === null) return undefined;
  if ("correct" in feedback) return { score: feedback.correct ? 1 : 0 };
  if ("score" in feedback) return feedback.score >= 0 && feedback.score <= 1 ? { score: feedback.score } : undefined;
  const index = "label" in feedback ? labels.indexOf(feedback.label) : feedback.class;
  return Number.isInteger(index) && index >= 0 ? { class: index } : undefined;
}
