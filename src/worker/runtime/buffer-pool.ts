// Keeps the arrays of past pictures for the next ones: a fresh one costs more than filling it, since its pages are made at first use.

// One prediction runs while the next is prepared; more are waiting only where they run in batches.
const MOST_SPARE = 4;
const spare: Float32Array<ArrayBuffer>[] = [];

/** Of exactly this length, with anything in it. */
export function takeBuffer(length: number): Float32Array<ArrayBuffer> {
  const at = spare.findIndex((buffer) => buffer.length === length);
  return (at < 0 ? undefined : spare.splice(at, 1)[0]) ?? new Float32Array(length);
}

/** The caller must not use it again. The oldest spare one goes when there are too many. */
export function giveBuffer(buffer: Float32Array<ArrayBuffer>): void {
  spare.push(buffer);
  if (spare.length > MOST_SPARE) spare.shift();
}
