// A head: the small last layer that turns an embedding into one user's classes, as plain data, and what it says of an embedding.
import type { HeadKind } from "../../shared/types/personal.js";
import { softmax } from "../runtime/outputs.js";
import { cosineDistance, dot, unit } from "./vector-math.js";

/** An embedding of unit length with its class. */
export interface Sample {
  vector: Float32Array;
  /** Index into the labels. */
  class: number;
}

/** Both kinds are linear in the embedding of unit length, so that they are applied alike. Rows follow `labels`. */
export interface Head {
  kind: HeadKind;
  labels: string[];
  /** Numbers of an embedding. */
  size: number;
  /** `[labels, size]`, row by row. */
  weights: Float32Array;
  bias: Float32Array;
  /** The class means, each of unit length: `[labels, size]`. */
  means: Float32Array;
  /** How far, in cosine distance, an input may be from each mean before it is unknown; infinite while nothing is known of it. */
  limits: Float32Array;
}

export interface HeadOutput {
  /** One a label; they add up to 1. */
  scores: number[];
  /** Index of the best score. */
  class: number;
  /** The distance to the nearest mean over that class's limit: over 1 is unknown. */
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
    // A limit of 0 is that of examples which are all the same.
    const relative = limit === Number.POSITIVE_INFINITY ? 0 : distance / Math.max(limit, Number.EPSILON);
    nearest = Math.min(nearest, relative);
  }
  return { scores, class: best, distance: nearest };
}
