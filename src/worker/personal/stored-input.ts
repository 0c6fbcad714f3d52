// Converts an input to what is stored with its example, and back, so that another release of the base model can embed it again.
import { asInsituError, InsituError } from "../../shared/errors.js";
import type { WireImage, WireInput, WireNumbers } from "../../shared/protocol.js";
import type { TypedArray } from "../../shared/types/tensor.js";
import { fetchImage } from "../runtime/fetch-image.js";
import { isPixels, toImageData } from "../runtime/image.js";
import { bytesOf, type PlainContent } from "./aes-gcm.js";

/** What is stored beside the bytes of an input. */
export type StoredInput =
  | { kind: "image"; type: string }
  | { kind: "numbers"; arrays: { name?: string; of: ArrayKind }[] };

export type ArrayKind = "float32" | "int32" | "uint8";
export const ARRAYS = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array } as const;

// Twice the longer side of most models' inputs: a later model may read more pixels than this one.
const MAX_SIDE = 640;
// JPEG's usual "visually lossless"; an embedding moves by less than between two frames of a camera.
const QUALITY = 0.92;

/**
 * Encodes an image anew as JPEG, so that metadata of a file (place, camera, time) is not stored. Does not consume the input.
 */
export async function toStoredInput(input: WireInput): Promise<PlainContent> {
  switch (input.kind) {
    case "image": {
      const { image, base } = input;
      const blob = await toJpeg(typeof image === "string" ? await fetchImage(image, base) : image);
      const kept: StoredInput = { kind: "image", type: blob.type };
      return { facts: kept, parts: [new Uint8Array(await blob.arrayBuffer())] };
    }
    case "tensor":
      return numbers([[undefined, numbersOnly("", input.data)]]);
    case "tensors":
      return numbers(Object.entries(input.data).map(([name, value]) => [name, numbersOnly(name, value)]));
    default:
      return input satisfies never;
  }
}

export function fromStoredInput(kept: StoredInput, parts: Uint8Array[]): WireInput {
  if (kept.kind === "image") return { kind: "image", image: storedInputBlob(kept, parts) };
  const arrays = kept.arrays.map(({ name, of }, index): [string | undefined, TypedArray] => [
    name,
    new ARRAYS[of]((parts[index] as Uint8Array).slice().buffer as ArrayBuffer),
  ]);
  const [first] = arrays;
  if (first && first[0] === undefined) return { kind: "tensor", data: first[1] };
  return { kind: "tensors", data: Object.fromEntries(arrays as [string, TypedArray][]) };
}

export function storedInputBlob(kept: StoredInput, parts: Uint8Array[]): Blob {
  const type = kept.kind === "image" ? kept.type : "application/octet-stream";
  return new Blob(parts as Uint8Array<ArrayBuffer>[], { type });
}

function numbersOnly(name: string, value: WireNumbers | WireImage): TypedArray {
  if (ArrayBuffer.isView(value)) return value;
  const message =
    "shape" in value
      ? "Numbers with a shape cannot be kept. Add the example without keep."
      : `The input ${name} is an image: an example with several inputs can be kept only if all of them are numbers. Add it without keep.`;
  throw new InsituError("input_invalid", message, { input: name });
}

function numbers(arrays: [name: string | undefined, data: TypedArray][]): PlainContent {
  const kept: StoredInput = {
    kind: "numbers",
    arrays: arrays.map(([name, data]) => ({ ...(name !== undefined && { name }), of: kindOf(data) })),
  };
  return { facts: kept, parts: arrays.map(([, data]) => bytesOf(data).slice()) };
}

function kindOf(data: TypedArray): ArrayKind {
  if (data instanceof Float32Array) return "float32";
  return data instanceof Int32Array ? "int32" : "uint8";
}

async function toJpeg(image: Exclude<WireImage["image"], string>): Promise<Blob> {
  const bitmap = await createImageBitmap(isPixels(image) ? toImageData(image) : image).catch((error: unknown) => {
    throw asInsituError(error, "input_invalid", "The image cannot be kept, since it cannot be decoded");
  });
  try {
    const scale = Math.min(1, MAX_SIDE / Math.max(bitmap.width, bitmap.height));
    const canvas = new OffscreenCanvas(
      Math.max(1, Math.round(bitmap.width * scale)),
      Math.max(1, Math.round(bitmap.height * scale)),
    );
    const context = canvas.getContext("2d");
    if (!context) {
      const message = `The image cannot be kept: the browser could not create a ${canvas.width} x ${canvas.height} canvas.`;
      throw new InsituError("input_invalid", message);
    }
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    return await canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY });
  } finally {
    bitmap.close();
  }
}
