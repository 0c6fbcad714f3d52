// Converts an image to the numbers that a model reads, and records where in the input the image lies.
import { asInsituError, InsituError } from "../../shared/errors.js";
import { imageShape, type Letterbox, letterbox, reducedSize, type Size } from "../../shared/letterbox.js";
import type { WireImage, WirePixels } from "../../shared/protocol.js";
import type { ImageSpec, InputSpec } from "../../shared/types/manifest.js";
import type { DType, TensorData, TypedArray } from "../../shared/types/tensor.js";
import { giveBuffer, takeBuffer } from "./buffer-pool.js";
import { fetchImage } from "./fetch-image.js";
import { normalise } from "./normalise.js";

/** What can be drawn on a canvas in a worker. */
type Drawable = ImageBitmap | VideoFrame;

export interface PlacedImage {
  source: Drawable;
  placement: Letterbox;
  image: ImageSpec;
}

export interface ImageFeed extends TensorData {
  /** Set while the image is open: a session may use it instead of `data`, which is computed when it is first read. */
  readonly placed?: PlacedImage;
}

export interface PreparedImage {
  feed: ImageFeed;
  placement: Letterbox;
  /** Returns the feed's memory to the pool. Call it once nothing reads the feed any more, or never. */
  recycle(): void;
  /** Closes the image; a second call does nothing. */
  close(): void;
}

export interface ImageOptions {
  /** Leaves the image open until `close`, for a session that can read it itself; `data` is then computed on demand. */
  keepOpen?: boolean;
  /** Aborts the download of an image that is given as a URL. */
  signal?: AbortSignal;
}

/** Throws `input_invalid` for an image that is empty or cannot be decoded, and where the input takes no image; otherwise as `fetchImage`. */
export async function toImageFeed(
  given: WireImage,
  spec: InputSpec,
  { keepOpen = false, signal }: ImageOptions = {},
): Promise<PreparedImage> {
  const { image } = spec;
  if (!image) throw noImage(spec);
  const { width, height, channels } = imageShape(spec);
  if (isPixels(given.image) && (width < 0 || (given.image.width === width && given.image.height === height)))
    return fromPixels(given.image, spec, image);
  const { drawable, ...size } = await open(given, signal);
  const sides = width < 0 ? size : { width, height };
  const target = { width: sides.width, height: sides.height, channels, dtype: spec.dtype, image };
  const placement = letterbox(image.fit, size, target);
  if (keepOpen) return openFeed(drawable, placement, target);
  let source: Drawable | undefined;
  try {
    source = await reduced(drawable, placement);
    const data = pixelsToData(source, placement, target);
    const feed: ImageFeed = { shape: shapeOf(target), dtype: spec.dtype, data };
    return { feed, placement, recycle: () => recycle(data), close: () => undefined };
  } finally {
    source?.close();
    drawable.close();
  }
}

/** Without a canvas: what would be drawn on it is the same, pixel by pixel. */
function fromPixels({ pixels, width, height }: WirePixels, spec: InputSpec, image: ImageSpec): PreparedImage {
  const target = { width, height, channels: imageShape(spec).channels, dtype: spec.dtype, image };
  const data = toData(pixels, target);
  const placement = letterbox(image.fit, target, target);
  const feed: ImageFeed = { shape: shapeOf(target), dtype: spec.dtype, data };
  return { feed, placement, recycle: () => recycle(data), close: () => undefined };
}

export const isPixels = (image: WireImage["image"]): image is WirePixels =>
  typeof image === "object" && "pixels" in image;

export const toImageData = ({ pixels, width, height }: WirePixels): ImageData => new ImageData(pixels, width, height);

/** What an image becomes. */
interface ImageTarget extends Size {
  channels: number;
  dtype: DType;
  image: ImageSpec;
}

function openFeed(drawable: Drawable, placement: Letterbox, target: ImageTarget): PreparedImage {
  const { dtype, image } = target;
  let source: Drawable | undefined = drawable;
  let data: TypedArray | undefined;
  const feed: ImageFeed = {
    shape: shapeOf(target),
    dtype,
    get data() {
      data ??= pixelsToData(source as Drawable, placement, target);
      return data;
    },
    get placed() {
      return source && { source, placement, image };
    },
  };
  const close = () => {
    source?.close();
    source = undefined;
  };
  return { feed, placement, recycle: () => data && recycle(data), close };
}

const shapeOf = ({ channels, height, width, image }: ImageTarget): number[] =>
  image.layout === "nchw" ? [1, channels, height, width] : [1, height, width, channels];

