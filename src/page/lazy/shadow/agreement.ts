// Compares what two versions of a model say about one input, by a fixed rule for each kind of task; pure functions.

import type { TaskKind } from "../../../shared/types/manifest.js";
import type { ClassScore, Detection, PredictionValues } from "../../../shared/types/model.js";

export interface Agreement {
  agrees: boolean;
  /** Absolute difference of the confidences, 0 to 1; absent for tasks without a confidence. */
  difference?: number;
}

type Values = PredictionValues[TaskKind];
type Compare<V> = (main: V, shadow: V) => Agreement;

/** Of two boxes that mean the same object, as in PASCAL VOC. */
const MIN_OVERLAP = 0.5;
/** Share of the detections that both have: 2 matches / (detections of the one + of the other), which is the F1 score. */
const MIN_SHARED = 0.75;
/** Length of the difference of two vectors in relation to the longer one. */
const MAX_RELATIVE = 0.05;
const MIN_COSINE = 0.95;

const RULES: { [K in TaskKind]: Compare<PredictionValues[K]> } = {
  classification: sameTopClass,
  detection: sameObjects,
  embedding: (main, shadow) => ({ agrees: cosine(main, shadow) >= MIN_COSINE }),
  regression: (main, shadow) => ({ agrees: areClose(main, shadow) }),
  ranking: ([main], [shadow]) => ({ agrees: main?.index === shadow?.index }),
  raw: (main, shadow) => ({ agrees: sameOutputs(main, shadow) }),
};

/**
 * Whether two versions agree on one input:
 * - classification: the top class has the same label; the difference is that of the two top scores
 * - detection: of both versions' detections at least 75 % have a match, a detection of the same label whose box overlaps by at least
 *   0.5 (intersection over union); the difference is the mean over all objects of the difference of scores, where the score of what is not found is 0
 * - regression and raw: the difference of the numbers is at most 5 % of the longer vector (Euclidean), for each output
 * - embedding: the cosine is at least 0.95
 * - ranking: the same candidate is first
 *
 * Versions of different tasks never agree.
 */
export function compareValues(task: TaskKind, main: Values, shadow: Values, shadowTask: TaskKind = task): Agreement {
  if (task !== shadowTask) return { agrees: false };
  return (RULES[task] as Compare<Values>)(main, shadow);
}

function sameTopClass([main]: ClassScore[], [shadow]: ClassScore[]): Agreement {
  const difference = Math.min(1, Math.abs((main?.score ?? 0) - (shadow?.score ?? 0)));
  return { agrees: main?.label === shadow?.label, difference };
}

/** Pairs each detection with the best one that is left, the surest first. */
function sameObjects(main: Detection[], shadow: Detection[]): Agreement {
  if (main.length + shadow.length === 0) return { agrees: true, difference: 0 };
  const left = new Set(shadow);
  let matches = 0;
  let difference = 0;
  for (const one of [...main].sort((a, b) => b.score - a.score)) {
    const other = bestMatch(one, left);
    if (other) {
      left.delete(other);
      matches += 1;
    }
    difference += Math.abs(one.score - (other?.score ?? 0));
  }
  for (const { score } of left) difference += score;
  const objects = main.length + left.size;
  return {
    agrees: (2 * matches) / (main.length + shadow.length) >= MIN_SHARED,
    difference: Math.min(1, difference / objects),
  };
}

function bestMatch(one: Detection, others: Iterable<Detection>): Detection | undefined {
  let best: Detection | undefined;
  let most = MIN_OVERLAP;
  for (const other of others) {
    const overlap = other.label === one.label ? overlapOf(one.box, other.box) : 0;
    if (overlap < most) continue;
    most = overlap;
    best = other;
  }
  return best;
}

/** Intersection over union. */
function overlapOf(a: Detection["box"], b: Detection["box"]): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  return shared / (a.width * a.height + b.width * b.height - shared);
}

function sameOutputs(main: PredictionValues["raw"], shadow: PredictionValues["raw"]): boolean {
  return Object.entries(main).every(([name, { data }]) => {
    const other = Object.hasOwn(shadow, name) ? shadow[name] : undefined;
    return other !== undefined && areClose(data, other.data);
  });
}

function areClose(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  let [squaresA, squaresB] = [0, 0];
  for (let index = 0; index < a.length; index += 1) {
    const [x, y] = [a[index] as number, b[index] as number];
    // Infinite values are results of some models. Their difference is no number to add up.
    if (!Number.isFinite(x) || !Number.isFinite(y)) {
      if (x !== y) return false;
      continue;
    }
    difference += (x - y) ** 2;
    squaresA += x * x;
    squaresB += y * y;
  }
  return difference <= MAX_RELATIVE ** 2 * Math.max(squaresA, squaresB);
}

function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return 0;
  let product = 0;
  let [squaresA, squaresB] = [0, 0];
  for (let index = 0; index < a.length; index += 1) {
    const [x, y] = [a[index] as number, b[index] as number];
    product += x * y;
    squaresA += x * x;
    squaresB += y * y;
  }
  // Two vectors of zeros are equal and have no direction.
  if (squaresA === squaresB && squaresA === 0) return 1;
  return product / Math.sqrt(squaresA * squaresB || 1);
}
