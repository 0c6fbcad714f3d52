// Preprocesses a picture for engines without their own preprocessing, with insitu's code on the main thread.
import { letterbox } from "../../src/shared/letterbox.js";
import type { Manifest } from "../../src/shared/types/manifest.js";
import { normalise } from "../../src/worker/runtime/normalise.js";

const contexts = new Map<string, CanvasRenderingContext2D>();

/** Draws to a canvas in main memory, reads it back and scales it in one pass, as insitu's worker does. */
export function prepare(image: HTMLImageElement, { inputs }: Manifest): Float32Array {
  const [input] = inputs;
  const [, height = 1, width = 1, channels = 3] = input?.shape ?? [];
  if (!input?.image) throw new Error(`The input ${input?.name} does not take an image.`);
  const { fit, border } = input.image;
  const at = letterbox(fit, { width: image.naturalWidth, height: image.naturalHeight }, { width, height });
  const context = contextOf(width, height);
  context.fillStyle = `rgb(${border.join(" ")})`;
  context.fillRect(0, 0, width, height);
  context.drawImage(image, at.offsetX, at.offsetY, at.width * at.scaleX, at.height * at.scaleY);
  const data = new Float32Array(width * height * channels);
  normalise(context.getImageData(0, 0, width, height).data, channels, input.image, data);
  return data;
}

function contextOf(width: number, height: number): CanvasRenderingContext2D {
  const key = `${width} x ${height}`;
  const known = contexts.get(key);
  if (known) return known;
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error(`Could not create a canvas of ${key}.`);
  context.imageSmoothingQuality = "medium";
  contexts.set(key, context);
  return context;
}
