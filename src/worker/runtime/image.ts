// Turns a picture into the numbers that a model reads, and remembers where in the input the picture lies.
import { asInsituError, InsituError } from "../../shared/errors.js";
import { type Letterbox, letterbox, reducedSize, type Size } from "../../shared/letterbox.js";
import type { ImageSpec, InputSpec } from "../../shared/types/manifest.js";
import type { TensorData } from "../../shared/types/tensor.js";
import { giveBuffer, takeBuffer } from "./buffer-pool.js";

/** As it crossed the wall; `size` is that of the picture that the caller passed, where the page made it smaller. */
export interface Picture {
  image: ImageBitmap | VideoFrame | Blob;
  size?: Size;
}

export interface PlacedPicture {
  source: Drawable;
  placement: Letterbox;
  image: ImageSpec;
}

export interface PictureFeed extends TensorData {
  /** Where the picture is still open: what a session may use instead of `data`, which is made when it is first read. */
  readonly picture?: PlacedPicture;
}

export interface PreparedImage {
  feed: PictureFeed;
  placement: Letterbox;
  /** Keeps the feed's memory for later pictures; call it once nothing reads it any more, or never. */
  recycle(): void;
  /** Closes the picture; a second call does nothing. */
  close(): void;
}

/**
 * Reads a picture into `[1, height, width, channels]`: at once, or where `stays` is set when the numbers are asked for, until
 * `close`. Throws `input_invalid` for what is no picture or an empty one.
 */
export async function toFeed(picture: Picture, spec: InputSpec, stays = false): Promise<PreparedImage> {
  const [, height = 0, width = 0, channels = 0] = spec.shape;
  const { image } = spec;
  if (!image) {
    throw new InsituError(
      "input_invalid",
      `The input ${spec.name} takes numbers, not a picture: pass ${spec.dtype} values of shape [${spec.shape}].`,
      { input: spec.name, shape: spec.shape },
    );
  }
  const opened = await open(picture);
  const placement = letterbox(image.fit, opened, { width, height });
  let source: Drawable | undefined = opened.drawable;
  let data: Float32Array<ArrayBuffer> | undefined;
  const numbers = (drawable: Drawable): Float32Array<ArrayBuffer> => {
    const pixels = draw(drawable, placement, image.border, width, height);
    const made = takeBuffer(width * height * channels);
    normalise(pixels, channels, image, made);
    return made;
  };
  const close = () => {
    source?.close();
    source = undefined;
  };
  if (!stays) {
    try {
      source = await reduced(opened.drawable, placement);
      data = numbers(source);
    } finally {
      close();
      opened.drawable.close();
    }
  }
  const feed: PictureFeed = {
    shape: [1, height, width, channels],
    dtype: "float32",
    get data() {
      data ??= numbers(source as Drawable);
      return data;
    },
    get picture() {
      return source && { source, placement, image };
    },
  };
  return { feed, placement, recycle: () => data && giveBuffer(data), close };
}

type Drawable = ImageBitmap | VideoFrame;

/** With the size of the picture that the caller passed. */
interface Opened extends Size {
  drawable: Drawable;
}

async function open({ image, size }: Picture): Promise<Opened> {
  if (typeof VideoFrame !== "undefined" && image instanceof VideoFrame)
    return { drawable: image, width: image.displayWidth, height: image.displayHeight };
  const bitmap = image instanceof ImageBitmap ? image : await decode(image as Blob);
  if (bitmap.width === 0 || bitmap.height === 0) {
    throw new InsituError(
      "input_invalid",
      "The picture is empty (0 pixels). Wait until it is loaded before predicting.",
    );
  }
  return { drawable: bitmap, width: size?.width ?? bitmap.width, height: size?.height ?? bitmap.height };
}

async function decode(file: Blob): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(file);
  } catch (error) {
    throw asInsituError(
      error,
      "input_invalid",
      `Could not read a file of type "${file.type || "unknown"}" and ${file.size} bytes as a picture. Pass a JPEG, PNG, WebP, GIF or AVIF`,
    );
  }
}

/** Frames that hold RGB; others hold YUV, or are on the GPU. */
const RGB_FORMATS: readonly (string | null)[] = ["RGBA", "RGBX", "BGRA", "BGRX"];

/**
 * A large frame of RGB made smaller: a canvas first copies all of it (8 ms for 1080p), `createImageBitmap` reads what it needs
 * (1.4 ms). For frames of YUV the canvas is the faster one (10 instead of 14 ms).
 */
async function reduced(drawable: Drawable, placement: Letterbox): Promise<Drawable> {
  const small = "format" in drawable && RGB_FORMATS.includes(drawable.format) ? reducedSize(placement) : undefined;
  if (!small) return drawable;
  const options = { resizeWidth: small.width, resizeHeight: small.height, resizeQuality: "medium" } as const;
  return createImageBitmap(drawable, options);
}

let context: OffscreenCanvasRenderingContext2D | undefined;

function draw(
  picture: Drawable,
  at: Letterbox,
  [red, green, blue]: ImageSpec["border"],
  width: number,
  height: number,
): Uint8ClampedArray {
  if (context?.canvas.width !== width || context.canvas.height !== height) {
    // willReadFrequently keeps the canvas in main memory: reading back from a GPU canvas costs more than drawing on the CPU.
    context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true }) ?? undefined;
    if (!context) throw new InsituError("out_of_memory", `No canvas of ${width} x ${height} could be had.`);
    context.imageSmoothingQuality = "medium";
  }
  context.fillStyle = `rgb(${red} ${green} ${blue})`;
  context.fillRect(0, 0, width, height);
  context.drawImage(picture, at.offsetX, at.offsetY, at.width * at.scaleX, at.height * at.scaleY);
  return context.getImageData(0, 0, width, height).data;
}

/** RGBA bytes to `(pixel * scale - mean) / std` in `data`, in one pass. One channel is the luma of Rec. 601. */
export function normalise(
  pixels: Uint8ClampedArray,
  channels: number,
  { scale, mean, std }: ImageSpec,
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
  for (let from = 0, to = 0; from < pixels.length; from += 4, to += 3) {
    data[to] = (pixels[from] as number) * f0 + s0;
    data[to + 1] = (pixels[from + 1] as number) * f1 + s1;
    data[to + 2] = (pixels[from + 2] as number) * f2 + s2;
  }
}
