// Reduces one input to a few numbers, of which the page and `insitu reference` compute its features; pure.
import type { Size } from "./letterbox.js";
import type { TypedArray } from "./types/tensor.js";

// More say no more of a mean, and take longer.
const MAX_READ = 4_096;
const MAX_COLUMNS = 16;

/**
 * Mean and standard deviation of the numbers that the model reads, and of an image its own size in pixels, of at most 16 numbers these
 * themselves. Of more than 4,096 numbers only some are read, evenly spaced. What is not finite is left out; NaN without any.
 */
export function summariseInput(data: TypedArray, size?: Size): number[] {
  let step = Math.ceil(data.length / MAX_READ);
  // Otherwise it would read one colour of three or four, or some columns of an image only.
  while (step > 1 && (step % 2 === 0 || step % 3 === 0 || step % 7 === 0)) step += 1;
  let [count, sum, squares] = [0, 0, 0];
  for (let i = 0; i < data.length; i += step) {
    const value = data[i] as number;
    if (!Number.isFinite(value)) continue;
    count += 1;
    sum += value;
    squares += value * value;
  }
  const mean = sum / count;
  const spread = Math.sqrt(Math.max(0, squares / count - mean * mean));
  if (size) return [mean, spread, size.width, size.height];
  return [mean, spread, ...(data.length <= MAX_COLUMNS ? data : [])];
}