function noImage({ name, dtype, shape }: InputSpec): InsituError {
  return new InsituError(
    "input_invalid",
    `The input ${name} takes numbers, not an image: pass ${dtype} values of shape [${shape}].`,
    { input: name, shape },
  );
}

// ---- opening -----------------------------------------------------------------------------------------------------

/** The drawable image, with the size of the image that the caller passed. */
async function open({ image, base, size }: WireImage, signal?: AbortSignal): Promise<Size & { drawable: Drawable }> {
  if (typeof VideoFrame !== "undefined" && image instanceof VideoFrame)
    return { drawable: image, width: image.displayWidth, height: image.displayHeight };
  const bitmap = image instanceof ImageBitmap ? image : await decode(image as Blob | WirePixels | string, base, signal);
  if (bitmap.width === 0 || bitmap.height === 0) {
    throw new InsituError("input_invalid", "The image is empty (0 pixels). Wait until it is loaded before predicting.");
  }
  return { drawable: bitmap, width: size?.width ?? bitmap.width, height: size?.height ?? bitmap.height };
}

async function decode(image: Blob | WirePixels | string, base?: string, signal?: AbortSignal): Promise<ImageBitmap> {
  if (isPixels(image)) return createImageBitmap(toImageData(image));
  const file = typeof image === "string" ? await fetchImage(image, base, signal) : image;
  try {
    return await createImageBitmap(file);
  } catch (error) {
    const source = typeof image === "string" ? ` from ${image.slice(0, 200)}` : "";
    throw asInsituError(
      error,
      "input_invalid",
      `Could not decode a file of type "${file.type || "unknown"}" and ${file.size} bytes${source} as an image. Pass a JPEG, PNG, WebP, GIF or AVIF`,
    );
  }
}

/** Frames that hold RGB; others hold YUV, or are on the GPU. */
const RGB_FORMATS: readonly (string | null)[] = ["RGBA", "RGBX", "BGRA", "BGRX"];

/**
 * Reduces a large frame of RGB: a canvas first copies all of it (8 ms for 1080p), `createImageBitmap` reads only what it needs
 * (1.4 ms). For frames of YUV the canvas is faster (10 instead of 14 ms).
 */
async function reduced(drawable: Drawable, placement: Letterbox): Promise<Drawable> {
  const small = "format" in drawable && RGB_FORMATS.includes(drawable.format) ? reducedSize(placement) : undefined;
  if (!small) return drawable;
  const options = { resizeWidth: small.width, resizeHeight: small.height, resizeQuality: "medium" } as const;
  return createImageBitmap(drawable, options);
}

// ---- pixels ------------------------------------------------------------------------------------------------------

function pixelsToData(source: Drawable, placement: Letterbox, target: ImageTarget): TypedArray {
  return toData(draw(source, placement, target.image.border, target, target.channels === 4), target);
}

function toData(pixels: Uint8ClampedArray, target: ImageTarget): TypedArray {
  const { width, height, channels, image } = target;
  const data = takeBuffer(width * height * channels);
  normalise(pixels, channels, image, data);
  return target.dtype === "int32" ? rounded(data) : data;
}

/** In the same memory, so that one pool serves both types. */
function rounded(data: Float32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const integers = new Int32Array(data.buffer, data.byteOffset, data.length);
  for (let index = 0; index < data.length; index += 1) integers[index] = Math.round(data[index] as number);
  return integers;
}

function recycle({ buffer, byteOffset, length }: TypedArray): void {
  giveBuffer(new Float32Array(buffer as ArrayBuffer, byteOffset, length));
}

let context: OffscreenCanvasRenderingContext2D | undefined;

function draw(
  source: Drawable,
  at: Letterbox,
  [red, green, blue]: ImageSpec["border"],
  { width, height }: Size,
  hasAlpha: boolean,
): Uint8ClampedArray {
  if (context?.canvas.width !== width || context.canvas.height !== height) {
    // willReadFrequently keeps the canvas in main memory: reading back from a GPU canvas takes longer than drawing on the CPU.
    context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true }) ?? undefined;
    if (!context) throw new InsituError("out_of_memory", `Could not create a ${width} x ${height} canvas.`);
    context.imageSmoothingQuality = "medium";
  }
  const area = [at.offsetX, at.offsetY, at.width * at.scaleX, at.height * at.scaleY] as const;
  context.fillStyle = `rgb(${red} ${green} ${blue})`;
  context.fillRect(0, 0, width, height);
  // Transparent pixels show the border's colour, unless the model reads alpha.
  if (hasAlpha) context.clearRect(...area);
  context.drawImage(source, ...area);
  return context.getImageData(0, 0, width, height).data;
}
