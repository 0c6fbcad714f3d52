// Reuses the arrays of past images: allocating a new one takes longer than filling it, because its memory pages are mapped at first use.

// One prediction runs while the next is prepared; more are in use only where predictions run in batches.
const MAX_SPARE = 4;
const spare: Float32Array<ArrayBuffer>[] = [];

/** An array of exactly this length, with any content. */
export function takeBuffer(length: number): Float32Array<ArrayBuffer> {
  const at = spare.findIndex((buffer) => buffer.length === length);
  return (at < 0 ? undefined : spare.splice(at, 1)[0]) ?? new Float32Array(length);
}

/** The caller must not use the array again. Above the maximum the oldest spare array is dropped. */
export function giveBuffer(buffer: Float32Array<ArrayBuffer>): void {
  spare.push(buffer);
  if (spare.length > MAX_SPARE) spare.shift();
}
