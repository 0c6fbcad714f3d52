// One training: examples to heads, the better of them by held-out examples, and whether it replaces the one in use.
import { InsituError } from "../../shared/errors.js";
import type { ModelRef } from "../../shared/types/model.js";
import type { HeadAccuracy, HeadKind, TrainingTrigger } from "../../shared/types/personal.js";
import { type EvaluatedHead, measureAccuracy } from "./evaluate.js";
import type { Head, Sample } from "./head.js";
import { holdOut } from "./hold-out.js";
import { fitNearestMean } from "./nearest-mean.js";
import type { DecryptedModel, NewVersion, StoredVersion } from "./record-cipher.js";
import { fitSoftmax, type TrainingBackend } from "./softmax-head.js";

/** Fewer than this a class, and a thousand weights a class have nothing to be learned from. */
const LEAST_A_CLASS = 2;

export interface TrainingDeps {
  /** Those that can be used, in the order of teaching. */
  examples: DecryptedModel[];
  /** The version in use, where it can be used. */
  running?: StoredVersion;
  embedder: string;
  base: ModelRef;
  trigger: TrainingTrigger;
  bench: TrainingBackend;
}

export interface TrainingResult {
  made: NewVersion;
  /** What each example is from now on. */
  heldOut: Map<string, boolean>;
}

export async function trainVersion(parts: TrainingDeps): Promise<TrainingResult> {
  const { examples, running, embedder, base, trigger, bench } = parts;
  const started = performance.now();
  const out = holdOut(examples);
  const shown = examples.filter(({ id }) => !out.has(id));
  const held = examples.filter(({ id }) => out.has(id));
  const labels = [...new Set(shown.map(({ label }) => label))];
  const [first] = shown;
  if (!first) {
    const message = "There is nothing to learn from yet: add an example first.";
    throw new InsituError("input_invalid", message, { examples: examples.length });
  }
  const samples = shown.map(({ vector, label }): Sample => ({ vector, class: labels.indexOf(label) }));
  const nearest = fitNearestMean(samples, labels, first.vector.length);
  const heads: Head[] = [nearest];
  if (canBeTrained(samples, labels.length)) heads.push(await fitSoftmax(samples, nearest, bench));
  bench.onProgress({ phase: "judge", done: 0, total: held.length });
  const judged = heads.map((head) => ({ head, judged: measureAccuracy(head, held) }));
  const best = judged.reduce((a, b) => (isBetter(b.judged, a.judged) ? b : a));
  const before = running && held.length > 0 ? measureAccuracy(running.head, held) : undefined;
  const activated = !before || best.judged.correct >= before.correct;
  bench.onProgress({ phase: "judge", done: held.length, total: held.length });
  const facts = {
    ...(running && { parent: running.facts.version }),
    trainedAt: Date.now(),
    trigger,
    head: best.head.kind,
    labels,
    counts: countsOf(examples, out),
    judged: Object.fromEntries(judged.map(({ head, judged }) => [head.kind, told(judged)])) as Partial<
      Record<HeadKind, HeadAccuracy>
    >,
    ...(before && { before: told(before) }),
    activated,
    reason: reasonOf(judged, best.head.kind, before, activated),
    base,
    durationMs: performance.now() - started,
    backend: bench.lease.target.backend,
  };
  return {
    made: { facts, embedder, head: best.head },
    heldOut: new Map(examples.map(({ id }) => [id, out.has(id)])),
  };
}

function canBeTrained(samples: Sample[], classes: number): boolean {
  const counts = Array.from({ length: classes }, (_, index) => samples.filter((one) => one.class === index).length);
  return classes > 1 && counts.every((count) => count >= LEAST_A_CLASS);
}

/** Of two that are as often right, the one that is surer of the truth. Without held-out examples the simpler one stays. */
function isBetter(one: EvaluatedHead, other: EvaluatedHead): boolean {
  if (one.examples === 0) return false;
  return one.correct === other.correct ? one.loss < other.loss : one.correct > other.correct;
}

function told({ loss: _, ...judgement }: EvaluatedHead): HeadAccuracy {
  return judgement;
}

function countsOf(examples: DecryptedModel[], out: ReadonlySet<string>) {
  const counts = new Map<string, { trained: number; heldOut: number }>();
  for (const { id, label } of examples) {
    const count = counts.get(label) ?? { trained: 0, heldOut: 0 };
    if (out.has(id)) count.heldOut += 1;
    else count.trained += 1;
    counts.set(label, count);
  }
  // A label may be any text, also one that sets a prototype in a plain assignment.
  return Object.fromEntries(counts);
}

const NAMES: Record<HeadKind, string> = { "nearest-mean": "nearest class mean", softmax: "softmax layer" };

function reasonOf(
  judged: { head: Head; judged: EvaluatedHead }[],
  taken: HeadKind,
  before: EvaluatedHead | undefined,
  activated: boolean,
): string {
  const [first] = judged;
  const n = first?.judged.examples ?? 0;
  if (n === 0)
    return `Nearest class mean: with fewer than four examples of a class none is held out to judge others by.`;
  const each = judged.map(({ head, judged }) => `${NAMES[head.kind]} ${judged.correct}`).join(", ");
  const why = `Of ${n} held-out examples right: ${each}. The ${NAMES[taken]} was taken.`;
  if (!before) return why;
  const use = activated ? "so this one is used" : "so that one stays in use";
  return `${why} The version before gets ${before.correct} right, ${use}.`;
}
