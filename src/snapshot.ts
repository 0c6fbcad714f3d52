// Takes the pixels of a picture on the page, without making the worker's share of the work larger than the model's input needs.
import type { InputSpec } from "./types.js";

export interface Size {
  width: number;
  height: number;
}

export interface Snapshot {
  image: ImageBitmap | VideoFrame;
  /** Pixels of the picture that was passed in, where `image` has fewer. */
  size?: Size;
}

/** What is drawn; the first of its types that holds its pixels where no worker reaches them. */
export type Drawable =
  | ImageData
  | HTMLImageElement
  | HTMLVideoElement
  | ImageBitmap
  | HTMLCanvasElement
  | OffscreenCanvas;

/**
 * Reads the pixels before it first waits. Canvases and bitmaps are not made smaller here: browsers share their pixels with the copy
 * (0.1 ms for 1080p), and `createImageBitmap` resizes on the thread that calls it, so the worker does that.
 */
export async function snapshot(source: Drawable, spec?: InputSpec): Promise<Snapshot> {
  if (isA(source, "HTMLVideoElement")) return { image: await videoFrame(source as HTMLVideoElement) };
  if (isA(source, "HTMLImageElement")) {
    const element = source as HTMLImageElement;
    const size = { width: element.naturalWidth, height: element.naturalHeight };
    const small = hasOneDensity(element) ? shrunk(size, spec) : undefined;
    return small ? { image: drawn(element, small), size } : { image: await createImageBitmap(element) };
  }
  if (isA(source, "ImageData")) {
    // Posted as it is, all of it would be copied on this thread and again on the worker's: 10 ms for 1080p.
    const { width, height } = source as ImageData;
    const small = shrunk({ width, height }, spec);
    if (!small) return { image: await createImageBitmap(source) };
    const options = { resizeWidth: small.width, resizeHeight: small.height, resizeQuality: "medium" } as const;
    return { image: await createImageBitmap(source, options), size: { width, height } };
  }
  return { image: await createImageBitmap(source) };
}

/** By name, since a type that this browser lacks must not throw. */
export function isA(value: unknown, type: string): boolean {
  const Type = (globalThis as Record<string, unknown>)[type];
  return typeof Type === "function" && value instanceof Type;
}

/**
 * Pure: the size at which the picture crosses; undefined: as it is. Twice what the model reads, so that the worker's last step
 * averages four pixels and may place the picture at fractions of a pixel: that is closer to the mean of the pixels than one
 * step is (mean error 0.9 of 255 instead of 1.2, for noise of 1080p on 224 x 126).
 */
export function shrunk({ width, height }: Size, spec: InputSpec | undefined): Size | undefined {
  const [, inputHeight = 0, inputWidth = 0] = spec?.shape ?? [];
  if (!spec?.image || width === 0 || height === 0) return undefined;
  let scaleX = (2 * inputWidth) / width;
  let scaleY = (2 * inputHeight) / height;
  if (spec.image.fit !== "stretch") {
    scaleX = spec.image.fit === "contain" ? Math.min(scaleX, scaleY) : Math.max(scaleX, scaleY);
    scaleY = scaleX;
  }
  if (scaleX >= 1 && scaleY >= 1) return undefined;
  const along = (pixels: number, scale: number) => Math.max(1, Math.round(pixels * Math.min(1, scale)));
  return { width: along(width, scaleX), height: along(height, scaleY) };
}

/** `srcset` may give an element other natural sizes than its file has. */
function hasOneDensity(element: HTMLImageElement): boolean {
  return element.complete && element.srcset === "" && !isA(element.parentElement, "HTMLPictureElement");
}

/** `createImageBitmap` decodes an element's file at each call (11 ms for a JPEG of 1080p); a canvas remembers what it decoded. */
function drawn(element: HTMLImageElement, { width, height }: Size): ImageBitmap {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  if (!context) throw new Error(`No canvas of ${width} x ${height} could be had.`);
  context.imageSmoothingQuality = "medium";
  context.drawImage(element, 0, 0, width, height);
  return canvas.transferToImageBitmap();
}

/** The frame that is shown, its pixels not copied; a bitmap of it costs 17 ms for 1080p. */
async function videoFrame(video: HTMLVideoElement): Promise<ImageBitmap | VideoFrame> {
  return typeof VideoFrame === "undefined" ? createImageBitmap(video) : new VideoFrame(video);
}
