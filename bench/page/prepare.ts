// Turns a picture into the numbers of an input, for engines that bring no way of their own: insitu's pass, on this thread.
import { letterbox } from "../../src/shared/letterbox.js";
import type { Manifest } from "../../src/shared/types/manifest.js";
import { normalise } from "../../src/worker/runtime/image.js";

const contexts = new Map<string, CanvasRenderingContext2D>();

/** Drawn and read back from a canvas in main memory, then scaled in one pass: what insitu's worker does. */
export function prepare(image: HTMLImageElement, { inputs }: Manifest): Float32Array {
  const [input] = inputs;
  const [, height = 1, width = 1, channels = 3] = input?.shape ?? [];
  if (!input?.image) throw new Error(`The input ${input?.name} takes no picture.`);
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
  if (!context) throw new Error(`No canvas of ${key} could be had.`);
  context.imageSmoothingQuality = "medium";
  contexts.set(key, context);
  return context;
}
