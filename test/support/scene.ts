// An image that shows every mistake in resizing, in every kind of input, and the numbers that are right for it.
import type { ImageSpec } from "../../src/shared/types/manifest.js";

/** Makes `window.scene` and the others. An image whose four quarters differ and have noise, and everything that can hold it. */
export const SCENE = `
window.scene = (width, height) => {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const colours = ["#d02010", "#10c030", "#2030e0", "#e0e020"];
  for (const [index, colour] of colours.entries()) {
    context.fillStyle = colour;
    context.fillRect(index % 2 ? Math.floor(width / 2) : 0, index > 1 ? Math.floor(height / 2) : 0, width, height);
  }
  let state = 1;
  const next = () => (state = (state * 48271) % 2147483647) / 2147483647;
  for (let spot = 0; spot < 2000; spot += 1) {
    context.fillStyle = "rgba(" + [next(), next(), next()].map((part) => Math.floor(part * 255)) + ",0.3)";
    context.fillRect(next() * width, next() * height, width / 60, height / 60);
  }
  return canvas;
};
window.meanOf = (canvas, size, [left, top, across, down], border) => {
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  // How much of each of the image's pixels, along one side, is in each of the input's; the rest is border.
  const shares = (count, start, length) => Array.from({ length: size }, (_, at) => {
    const from = (at - start) * count / length;
    const to = (at + 1 - start) * count / length;
    const parts = [];
    for (let pixel = Math.max(0, Math.floor(from)); pixel < Math.min(count, to); pixel += 1)
      parts.push([pixel, (Math.min(to, pixel + 1) - Math.max(from, pixel)) / (to - from)]);
    return parts;
  });
  const rows = shares(height, top, down);
  const columns = shares(width, left, across);
  return rows.flatMap((row) => columns.flatMap((column) => {
    const sum = [0, 0, 0];
    let share = 0;
    for (const [y, tall] of row) for (const [x, wide] of column) {
      share += tall * wide;
      for (let channel = 0; channel < 3; channel += 1) sum[channel] += data[(y * width + x) * 4 + channel] * tall * wide;
    }
    return sum.map((value, channel) => value + border[channel] * (1 - share));
  }));
};
window.kinds = async (canvas) => {
  const { width, height } = canvas;
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  const element = new Image();
  element.src = URL.createObjectURL(blob);
  await element.decode();
  const offscreen = new OffscreenCanvas(width, height);
  offscreen.getContext("2d").drawImage(canvas, 0, 0);
  const bitmap = await createImageBitmap(canvas);
  return {
    blob, element, canvas, offscreen, bitmap,
    data: canvas.getContext("2d").getImageData(0, 0, width, height),
    frame: new VideoFrame(canvas, { timestamp: 0 }),
  };
};`;

/** Left, top, width and height of the image in the input, by the definition of the fits. */
export function placed(
  fit: ImageSpec["fit"],
  size: number,
  width: number,
  height: number,
): [number, number, number, number] {
  const scales: [number, number] = [size / width, size / height];
  const scale = fit === "contain" ? Math.min(...scales) : Math.max(...scales);
  const [x, y] = fit === "stretch" ? scales : [scale, scale];
  return [(size - width * x) / 2, (size - height * y) / 2, width * x, height * y];
}

/** Of two inputs, in units of their numbers. */
export function meanError(a: number[], b: number[]): number {
  return a.reduce((sum, value, at) => sum + Math.abs(value - (b[at] as number)), 0) / a.length;
}
