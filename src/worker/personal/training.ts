// One training: fits the heads, chooses the better one on held-out examples, and decides whether it replaces the version in use.
import { InsituError } from "../../shared/errors.js";
import type { ModelRef } from "../../shared/types/model.js";
import type { HeadAccuracy, HeadKind, TrainingTrigger } from "../../shared/types/personal.js";
import { type EvaluatedHead, measureAccuracy } from "./evaluate.js";
import type { Head, Sample } from "./head.js";
import { holdOut } from "./hold-out.js";
import { fitNearestMean } from "./nearest-mean.js";
import type { DecryptedExample, NewVersion, StoredVersion } from "./record-cipher.js";
import type { FitSoftmax, TrainingBackend } from "./softmax-head.js";

/** With fewer examples of a class, its thousand weights cannot be trained. */
const MIN_PER_CLASS = 2;

export interface TrainingDeps {
  /** Those that the loaded model can use, in the order in which they were added. */
  examples: DecryptedExample[];
  /** The version in use, where the loaded model can use it. */
  active?: StoredVersion;
  embedder: string;
  base: ModelRef;
  trigger: TrainingTrigger;
  backend: TrainingBackend;
  training: () => Promise<FitSoftmax>;
}

export interface TrainingResult {
  version: NewVersion;
  /** By id: whether the example is held out from now on. */
  heldOut: Map<string, boolean>;
}

export async function trainVersion(deps: TrainingDeps): Promise<TrainingResult> {
  const { examples, active, embedder, base, trigger, backend, training } = deps;
  const started = performance.now();
  const heldOutIds = holdOut(examples);
  const trained = examples.filter(({ id }) => !heldOutIds.has(id));
  const heldOut = examples.filter(({ id }) => heldOutIds.has(id));
  const labels = [...new Set(trained.map(({ label }) => label))];
  const [first] = trained;
  if (!first) throw nothingToTrainOn(examples.length);
  const samples = trained.map(({ vector, label }): Sample => ({ vector, class: labels.indexOf(label) }));
  const nearest = fitNearestMean(samples, labels, first.vector.length);
  const heads: Head[] = [nearest];
  if (canBeTrained(samples, labels.length)) heads.push(await (await training())(samples, nearest, backend));
  backend.onProgress({ phase: "judge", done: 0, total: heldOut.length });
  const evaluated = heads.map((head) => ({ head, accuracy: measureAccuracy(head, heldOut) }));
  const best = evaluated.reduce((a, b) => (isBetter(b.accuracy, a.accuracy) ? b : a));
  const before = active && heldOut.length > 0 ? measureAccuracy(active.head, heldOut) : undefined;
  const activated = !before || best.accuracy.correct >= before.correct;
  backend.onProgress({ phase: "judge", done: heldOut.length, total: heldOut.length });
  const facts = {
    ...(active && { parent: active.facts.version }),
    trainedAt: Date.now(),
    trigger,
    head: best.head.kind,
    labels,
    counts: countsOf(examples, heldOutIds),
    judged: Object.fromEntries(evaluated.map(({ head, accuracy }) => [head.kind, withoutLoss(accuracy)])) as Partial<
      Record<HeadKind, HeadAccuracy>
    >,
    ...(before && { before: withoutLoss(before) }),
    activated,
    reason: reasonOf(evaluated, best.head.kind, before, activated),
    base,
    durationMs: performance.now() - started,
    backend: backend.lease.target.backend,
  };
  return {
    version: { facts, embedder, head: best.head },
    heldOut: new Map(examples.map(({ id }) => [id, heldOutIds.has(id)])),
  };
}

export function nothingToTrainOn(examples: number): InsituError {
  return new InsituError("input_invalid", "There is nothing to train on: call addExample first.", { examples });
}

function canBeTrained(samples: Sample[], classes: number): boolean {
  const counts = Array.from({ length: classes }, (_, index) => samples.filter((one) => one.class === index).length);
  return classes > 1 && counts.every((count) => count >= MIN_PER_CLASS);
}

/** Of two that are equally accurate, the one with the smaller loss. Without held-out examples the simpler one stays. */
function isBetter(one: EvaluatedHead, other: EvaluatedHead): boolean {
  if (one.examples === 0) return false;
  return one.correct === other.correct ? one.loss < other.loss : one.correct > other.correct;
}

function withoutLoss({ loss: _, ...accuracy }: EvaluatedHead): HeadAccuracy {
  return accuracy;
}

function countsOf(examples: DecryptedExample[], heldOutIds: ReadonlySet<string>) {
  const counts = new Map<string, { trained: number; heldOut: number }>();
  for (const { id, label } of examples) {
    const count = counts.get(label) ?? { trained: 0, heldOut: 0 };
    if (heldOutIds.has(id)) count.heldOut += 1;
    else count.trained += 1;
    counts.set(label, count);
  }
  // A label may be any string, also `__proto__`, which a plain assignment would take for the prototype.
  return Object.fromEntries(counts);
}

const NAMES: Record<HeadKind, string> = { "nearest-mean": "nearest class mean", softmax: "softmax layer" };

function reasonOf(
  evaluated: { head: Head; accuracy: EvaluatedHead }[],
  chosen: HeadKind,
  before: EvaluatedHead | undefined,
  activated: boolean,
): string {
  const [first] = evaluated;
  const n = first?.accuracy.examples ?? 0;
  if (n === 0)
    return "Nearest class mean: with fewer than four examples of a class, none is held out to compare heads on.";
  const each = evaluated.map(({ head, accuracy }) => `${NAMES[head.kind]} ${accuracy.correct}`).join(", ");
  const why = `Correct of ${n} held-out examples: ${each}. The ${NAMES[chosen]} was chosen.`;
  if (!before) return why;
  const use = activated ? "so this version is used" : "so it stays in use";
  return `${why} The version in use before gets ${before.correct} right, ${use}.`;
}
