// Converts the caller's input to what can cross to the worker, without consuming the caller's objects.
import { asInsituError, InsituError } from "../../shared/errors.js";
import type { WireImage, WireInput } from "../../shared/protocol.js";
import type { InputSpec } from "../../shared/types/manifest.js";
import type { TypedArray } from "../../shared/types/tensor.js";
import type { ImageInput, PredictInput } from "../api-types.js";
import { type CapturedImage, captureImage, type Drawable, isInstanceOf } from "./capture-image.js";

export interface TransferableInput {
  input: WireInput;
  /** Objects that are moved instead of copied; all of them were created here. */
  transfer: Transferable[];
}

/**
 * Reads all pixels before it first waits. Images much larger than the model's input are reduced, where that saves work. Throws
 * `input_invalid` for anything that is neither an image nor numbers, and for images that are not loaded.
 */
export async function toWireInput(input: PredictInput, specs: InputSpec[]): Promise<TransferableInput> {
  const transfer: Transferable[] = [];
  const read = async (value: ImageInput, isSpec: (spec: InputSpec) => unknown) => {
    const wire = await toWireImage(value, specs.find(isSpec));
    // A Blob and a URL have nothing to close, and are copied.
    if ((wire.image as ImageBitmap).close) transfer.push(wire.image as ImageBitmap);
    return wire;
  };
  if (isNumbers(input)) return { input: { kind: "tensor", data: input }, transfer };
  if (isImage(input)) return { input: { kind: "image", ...(await read(input, ({ image }) => image)) }, transfer };
  const entries = Object.entries(Object(input) as Record<string, TypedArray | ImageInput>);
  if (!entries.length || !entries.every(([, value]) => isNumbers(value) || isImage(value))) {
    throw new InsituError(
      "input_invalid",
      `Cannot predict from ${describe(input)}. Pass an image, its URL, a Float32Array, Int32Array or Uint8Array, or an object of these by input name.`,
    );
  }
  const data: Record<string, TypedArray | WireImage> = {};
  await Promise.all(
    entries.map(async ([name, value]) => {
      data[name] = isNumbers(value) ? value : await read(value, (spec) => spec.name === name);
    }),
  );
  return { input: { kind: "tensors", data }, transfer };
}

const IMAGES = [
  "ImageBitmap",
  "ImageData",
  "HTMLImageElement",
  "HTMLVideoElement",
  "HTMLCanvasElement",
  "OffscreenCanvas",
  "VideoFrame",
  "Blob",
  "URL",
] as const;

function isImage(value: unknown): value is ImageInput {
  return typeof value === "string" ? value !== "" : IMAGES.some((type) => isInstanceOf(value, type));
}

async function toWireImage(value: ImageInput, spec?: InputSpec): Promise<WireImage> {
  if (isInstanceOf(value, "VideoFrame")) return { image: (value as VideoFrame).clone() };
  // A Blob crosses by reference and is decoded in the worker, which also fetches URLs.
  if (isInstanceOf(value, "Blob")) return { image: nonEmpty(value as Blob) };
  if (typeof value === "string" || isInstanceOf(value, "URL")) return { image: `${value}`, base: document.baseURI };
  return take(value as Drawable, spec);
}

async function take(source: Drawable, spec?: InputSpec): Promise<CapturedImage> {
  try {
    return await captureImage(source, spec);
  } catch (error) {
    throw asInsituError(
      error,
      "input_invalid",
      `The image in ${describe(source)} is empty, broken or not loaded yet; wait for its load event`,
    );
  }
}

function nonEmpty(blob: Blob): Blob {
  if (blob.size > 0) return blob;
  throw new InsituError("input_invalid", "The file is empty (0 bytes); pass an image.");
}

function isNumbers(value: unknown): value is TypedArray {
  return value instanceof Float32Array || value instanceof Int32Array || value instanceof Uint8Array;
}

function describe(value: unknown): string {
  return typeof value === "object" && value !== null ? (value.constructor?.name ?? "an object") : String(value);
}
