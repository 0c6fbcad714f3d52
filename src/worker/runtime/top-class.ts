// The top class of a classification and the confidence of that decision; pure.
import type { TopClass } from "../../shared/protocol.js";
import type { Manifest } from "../../shared/types/manifest.js";
import type { TensorData } from "../../shared/types/tensor.js";
import { scoresOf } from "./outputs.js";

/** Undefined where the task has no classes. Scores are clamped to 0 to 1. */
export function topClassOf(
  { task, outputs: specs }: Manifest,
  outputs: Record<string, TensorData>,
): TopClass | undefined {
  if (task.kind !== "classification") return undefined;
  const output = outputs[task.output ?? specs[0]?.name ?? ""];
  if (!output || output.data.length === 0) return undefined;
  const scores = scoresOf(task, output);
  let best = 0;
  let second = 0;
  let index = 0;
  let sum = 0;
  let weighted = 0;
  for (let i = 0; i < scores.length; i += 1) {
    const score = Math.min(1, Math.max(0, scores[i] as number));
    if (score > best || i === 0) {
      second = i === 0 ? 0 : best;
      best = score;
      index = i;
    } else if (score > second) second = score;
    sum += score;
    if (score > 0) weighted += score * Math.log(score);
  }
  // Entropy -sum(p ln p) of the scores divided by their sum, which is 1 for a softmax.
  const entropy = sum > 0 ? Math.max(0, Math.log(sum) - weighted / sum) : 0;
  return { class: index, confidence: best, margin: best - second, entropy, classes: scores.length };
}
