// Pixels to the numbers that a model reads: scaled, shifted, in the layout of the input; pure.
import type { ImageSpec } from "../../shared/types/manifest.js";

/**
 * RGBA bytes to `(pixel * scale - mean) / std` in `data`, in the layout of the spec. One channel is the luma of Rec. 601, four are red,
 * green, blue (not multiplied by alpha) and alpha.
 */
export function normalise(
  pixels: Uint8ClampedArray,
  channels: number,
  { scale, mean, std, layout }: ImageSpec,
  data: Float32Array,
): void {
  // (pixel * scale - mean) / std as one multiplication and one addition.
  const factor = Array.from({ length: channels }, (_, channel) => scale / (std[channel] ?? 1));
  const shift = Array.from({ length: channels }, (_, channel) => -(mean[channel] ?? 0) / (std[channel] ?? 1));
  const [f0 = 1, f1 = 1, f2 = 1] = factor;
  const [s0 = 0, s1 = 0, s2 = 0] = shift;
  if (channels === 1) {
    for (let from = 0, to = 0; from < pixels.length; from += 4, to += 1) {
      const luma =
        0.299 * (pixels[from] as number) + 0.587 * (pixels[from + 1] as number) + 0.114 * (pixels[from + 2] as number);
      data[to] = luma * f0 + s0;
    }
    return;
  }
  if (layout === "nchw" || channels === 4) {
    normalisePlanes(pixels, layout === "nchw", factor, shift, data);
    return;
  }
  for (let from = 0, to = 0; from < pixels.length; from += 4, to += 3) {
    data[to] = (pixels[from] as number) * f0 + s0;
    data[to + 1] = (pixels[from + 1] as number) * f1 + s1;
    data[to + 2] = (pixels[from + 2] as number) * f2 + s2;
  }
}

/** One pass for each channel. */
function normalisePlanes(
  pixels: Uint8ClampedArray,
  isPlanar: boolean,
  factors: number[],
  shifts: number[],
  data: Float32Array,
): void {
  const channels = factors.length;
  const step = isPlanar ? 1 : channels;
  for (let channel = 0; channel < channels; channel += 1) {
    const [factor, shift] = [factors[channel] as number, shifts[channel] as number];
    let to = isPlanar ? (channel * pixels.length) / 4 : channel;
    for (let from = channel; from < pixels.length; from += 4, to += step)
      data[to] = (pixels[from] as number) * factor + shift;
  }
}
