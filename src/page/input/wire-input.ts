// Converts the caller's input to what can cross to the worker, without consuming the caller's objects.
import { asInsituError } from "../../shared/errors.js";
import type { WireImage, WireInput, WireNumbers, WirePixels } from "../../shared/protocol.js";
import type { InputSpec } from "../../shared/types/manifest.js";
import type { ShapedNumbers, TypedArray } from "../../shared/types/tensor.js";
import type { ImageInput, NumbersInput, PredictInput } from "../api-types.js";
import {
  type CapturedImage,
  captureImage,
  type Drawable,
  isInstanceOf,
  OTHER_ORIGIN,
  typeOf,
} from "./capture-image.js";

export interface TransferableInput {
  input: WireInput;
  /** Objects that are moved instead of copied; all of them were created here. */
  transfer: Transferable[];
}

/**
 * Reads all pixels before it first waits. Images much larger than the model's input are reduced, where that saves work. Throws
 * `input_invalid` for anything that is neither an image nor numbers, and for what cannot be read: closed, detached, of another origin.
 */
export async function toWireInput(input: PredictInput, specs: InputSpec[]): Promise<TransferableInput> {
  const transfer: Transferable[] = [];
  try {
    return { input: await read(input, specs, transfer), transfer };
  } catch (error) {
    // What is not sent is not closed by the worker.
    for (const each of transfer) (each as Partial<ImageBitmap>).close?.();
    // Objects of the caller may throw anything when they are looked at.
    throw asInsituError(error, "input_invalid", `Cannot predict from ${describe(input)}`);
  }
}

async function read(input: PredictInput, specs: InputSpec[], transfer: Transferable[]): Promise<WireInput> {
  const image = async (value: ImageInput, isSpec: (spec: InputSpec) => unknown) => {
    const wire = await toWireImage(value, specs.find(isSpec));
    // A Blob and a URL have nothing to close, and are copied.
    if ((wire.image as ImageBitmap).close) transfer.push(wire.image as ImageBitmap);
    if ((wire.image as WirePixels).pixels) moveIfLarge((wire.image as WirePixels).pixels, transfer);
    return wire;
  };
  const numbers = (value: NumbersInput): WireNumbers => {
    const { data = value as TypedArray, shape } = value as ShapedNumbers;
    if (data.length === 0) throw new Error("it is empty or was transferred");
    // Structured clone would copy all of a buffer of which this may be a small part, and later: the caller may write the next numbers.
    const own = data.slice();
    moveIfLarge(own, transfer);
    return shape ? { data: own, shape } : own;
  };
  if (isNumbers(input)) return { kind: "tensor", data: numbers(input) };
  if (isImage(input)) return { kind: "image", ...(await image(input, ({ image }) => image)) };
  const entries = Object.entries(Object(input) as Record<string, NumbersInput | ImageInput>);
  if (!entries.length || !entries.every(([, value]) => isNumbers(value) || isImage(value))) {
    throw new Error("pass an image, its URL, a Float32Array, Int32Array or Uint8Array, or these by name");
  }
  const data: Record<string, WireNumbers | WireImage> = {};
  await Promise.all(
    entries.map(async ([name, value]) => {
      data[name] = isNumbers(value) ? numbers(value) : await image(value, (spec) => spec.name === name);
    }),
  );
  return { kind: "tensors", data };
}

// Below it a copy takes less time than what the browser does to move a buffer.
const MOVED_BYTES = 16_384;

function moveIfLarge({ buffer }: ArrayBufferView, transfer: Transferable[]): void {
  if (buffer.byteLength >= MOVED_BYTES) transfer.push(buffer as ArrayBuffer);
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
  "File",
  "URL",
];

function isImage(value: unknown): value is ImageInput {
  return typeof value === "string" ? value !== "" : IMAGES.includes(typeOf(value));
}

async function toWireImage(value: ImageInput, spec?: InputSpec): Promise<WireImage> {
  // A Blob crosses by reference and is decoded in the worker, which also fetches URLs.
  if (isInstanceOf(value, "Blob") || isInstanceOf(value, "File")) return { image: nonEmpty(value as Blob) };
  if (typeof value === "string" || isInstanceOf(value, "URL")) return { image: `${value}`, base: document.baseURI };
  return take(value as Drawable | VideoFrame, spec);
}

async function take(source: Drawable | VideoFrame, spec?: InputSpec): Promise<CapturedImage> {
  try {
    if (isInstanceOf(source, "VideoFrame")) return { image: (source as VideoFrame).clone() };
    return await captureImage(source as Drawable, spec);
  } catch (error) {
    const isTainted = (error as DOMException).name === "SecurityError";
    const problem = isTainted ? OTHER_ORIGIN : `${describe(source)} is empty, broken or not loaded, or closed`;
    throw asInsituError(error, "input_invalid", problem);
  }
}

function nonEmpty(blob: Blob): Blob {
  if (blob.size) return blob;
  throw new Error("the file is empty");
}

function isNumbers(value: unknown): value is NumbersInput {
  const { data, shape } = Object(value);
  const numbers = Array.isArray(shape) ? data : value;
  return ArrayBuffer.isView(numbers) && ["Float32Array", "Int32Array", "Uint8Array"].includes(typeOf(numbers));
}

function describe(value: unknown): string {
  return typeof value === "object" && value ? `an object of type ${typeOf(value)}` : String(value).slice(0, 100);
}
