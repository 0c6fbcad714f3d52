// Decodes JPEG and PNG in Node, and fits an image into a model's input; with a small photo for models that noise tells nothing about.
import { decode as decodeJpeg } from "jpeg-js";
import { PNG } from "pngjs";
import { InsituError } from "../shared/errors.js";
import { letterbox } from "../shared/letterbox.js";
import type { ImageSpec } from "../shared/types/manifest.js";
import { CAT_JPEG } from "./cat-photo.js";

/** RGBA, four bytes a pixel. */
export interface Photo {
  width: number;
  height: number;
  data: Uint8Array;
}

export const catPhoto = (): Uint8Array => Buffer.from(CAT_JPEG, "base64");

// A page decodes larger ones; here a file of a few kilobytes must not take gigabytes.
const MAX_MEGAPIXELS = 64;
const MAX_MEGABYTES = 1024;

/** Throws `input_invalid` for a file that is damaged, of another kind, or larger than 64 megapixels. */
export function decodePhoto(bytes: Uint8Array, path: string): Photo {
  try {
    if (bytes[0] === 0xff)
      return decodeJpeg(bytes, { maxResolutionInMP: MAX_MEGAPIXELS, maxMemoryUsageInMB: MAX_MEGABYTES });
    const buffer = Buffer.from(bytes);
    // The size is in the first chunk, at byte 16.
    const pixels = buffer.length >= 24 ? buffer.readUInt32BE(16) * buffer.readUInt32BE(20) : 0;
    if (pixels > MAX_MEGAPIXELS * 1e6) throw new Error(`it has more than ${MAX_MEGAPIXELS} megapixels`);
    return PNG.sync.read(buffer);
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    const message = `${path} cannot be decoded as JPEG or PNG (${detail}). Pass another image.`;
    throw new InsituError("input_invalid", message, { path }, { cause });
  }
}

/** The image in the input's shape and order of dimensions, as bytes, placed as a page places it. The border is black or the spec's. */
export function fitPhoto(
  photo: Photo,
  shape: number[],
  image?: Pick<ImageSpec, "fit" | "border" | "layout">,
): Uint8Array {
  const [, a = 0, b = 0, c = 0] = shape;
  const isPlanar = image ? image.layout === "nchw" : c > 4 || c === 2;
  const [channels, height, width] = isPlanar ? [a, b, c] : [c, a, b];
  const at = letterbox(image?.fit ?? "cover", photo, { width, height });
  const bytes = new Uint8Array(height * width * channels);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const left = (x - at.offsetX) / at.scaleX;
      const top = (y - at.offsetY) / at.scaleY;
      const pixel = meanOf(photo, left, top, 1 / at.scaleX, 1 / at.scaleY) ?? [...(image?.border ?? [0, 0, 0]), 255];
      const [red = 0, green = 0, blue = 0] = pixel;
      const values = channels === 1 ? [0.299 * red + 0.587 * green + 0.114 * blue] : pixel;
      for (let channel = 0; channel < channels; channel += 1) {
        const place = isPlanar ? (channel * height + y) * width + x : (y * width + x) * channels + channel;
        bytes[place] = Math.round(values[channel] as number);
      }
    }
  }
  return bytes;
}

/** The mean of the pixels under an area, at least one; undefined where it lies outside. */
function meanOf(
  { width, height, data }: Photo,
  left: number,
  top: number,
  wide: number,
  tall: number,
): number[] | undefined {
  const [x1, x2] = [Math.floor(Math.max(0, left + 1e-9)), Math.min(width, Math.ceil(left + wide - 1e-9))];
  const [y1, y2] = [Math.floor(Math.max(0, top + 1e-9)), Math.min(height, Math.ceil(top + tall - 1e-9))];
  const count = (x2 - x1) * (y2 - y1);
  if (x2 <= x1 || y2 <= y1) return undefined;
  const sum = [0, 0, 0, 0];
  for (let y = y1; y < y2; y += 1)
    for (let x = x1; x < x2; x += 1)
      for (let channel = 0; channel < 4; channel += 1)
        sum[channel] = (sum[channel] as number) + (data[(y * width + x) * 4 + channel] as number);
  return sum.map((total) => total / count);
}
