// Reads the pixels of an image on the page, reduced where the model's input needs fewer, so that less is copied to the worker.
import { imageShape, letterbox, reducedSize, type Size } from "../../shared/letterbox.js";
import type { WirePixels } from "../../shared/protocol.js";
import type { InputSpec } from "../../shared/types/manifest.js";

export interface CapturedImage {
  image: ImageBitmap | VideoFrame | WirePixels;
  /** Size in pixels of the image that was passed in, where `image` is smaller. */
  size?: Size;
}

/** Objects whose pixels are read on the page. */
export type Drawable =
  | ImageData
  | HTMLImageElement
  | HTMLVideoElement
  | ImageBitmap
  | HTMLCanvasElement
  | OffscreenCanvas;

/** Browsers refuse pixels of another origin here, or only when they are sent to the worker. */
export const OTHER_ORIGIN =
  'A picture or video of another origin needs crossorigin="anonymous" on its element, and its host must send Access-Control-Allow-Origin';

/**
 * Reads the pixels before it first waits. Canvases are not reduced here: the copy shares their pixels (0.1 ms for 1080p), while
 * `createImageBitmap` resizes on the calling thread, so the worker does it.
 */
export async function captureImage(source: Drawable, spec?: InputSpec): Promise<CapturedImage> {
  if (isInstanceOf(source, "HTMLVideoElement")) return { image: await videoFrame(source as HTMLVideoElement) };
  if (isInstanceOf(source, "HTMLImageElement")) {
    const element = source as HTMLImageElement;
    const size = { width: element.naturalWidth, height: element.naturalHeight };
    // Twice the size that is needed: browsers resize elements with less quality than bitmaps, and the worker's last step corrects that.
    const small = hasOneDensity(element) ? shrunkFor(spec, size, 2) : undefined;
    return small ? { image: drawn(element, small), size } : { image: await createImageBitmap(element) };
  }
  const pixels = isInstanceOf(source, "ImageData") ? pixelsFor(source as ImageData, spec) : undefined;
  if (pixels) return { image: pixels };
  if (isInstanceOf(source, "ImageData") || isInstanceOf(source, "ImageBitmap")) {
    // At full size all of it would be copied to the worker: 5 ms for a bitmap of 1080p, 10 ms for ImageData.
    const { width, height } = source as ImageData | ImageBitmap;
    const small = shrunkFor(spec, { width, height });
    if (!small) return { image: await createImageBitmap(source) };
    const options = { resizeWidth: small.width, resizeHeight: small.height, resizeQuality: "medium" } as const;
    return { image: await createImageBitmap(source, options), size: { width, height } };
  }
  return { image: await createImageBitmap(source) };
}

/** `instanceof` is false for objects of another frame, and throws for types that this browser lacks. Never throws. */
export function typeOf(value: unknown): string {
  try {
    return Object.prototype.toString.call(value).slice(8, -1);
  } catch {
    // A Proxy may throw whatever it is asked.
    return "object";
  }
}

export const isInstanceOf = (value: unknown, type: string): boolean => typeOf(value) === type;

function shrunkFor(spec: InputSpec | undefined, size: Size, times?: number): Size | undefined {
  if (!spec?.image || !(size.width * size.height)) return undefined;
  return reducedSize(letterbox(spec.image.fit, size, imageShape(spec)), times);
}

// Above it a bitmap, which is drawn in the worker, is as fast.
const MAX_PIXELS = 256 * 256;

/** A copy of the pixels where the worker can use them as they are; a bitmap of 28 x 28 takes 0.15 ms more, here and there. */
function pixelsFor({ data, width, height, colorSpace }: ImageData, spec?: InputSpec): WirePixels | undefined {
  if (!spec?.image || width * height > MAX_PIXELS) return undefined;
  const input = imageShape(spec);
  if (input.width >= 0 && (input.width !== width || input.height !== height)) return undefined;
  // Others hold floats, or colours that must be converted; what is transparent is drawn over the border's colour.
  if ((colorSpace ?? "srgb") !== "srgb" || typeOf(data) !== "Uint8ClampedArray" || !isOpaque(data)) return undefined;
  return { pixels: data.slice(), width, height };
}

function isOpaque(pixels: Uint8ClampedArray): boolean {
  for (let at = 3; at < pixels.length; at += 4) if (pixels[at] !== 255) return false;
  return true;
}

/** With `srcset` an element's natural size may differ from its file's. */
function hasOneDensity(element: HTMLImageElement): boolean {
  return element.complete && element.srcset === "" && !isInstanceOf(element.parentElement, "HTMLPictureElement");
}

/** `createImageBitmap` decodes an element's file at each call (11 ms for a JPEG of 1080p); a canvas uses the decoded image. */
function drawn(element: HTMLImageElement, { width, height }: Size): ImageBitmap {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  if (!context) throw new Error("Could not create a canvas.");
  context.imageSmoothingQuality = "medium";
  context.drawImage(element, 0, 0, width, height);
  return canvas.transferToImageBitmap();
}

/** The current frame, without a copy of its pixels; a bitmap of it takes 17 ms for 1080p. */
async function videoFrame(video: HTMLVideoElement): Promise<ImageBitmap | VideoFrame> {
  return typeof VideoFrame === "undefined" ? createImageBitmap(video) : new VideoFrame(video);
}
