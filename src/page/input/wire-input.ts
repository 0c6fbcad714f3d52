// Turns what a caller passed into what can cross to the worker, without consuming the caller's object.
import { asInsituError, InsituError } from "../../shared/errors.js";
import type { WireInput } from "../../shared/protocol.js";
import type { InputSpec } from "../../shared/types/manifest.js";
import type { TypedArray } from "../../shared/types/tensor.js";
import type { PredictInput } from "../api-types.js";
import { type CapturedImage, captureImage, type Drawable, isInstanceOf } from "./capture-image.js";

export interface TransferableInput {
  input: WireInput;
  /** What moves instead of being copied; all of it is ours. */
  transfer: Transferable[];
}

/**
 * Pictures much larger than the model's input cross smaller, where that saves work. Throws `input_invalid` for anything that is
 * neither a picture nor numbers, and for pictures that are not loaded.
 */
export async function toWireInput(input: PredictInput, specs: InputSpec[]): Promise<TransferableInput> {
  if (isInstanceOf(input, "VideoFrame")) {
    const image = (input as VideoFrame).clone();
    return { input: { kind: "image", image }, transfer: [image] };
  }
  // It crosses by reference and is decoded in the worker.
  if (isInstanceOf(input, "Blob")) return { input: { kind: "image", image: nonEmpty(input as Blob) }, transfer: [] };
  if (DRAWABLE.some((type) => isInstanceOf(input, type))) {
    const spec = specs.find(({ image }) => image);
    const taken = await take(input as Drawable, spec);
    return { input: { kind: "image", ...taken }, transfer: [taken.image] };
  }
  if (isNumbers(input)) return { input: { kind: "tensor", data: input }, transfer: [] };
  if (isRecord(input)) return { input: { kind: "tensors", data: { ...input } }, transfer: [] };
  throw new InsituError(
    "input_invalid",
    `Cannot predict from ${describe(input)}. Pass an image element, canvas, bitmap, video, VideoFrame, ImageData or Blob, a Float32Array, Int32Array or Uint8Array, or an object of those arrays by input name.`,
  );
}

const DRAWABLE = [
  "ImageBitmap",
  "ImageData",
  "HTMLImageElement",
  "HTMLVideoElement",
  "HTMLCanvasElement",
  "OffscreenCanvas",
] as const;

async function take(source: Drawable, spec?: InputSpec): Promise<CapturedImage> {
  try {
    return await captureImage(source, spec);
  } catch (error) {
    throw asInsituError(
      error,
      "input_invalid",
      `The picture in ${describe(source)} is empty, broken or not loaded yet; wait for its load event`,
    );
  }
}

function nonEmpty(blob: Blob): Blob {
  if (blob.size > 0) return blob;
  throw new InsituError("input_invalid", "The file is empty (0 bytes); pass a picture.");
}

function isNumbers(value: unknown): value is TypedArray {
  return value instanceof Float32Array || value instanceof Int32Array || value instanceof Uint8Array;
}

function isRecord(value: unknown): value is Record<string, TypedArray> {
  return (
    typeof value === "object" &&
    value !== null &&
    Object.values(value).length > 0 &&
    Object.values(value).every(isNumbers)
  );
}

function describe(value: unknown): string {
  return typeof value === "object" && value !== null ? (value.constructor?.name ?? "an object") : String(value);
}
