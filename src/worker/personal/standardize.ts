// Brings embeddings around 0 with a variance of 1 before a layer is trained on them, and the layer back; pure.
import type { Sample } from "./head.js";

export interface Layer {
  weights: Float32Array;
  bias: Float32Array;
}

export interface Row {
  values: Float32Array;
  class: number;
}

export interface Scaled {
  rows: Row[];
  centre: Float32Array;
  scale: number;
}

/** Around 0 with a mean variance of 1, so that one rate suits all embeddings. */
export function standardize(samples: Sample[], size: number): Scaled {
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

/** The same layer for embeddings as they are: w'(x - c) / s + b = (w / s)'x + (b - w'c / s). */
export function unstandardize({ weights, bias }: Layer, { centre, scale }: Scaled, size: number): Layer {
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
