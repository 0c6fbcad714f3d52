// Standardizes embeddings before a layer is trained on them, and converts the layer to plain embeddings afterwards; pure.
import type { Sample } from "./head.js";

export interface Layer {
  weights: Float32Array;
  bias: Float32Array;
}

export interface Row {
  values: Float32Array;
  class: number;
}

export interface StandardizedRows {
  rows: Row[];
  centre: Float32Array;
  scale: number;
}

/** Mean 0 and a mean variance of 1, so that one learning rate suits all embeddings. */
export function standardize(samples: Sample[], size: number): StandardizedRows {
  const centre = new Float32Array(size);
  for (const { vector } of samples)
    for (let i = 0; i < size; i += 1) centre[i] = (centre[i] as number) + (vector[i] as number) / samples.length;
  let square = 0;
  for (const { vector } of samples)
    for (let i = 0; i < size; i += 1) square += ((vector[i] as number) - (centre[i] as number)) ** 2;
  const scale = Math.sqrt(square / (samples.length * size)) || 1;
  const rows = samples.map(({ vector, class: index }) => ({
    values: vector.map((value, i) => (value - (centre[i] as number)) / scale),
    class: index,
  }));
  return { rows, centre, scale };
}

/** The same layer for embeddings that are not standardized: w'(x - c) / s + b = (w / s)'x + (b - w'c / s). */
export function unstandardize({ weights, bias }: Layer, { centre, scale }: StandardizedRows, size: number): Layer {
  const own = weights.map((weight) => weight / scale);
  return {
    weights: own,
    bias: bias.map((value, row) => {
      let shift = 0;
      for (let i = 0; i < size; i += 1) shift += (own[row * size + i] as number) * (centre[i] as number);
      return value - shift;
    }),
  };
}
