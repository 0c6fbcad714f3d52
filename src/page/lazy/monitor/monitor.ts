// Watches one model: takes predictions and truths, joins them here, and says how right the model is.

import { createTable } from "../../lib/idb-table.js";
import { accuracyReport } from "./accuracy-report.js";
import { createOutcomeLog, type Outcome, type Truth } from "./outcome-log.js";
import type { Feedback, FeedbackResult, MonitorSnapshot } from "./types.js";

export interface Monitor {
  predicted(outcome: Omit<Outcome, "model" | "truth">): void;
  /** `truth` was checked to be one. `joined` is set when it counts. */
  feedback(id: string, truth: Truth | { class: number }): Promise<FeedbackOutcome>;
  snapshot(): FeedbackSample;
  /** Resolves once what earlier pages kept was read. */
  readonly read: Promise<void>;
  clear(): Promise<void>;
  /** Writes what is new, and ends. */
  close(): Promise<void>;
}

/** Without the triggers, which are its personal models' own. */
export type FeedbackSample = Omit<MonitorSnapshot, "retrain">;

export interface FeedbackOutcome {
  result: FeedbackResult;
  joined?: Outcome & { truth: Truth };
}

export function createMonitor(model: string, storeName: string): Monitor {
  const ring = createOutcomeLog(model, createTable<Outcome>(`${storeName}-monitor`));
  let unmatched = 0;
  let corrected = 0;
  // What the page may not live to write a second later.
  const onHide = () => void ring.flush();
  globalThis.document?.addEventListener("visibilitychange", onHide);

  return {
    read: ring.read,
    predicted: (outcome) => ring.add({ ...outcome, model }),
    async feedback(id, given) {
      let truth: Truth | undefined;
      const before = await ring.change(id, (outcome) => {
        truth = "score" in given ? given : { class: given.class, score: given.class === outcome.class ? 1 : 0 };
        const { truth: known } = outcome;
        return known?.score === truth.score && known.class === truth.class ? undefined : { ...outcome, truth };
      });
      if (!before || !truth) {
        unmatched += 1;
        return { result: "unmatched" };
      }
      if (!before.truth) return { result: "counted", joined: { ...before, truth } };
      if (before.truth.score === truth.score && before.truth.class === truth.class) return { result: "repeated" };
      corrected += 1;
      return { result: "corrected" };
    },
    snapshot: () => ({ model, versions: accuracyReport(ring.all(), Date.now()), unmatched, corrected }),
    clear: ring.clear,
    async close() {
      globalThis.document?.removeEventListener("visibilitychange", onHide);
      await ring.flush();
    },
  };
}

/** What a page says of the truth; undefined where it says nothing that can be used. */
export function readTruth(feedback: Feedback, labels: readonly string[]): Truth | { class: number } | undefined {
  if (typeof feedback !== "object" || feedback === null) return undefined;
  if ("correct" in feedback) return { score: feedback.correct ? 1 : 0 };
  if ("score" in feedback) return feedback.score >= 0 && feedback.score <= 1 ? { score: feedback.score } : undefined;
  const index = "label" in feedback ? labels.indexOf(feedback.label) : feedback.class;
  return Number.isInteger(index) && index >= 0 ? { class: index } : undefined;
}
