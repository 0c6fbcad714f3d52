// Every kind of image input gives the model the same pixels, and boxes in the pixels of the input.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { ImageSpec } from "../../../../src/shared/types/manifest.js";
import type { BoundingBox } from "../../../../src/shared/types/model.js";
import type { LibraryPage } from "../../../support/page.js";
import { makePictureModel } from "../../../support/pictures.js";
import { meanError, placed, SCENE } from "../../../support/scene.js";
import { openSharedLibrary } from "../../../support/shared-browser.js";

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
  library = await openSharedLibrary({ mounts });
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

const BORDER: [number, number, number] = [9, 99, 199];

interface Seen {
  box: BoundingBox;
  pixels: number[];
}

/** Predicts each kind of image of this size twice, since the second may come from recycled memory; and what is right. */
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
        seen[kind] = { box: value[0]?.box as BoundingBox, pixels };
      }
      await client.dispose();
      return { seen, mean: window.meanOf(canvas, size, at, border) };
    },
    [`/models/${fit}/`, width, height, SIZE, placed(fit, SIZE, width, height), BORDER] as const,
  );
}

/** Where `BOX` lies in the image. */
function expectedBox(fit: ImageSpec["fit"], width: number, height: number): BoundingBox {
  const [x, y, across, down] = placed(fit, SIZE, width, height);
  const [left, top, right, bottom] = BOX;
  return {
    x: ((left - x) * width) / across,
    y: ((top - y) * height) / down,
    width: ((right - left) * width) / across,
    height: ((bottom - top) * height) / down,
  };
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
