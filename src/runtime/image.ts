// Turns a picture into the numbers that a model reads, and remembers where in the input the picture lies.
import { asInsituError, InsituError } from "../errors.js";
import type { ImageSpec, InputSpec, TensorData } from "../types.js";

export type Picture = ImageBitmap | VideoFrame | ImageData | Blob;

/** Where the picture lies in the model's input: `input = picture * scale + offset`, in pixels, for each axis. */
export interface Placement {
  scaleX: number;
  scaleY: number;
  offsetX: number;
  offsetY: number;
  /** Pixels of the picture. */
  width: number;
  height: number;
}

export interface Prepared {
  feed: TensorData;
  placement: Placement;
}

/** Reads a picture into `[1, height, width, channels]`; throws `input_invalid` for what is no picture or an empty one. */
export async function toFeed(picture: Picture, spec: InputSpec): Promise<Prepared> {
  const [, height = 0, width = 0, channels = 0] = spec.shape;
  const { image } = spec;
  if (!image) {
    throw new InsituError(
      "input_invalid",
      `The input ${spec.name} takes numbers, not a picture: pass ${spec.dtype} values of shape [${spec.shape}].`,
      { input: spec.name, shape: spec.shape },
    );
  }
  const source = await open(picture);
  try {
    const placement = place(image.fit, source.width, source.height, width, height);
    const pixels = draw(source.drawable, placement, image.border, width, height);
    return {
      feed: { data: normalise(pixels, channels, image), shape: [1, height, width, channels], dtype: "float32" },
      placement,
    };
  } finally {
    source.close();
  }
}

interface Opened {
  drawable: ImageBitmap | VideoFrame;
  width: number;
  height: number;
  close(): void;
}

async function open(picture: Picture): Promise<Opened> {
  if (typeof VideoFrame !== "undefined" && picture instanceof VideoFrame) {
    return {
      drawable: picture,
      width: picture.displayWidth,
      height: picture.displayHeight,
      close: () => picture.close(),
    };
  }
  const bitmap = picture instanceof ImageBitmap ? picture : await decode(picture as Blob | ImageData);
  if (bitmap.width === 0 || bitmap.height === 0) {
    throw new InsituError(
      "input_invalid",
      "The picture is empty (0 pixels). Wait until it is loaded before predicting.",
    );
  }
  return { drawable: bitmap, width: bitmap.width, height: bitmap.height, close: () => bitmap.close() };
}

async function decode(picture: Blob | ImageData): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(picture);
  } catch (error) {
    const what =
      picture instanceof Blob
        ? `a file of type "${picture.type || "unknown"}" and ${picture.size} bytes`
        : "the pixels";
    throw asInsituError(
      error,
      "input_invalid",
      `Could not read ${what} as a picture. Pass a JPEG, PNG, WebP, GIF or AVIF`,
    );
  }
}

/** Pure: how a picture is laid into the input. */
export function place(
  fit: ImageSpec["fit"],
  width: number,
  height: number,
  toWidth: number,
  toHeight: number,
): Placement {
  let scaleX = toWidth / width;
  let scaleY = toHeight / height;
  if (fit !== "stretch") {
    const scale = fit === "contain" ? Math.min(scaleX, scaleY) : Math.max(scaleX, scaleY);
    scaleX = scale;
    scaleY = scale;
  }
  const offsetX = (toWidth - width * scaleX) / 2;
  const offsetY = (toHeight - height * scaleY) / 2;
  return { scaleX, scaleY, offsetX, offsetY, width, height };
}

let context: OffscreenCanvasRenderingContext2D | undefined;

function draw(
  picture: ImageBitmap | VideoFrame,
  at: Placement,
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

/** Pure: RGBA bytes to `(pixel * scale - mean) / std`, in one pass. One channel is the luma of Rec. 601. */
export function normalise(pixels: Uint8ClampedArray, channels: number, { scale, mean, std }: ImageSpec): Float32Array {
  const count = pixels.length / 4;
  const data = new Float32Array(count * channels);
  // (pixel * scale - mean) / std as one multiplication and one addition.
  const factor = Array.from({ length: channels }, (_, channel) => scale / (std[channel] ?? 1));
  const shift = Array.from({ length: channels }, (_, channel) => -(mean[channel] ?? 0) / (std[channel] ?? 1));
  const [f0 = 1, f1 = 1, f2 = 1] = factor;
  const [s0 = 0, s1 = 0, s2 = 0] = shift;
  if (channels === 1) {
    for (let from = 0, to = 0; to < count; from += 4, to += 1) {
      const luma =
        0.299 * (pixels[from] as number) + 0.587 * (pixels[from + 1] as number) + 0.114 * (pixels[from + 2] as number);
      data[to] = luma * f0 + s0;
    }
    return data;
  }
  for (let from = 0, to = 0; from < pixels.length; from += 4, to += 3) {
    data[to] = (pixels[from] as number) * f0 + s0;
    data[to + 1] = (pixels[from + 1] as number) * f1 + s1;
    data[to + 2] = (pixels[from + 2] as number) * f2 + s2;
  }
  return data;
}
