// Takes the pixels of a picture on the page, without making the worker's share of the work larger than the model's input needs.
import { letterbox, reducedSize, type Size } from "../../shared/letterbox.js";
import type { InputSpec } from "../../shared/types/manifest.js";

export interface CapturedImage {
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
 * Reads the pixels before it first waits. Canvases are not made smaller here: the copy shares their pixels (0.1 ms for 1080p), and
 * `createImageBitmap` resizes on the thread that calls it, so that is the worker's to do.
 */
export async function captureImage(source: Drawable, spec?: InputSpec): Promise<CapturedImage> {
  if (isInstanceOf(source, "HTMLVideoElement")) return { image: await videoFrame(source as HTMLVideoElement) };
  if (isInstanceOf(source, "HTMLImageElement")) {
    const element = source as HTMLImageElement;
    const size = { width: element.naturalWidth, height: element.naturalHeight };
    // Twice what is read: browsers draw elements with coarser steps than bitmaps, and the worker's last step evens that out.
    const small = hasOneDensity(element) ? shrunkFor(spec, size, 2) : undefined;
    return small ? { image: drawn(element, small), size } : { image: await createImageBitmap(element) };
  }
  if (isInstanceOf(source, "ImageData") || isInstanceOf(source, "ImageBitmap")) {
    // Whole, all of it would be copied on its way: 5 ms for a bitmap of 1080p, 10 ms for ImageData.
    const { width, height } = source as ImageData | ImageBitmap;
    const small = shrunkFor(spec, { width, height });
    if (!small) return { image: await createImageBitmap(source) };
    const options = { resizeWidth: small.width, resizeHeight: small.height, resizeQuality: "medium" } as const;
    return { image: await createImageBitmap(source, options), size: { width, height } };
  }
  return { image: await createImageBitmap(source) };
}

/** By name, since a type that this browser lacks must not throw. */
export function isInstanceOf(value: unknown, type: string): boolean {
  const Type = (globalThis as Record<string, unknown>)[type];
  return typeof Type === "function" && value instanceof Type;
}

function shrunkFor(spec: InputSpec | undefined, size: Size, times?: number): Size | undefined {
  const [, height = 0, width = 0] = spec?.shape ?? [];
  if (!spec?.image || size.width === 0 || size.height === 0) return undefined;
  return reducedSize(letterbox(spec.image.fit, size, { width, height }), times);
}

/** `srcset` may give an element other natural sizes than its file has. */
function hasOneDensity(element: HTMLImageElement): boolean {
  return element.complete && element.srcset === "" && !isInstanceOf(element.parentElement, "HTMLPictureElement");
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
