// Whatever holds a picture, the model reads the same pixels of it, and boxes are in the pixels of what the caller passed.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Box, ImageInput, ImageSpec } from "../../src/types.js";
import { type LibraryPage, openLibrary } from "../support/page.js";
import { makePictureModel } from "../support/pictures.js";

const SIZE = 64;
const FITS = ["contain", "cover", "stretch"] as const;
/** Inside the input, so that no fit cuts it off. */
const BOX: [number, number, number, number] = [24, 26, 40, 38];

let library: LibraryPage;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "insitu-pictures-"));
  const mounts: Record<string, string> = {};
  for (const fit of FITS) {
    const dir = join(folder, fit);
    await makePictureModel(dir, { width: SIZE, height: SIZE, boxes: [BOX], image: { fit, border: BORDER } });
    mounts[`/models/${fit}/`] = dir;
  }
  library = await openLibrary({}, { mounts });
  await library.page.addScriptTag({ content: SCENE });
});
afterAll(async () => {
  await library?.close();
  if (folder) rmSync(folder, { recursive: true });
});
beforeEach(async () => {
  await library.visit();
  await library.page.addScriptTag({ content: SCENE });
});

declare global {
  interface Window {
    scene(width: number, height: number): HTMLCanvasElement;
    /** The mean of the picture's pixels in each of the input's, for a picture that lies at `left, top, width, height`. */
    meanOf(canvas: HTMLCanvasElement, size: number, at: number[], border: number[]): number[];
    kinds(canvas: HTMLCanvasElement): Promise<Record<string, ImageInput>>;
  }
}

/** In the page: a picture whose four quarters differ and have noise, and everything that can hold it. */
const SCENE = `
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
  // How much of each of the picture's pixels, along one side, is in each of the input's; the rest is border.
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

const BORDER: [number, number, number] = [9, 99, 199];

interface Seen {
  box: Box;
  pixels: number[];
}

/** Predicts each kind of a picture of this size twice, since the second may come from recycled memory; and what is right. */
function see(fit: ImageSpec["fit"], width: number, height: number) {
  return library.page.evaluate(
    async ([url, across, down, size, at, border]) => {
      const client = window.insitu.createClient({ backends: ["cpu"] });
      const model = await client.load(url, { task: "detection" });
      const canvas = window.scene(across, down);
      const seen: Record<string, Seen> = {};
      for (const [kind, input] of Object.entries(await window.kinds(canvas))) {
        const first = await model.predict(input);
        const { value, outputs } = await model.predict(input);
        const pixels = Array.from(outputs["pixels:0"]?.data ?? []);
        if (pixels.some((pixel, index) => pixel !== first.outputs["pixels:0"]?.data[index]))
          throw new Error(`${kind} changed between two predictions`);
        if (value.length !== 1) throw new Error(`${kind}: ${value.length} boxes`);
        seen[kind] = { box: value[0]?.box as Box, pixels };
      }
      await client.dispose();
      return { seen, mean: window.meanOf(canvas, size, at, border) };
    },
    [`/models/${fit}/`, width, height, SIZE, placed(fit, width, height), BORDER] as const,
  );
}

/** Left, top, width and height of the picture in the input, by the definition of the fits. */
function placed(fit: ImageSpec["fit"], width: number, height: number): [number, number, number, number] {
  const scales: [number, number] = [SIZE / width, SIZE / height];
  const scale = fit === "contain" ? Math.min(...scales) : Math.max(...scales);
  const [x, y] = fit === "stretch" ? scales : [scale, scale];
  return [(SIZE - width * x) / 2, (SIZE - height * y) / 2, width * x, height * y];
}

/** Where `BOX` lies in the picture. */
function expectedBox(fit: ImageSpec["fit"], width: number, height: number): Box {
  const [x, y, across, down] = placed(fit, width, height);
  const [left, top, right, bottom] = BOX;
  return {
    x: ((left - x) * width) / across,
    y: ((top - y) * height) / down,
    width: ((right - left) * width) / across,
    height: ((bottom - top) * height) / down,
  };
}

function meanError(a: number[], b: number[]): number {
  return a.reduce((sum, value, at) => sum + Math.abs(value - (b[at] as number)), 0) / a.length;
}

const KINDS = ["bitmap", "blob", "canvas", "data", "element", "frame", "offscreen"];

describe.each(FITS)("%s", (fit) => {
  test.each([
    ["1080p", 1920, 1080],
    ["upright", 301, 777],
    ["a little larger than the input", 70, 65],
    ["smaller than the input", 31, 17],
    ["of the input's size", SIZE, SIZE],
  ])("a picture that is %s", async (_name, width, height) => {
    const { seen, mean } = await see(fit, width, height);
    expect(Object.keys(seen).sort()).toEqual(KINDS);
    const expected = expectedBox(fit, width, height);
    // A file is decoded in the worker and drawn in one step, as browsers draw: no other way may be less true.
    const usual = meanError(seen.blob?.pixels as number[], mean);
    for (const [kind, { box, pixels }] of Object.entries(seen)) {
      for (const side of ["x", "y", "width", "height"] as const)
        expect(box[side], `${kind} ${side}`).toBeCloseTo(expected[side], 2);
      expect(pixels, kind).toHaveLength(SIZE * SIZE * 3);
      expect(meanError(pixels, mean), kind).toBeLessThan(usual + 1);
    }
  });
});
