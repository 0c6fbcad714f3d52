// Measures the accuracy of a head on examples that it was not trained on; pure.
import type { HeadAccuracy, PersonalEvaluation } from "../../shared/types/personal.js";
import { wilsonInterval } from "../../shared/wilson-interval.js";
import { applyHead, type Head } from "./head.js";

export interface Labelled {
  vector: Float32Array;
  label: string;
}

export interface EvaluatedHead extends HeadAccuracy {
  /** Mean cross-entropy in nats; a class that the head does not have counts as a probability of one in a million. */
  loss: number;
}

const MIN_SCORE = 1e-6;

/** The novelty threshold is ignored here: the best class counts. */
export function measureAccuracy(head: Head, examples: Labelled[]): EvaluatedHead {
  let correct = 0;
  let loss = 0;
  for (const { vector, label } of examples) {
    const { scores, class: best } = applyHead(head, vector);
    const truth = head.labels.indexOf(label);
    if (best === truth) correct += 1;
    loss -= Math.log(Math.max(scores[truth] ?? 0, MIN_SCORE));
  }
  const n = examples.length;
  const accuracy = n > 0 ? { accuracy: correct / n } : {};
  return { examples: n, correct, ...accuracy, interval: wilsonInterval(correct, n), loss: n > 0 ? loss / n : 0 };
}

/** As a user experiences it: an example that is reported as unknown counts as wrong. */
export function evaluate(head: Head, version: number, examples: Labelled[]): PersonalEvaluation {
  const labels = [...new Set([...head.labels, ...examples.map(({ label }) => label)])];
  const cells = new Map<number, number>();
  let correct = 0;
  let unknown = 0;
  for (const { vector, label } of examples) {
    const { class: best, distance } = applyHead(head, vector);
    const truth = labels.indexOf(label);
    if (distance > 1) {
      unknown += 1;
      continue;
    }
    if (best === truth) correct += 1;
    const cell = truth * labels.length + best;
    cells.set(cell, (cells.get(cell) ?? 0) + 1);
  }
  const n = examples.length;
  return {
    version,
    labels,
    examples: n,
    correct,
    ...(n > 0 && { accuracy: correct / n }),
    interval: wilsonInterval(correct, n),
    confusion: [...cells].map(([cell, count]) => ({
      truth: Math.floor(cell / labels.length),
      predicted: cell % labels.length,
      count,
    })),
    unknown,
  };
}
