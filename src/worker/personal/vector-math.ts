// Vector functions that heads need: unit length, inner product, cosine distance; pure.

/** Scales to length 1, so that only the direction counts; a zero vector stays one. */
export function unit(vector: ArrayLike<number>): Float32Array {
  let square = 0;
  for (let i = 0; i < vector.length; i += 1) square += (vector[i] as number) ** 2;
  const scale = square > 0 ? 1 / Math.sqrt(square) : 0;
  return Float32Array.from(vector, (value) => value * scale);
}

/** Inner product of `a` with the `b` that starts at `offset`. */
export function dot(a: Float32Array, b: Float32Array, offset = 0): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += (a[i] as number) * (b[offset + i] as number);
  return sum;
}

export function addTo(sum: Float32Array, vector: Float32Array, factor = 1): void {
  for (let i = 0; i < sum.length; i += 1) sum[i] = (sum[i] as number) + factor * (vector[i] as number);
}

/** From 0, the same direction, to 2, the opposite one. Both must be of unit length. */
export function cosineDistance(a: Float32Array, b: Float32Array, offset = 0): number {
  return Math.max(0, 1 - dot(a, b, offset));
}
