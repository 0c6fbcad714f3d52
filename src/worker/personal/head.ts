// A head: the small last layer that turns an embedding into one user's classes, as plain data.
import type { HeadKind } from "../../shared/types/personal.js";
import { softmax } from "../runtime/outputs.js";
import { cosineDistance, dot, unit } from "./vector-math.js";

/** An embedding of unit length with its class. */
export interface Sample {
  vector: Float32Array;
  /** Index into the labels. */
  class: number;
}

/** Both kinds are linear in the embedding of unit length, so that they are applied in the same way. Rows follow `labels`. */
export interface Head {
  kind: HeadKind;
  labels: string[];
  /** Length of an embedding. */
  size: number;
  /** `[labels, size]`, row by row. */
  weights: Float32Array;
  bias: Float32Array;
  /** The class means, each of unit length: `[labels, size]`. */
  means: Float32Array;
  /** Novelty threshold of each class, as a cosine distance to its mean; infinite while there are too few examples. */
  limits: Float32Array;
}

export interface HeadOutput {
  /** One for each label; they add up to 1. */
  scores: number[];
  /** Index of the best score. */
  class: number;
  /** Distance to the nearest mean, divided by that class's novelty threshold: over 1 is unknown. */
  distance: number;
}

export function applyHead(head: Head, embedding: ArrayLike<number>): HeadOutput {
  const { labels, size, weights, bias, means, limits } = head;
  const vector = unit(embedding);
  const logits = labels.map((_, index) => dot(vector, weights, index * size) + (bias[index] as number));
  const scores = softmax(logits);
  let best = 0;
  let nearest = Number.POSITIVE_INFINITY;
  for (let index = 0; index < labels.length; index += 1) {
    if ((scores[index] as number) > (scores[best] as number)) best = index;
    const limit = limits[index] as number;
    const distance = cosineDistance(vector, means, index * size);
    // The threshold is 0 where all examples are identical.
    const relative = limit === Number.POSITIVE_INFINITY ? 0 : distance / Math.max(limit, Number.EPSILON);
    nearest = Math.min(nearest, relative);
  }
  return { scores, class: best, distance: nearest };
}
