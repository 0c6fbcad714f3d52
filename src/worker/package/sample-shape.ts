// Chooses sizes for the open dimensions of an input, for runs that nobody asked for: warm-up, benchmark, self-test.

const SAMPLE_SIDE = 64;
const SAMPLE_LENGTH = 16;

/** The shape of one item: an open first size is 1, open sizes of images are 64, others 16. */
export function sampleShape(shape: readonly number[]): number[] {
  const open = shape.length === 4 ? SAMPLE_SIDE : SAMPLE_LENGTH;
  return shape.map((size, axis) => (size !== -1 ? size : axis === 0 ? 1 : open));
}
