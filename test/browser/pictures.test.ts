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
    await makePictureModel(dir, { width: SIZE, height: SIZE, boxes: [BOX], image: { fit, border: [9, 99, 199] } });
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
    draw(width: number, height: number): HTMLCanvasElement;
    kinds(canvas: HTMLCanvasElement): Promise<Record<string, ImageInput>>;
  }
}

/** In the page: a picture whose four quarters differ and have noise, and everything that can hold it. */
const SCENE = `
window.draw = (width, height) => {
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

interface Seen {
  box: Box;
  pixels: number[];
}

/** Predicts each kind of a picture of this size twice: the second answer comes from recycled memory. */
function see(fit: ImageSpec["fit"], width: number, height: number): Promise<Record<string, Seen>> {
  return library.page.evaluate(
    async ([url, across, down]) => {
      const client = window.insitu.createClient({ backends: ["cpu"] });
      const model = await client.load(url, { task: "detection" });
      const seen: Record<string, Seen> = {};
      for (const [kind, input] of Object.entries(await window.kinds(window.draw(across, down)))) {
        const first = await model.predict(input);
        const { value, outputs } = await model.predict(input);
        const pixels = Array.from(outputs["pixels:0"]?.data ?? []);
        if (pixels.some((pixel, at) => pixel !== first.outputs["pixels:0"]?.data[at]))
          throw new Error(`${kind} changed between two predictions`);
        if (value.length !== 1) throw new Error(`${kind}: ${value.length} boxes`);
        seen[kind] = { box: value[0]?.box as Box, pixels };
      }
      await client.dispose();
      return seen;
    },
    [`/models/${fit}/`, width, height] as const,
  );
}

/** Where `BOX` lies in a picture, by the definition of the fits. */
function expectedBox(fit: ImageSpec["fit"], width: number, height: number): Box {
  const scales = [SIZE / width, SIZE / height];
  const scale = fit === "contain" ? Math.min(...scales) : Math.max(...scales);
  const [x = 1, y = 1] = fit === "stretch" ? scales : [scale, scale];
  const [left, top, right, bottom] = BOX;
  return {
    x: (left - (SIZE - width * x) / 2) / x,
    y: (top - (SIZE - height * y) / 2) / y,
    width: (right - left) / x,
    height: (bottom - top) / y,
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
    const seen = await see(fit, width, height);
    expect(Object.keys(seen).sort()).toEqual(KINDS);
    const expected = expectedBox(fit, width, height);
    // The file is decoded in the worker and drawn in one step: what the others must come close to.
    const reference = seen.blob?.pixels as number[];
    for (const [kind, { box, pixels }] of Object.entries(seen)) {
      for (const side of ["x", "y", "width", "height"] as const)
        expect(box[side], `${kind} ${side}`).toBeCloseTo(expected[side], 2);
      expect(pixels, kind).toHaveLength(SIZE * SIZE * 3);
      console.log(fit, width, height, kind, meanError(pixels, reference).toFixed(2));
      expect(meanError(pixels, reference), kind).toBeLessThan(3);
    }
  });
});
