// Images that are easily read wrong: rotated, transparent, one pixel, huge, animated, changed meanwhile; none is consumed.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { BoundingBox } from "../../../../src/shared/types/model.js";
import type { LibraryPage } from "../../../support/page.js";
import { makePictureModel } from "../../../support/pictures.js";
import { openSharedLibrary } from "../../../support/shared-browser.js";
import type { SeenImage } from "../../../support/window.js";

const SIZE = 32;

let library: LibraryPage;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "insitu-pictures-"));
  // The box is the whole input: what is found is the whole image.
  await makePictureModel(folder, { width: SIZE, height: SIZE, image: { border: [200, 100, 50] } });
  library = await openSharedLibrary({ mounts: { "/models/pictures/": folder } });
});
afterAll(async () => {
  await library?.close();
  if (folder) rmSync(folder, { recursive: true });
});
beforeEach(async () => {
  await library.visit();
  await library.page.addScriptTag({ content: SCENE });
  await library.page.waitForFunction(() => "ask" in window);
});

const SCENE = `
const model = window.insitu.createClient({ backends: ["cpu"] }).load("/models/pictures/");
window.ask = async (input, ...points) => {
  const { value, outputs } = await (await model).predict(input);
  const { data } = outputs["pixels:0"];
  const at = Object.fromEntries(points.map(([x, y]) => [x + "," + y, Array.from(data.slice((y * ${SIZE} + x) * 3, (y * ${SIZE} + x) * 3 + 3))]));
  return { box: value[0].box, at };
};
window.paint = (width, height) => {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d");
  for (const [colour, ...at] of [["#f00", 0, 0, width, height], ["#00f", width / 2, 0, width / 2, height], ["#0f0", 0, 0, width, height / 4]]) {
    context.fillStyle = colour;
    context.fillRect(...at);
  }
  return canvas;
};
window.toBlob = (canvas, type) => new Promise((resolve) => canvas.toBlob(resolve, type, 1));
window.toElement = async (blob) => {
  const element = new Image();
  element.src = URL.createObjectURL(blob);
  await element.decode();
  return element;
};
// An EXIF block that holds nothing but the orientation, behind the JPEG's first marker.
window.turned = async (jpeg, orientation) => {
  const bytes = new Uint8Array(await jpeg.arrayBuffer());
  const tiff = [0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0];
  const block = [0xff, 0xe1, 0, 2 + 6 + tiff.length, 0x45, 0x78, 0x69, 0x66, 0, 0, ...tiff];
  return new Blob([bytes.slice(0, 2), new Uint8Array(block), bytes.slice(2)], { type: "image/jpeg" });
};`;

function expectColour(seen: number[] | undefined, wanted: [number, number, number], within = 4): void {
  expect(seen).toHaveLength(3);
  for (const [channel, value] of wanted.entries())
    expect(Math.abs((seen?.[channel] as number) - value), `${seen} for ${wanted}`).toBeLessThanOrEqual(within);
}

function expectBox(box: BoundingBox, width: number, height: number): void {
  expect(box.x).toBeCloseTo(0, 2);
  expect(box.y).toBeCloseTo(0, 2);
  expect(box.width).toBeCloseTo(width, 2);
  expect(box.height).toBeCloseTo(height, 2);
}

test.each([
  ["a file", 60, 60],
  ["a large file", 1200, 800],
  ["an element", 60, 60],
  ["a large element", 1200, 800],
])("a photo that the camera turned is upright: %s", async (kind, width, height) => {
  const seen = await library.page.evaluate(
    async ([what, across, down]) => {
      const file = await window.turned(await window.toBlob(window.paint(across, down), "image/jpeg"), 6);
      return window.ask(what.endsWith("element") ? await window.toElement(file) : file, [16, 3], [16, 28], [26, 16]);
    },
    [kind, width, height] as const,
  );
  // Turned by 90 degrees to the right: the top is on the right, the left is at the top.
  expectBox(seen.box, height, width);
  // Not near the border between the colours, which JPEG blurs.
  expectColour(seen.at["16,3"], [255, 0, 0], 12);
  expectColour(seen.at["16,28"], [0, 0, 255], 12);
  if (width === height) expectColour(seen.at["26,16"], [0, 255, 0], 12);
});

test.each(["blob", "element", "bitmap", "data", "canvas"])(
  "the border shines through what is see-through: %s",
  async (kind) => {
    const seen = await library.page.evaluate(async (what) => {
      const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 640 });
      const context = canvas.getContext("2d") as CanvasRenderingContext2D;
      context.fillStyle = "rgb(0 0 255 / 50%)";
      context.fillRect(320, 0, 320, 640);
      const blob = await window.toBlob(canvas, "image/png");
      const kinds: Record<string, () => unknown> = {
        blob: () => blob,
        element: () => window.toElement(blob),
        bitmap: () => createImageBitmap(canvas),
        data: () => context.getImageData(0, 0, 640, 640),
        canvas: () => canvas,
      };
      return window.ask(await kinds[what]?.(), [8, 16], [24, 16]);
    }, kind);
    expectColour(seen.at["8,16"], [200, 100, 50], 1);
    expectColour(seen.at["24,16"], [100, 50, 152], 2);
  },
);

test.each([
  ["one pixel", 1, 1],
  ["one pixel high", 3001, 1],
  ["one pixel wide", 1, 3001],
  ["of a prime size", 1009, 757],
])("%s", async (_name, width, height) => {
  const all = await library.page.evaluate(
    async ([across, down]) => {
      const canvas = window.paint(across, down);
      const context = canvas.getContext("2d") as CanvasRenderingContext2D;
      context.fillStyle = "#123456";
      context.fillRect(0, 0, across, down);
      const blob = await window.toBlob(canvas, "image/png");
      const kinds = {
        blob,
        canvas,
        element: await window.toElement(blob),
        bitmap: await createImageBitmap(canvas),
        data: context.getImageData(0, 0, across, down),
        frame: new VideoFrame(canvas, { timestamp: 0 }),
      };
      const seen: Record<string, SeenImage> = {};
      for (const [kind, input] of Object.entries(kinds)) seen[kind] = await window.ask(input, [0, 0], [16, 16]);
      return seen;
    },
    [width, height] as const,
  );
  expect(Object.keys(all)).toHaveLength(6);
  for (const { box, at } of Object.values(all)) {
    expectBox(box, width, height);
    // A row thinner than a pixel of the input leaves most of that pixel to the border.
    if (Math.min(width, height) * 32 >= Math.max(width, height)) expectColour(at["16,16"], [0x12, 0x34, 0x56], 2);
  }
});

test("a file and an element of 48 megapixels", async () => {
  const [file, element] = await library.page.evaluate(async () => {
    const blob = await window.toBlob(window.paint(8000, 6000), "image/jpeg");
    const points: [number, number][] = [[8, 20], [24, 20], [16, 6]]; // biome-ignore format: one line
    return [await window.ask(blob, ...points), await window.ask(await window.toElement(blob), ...points)];
  });
  for (const { box, at } of [file, element] as SeenImage[]) {
    expectBox(box, 8000, 6000);
    expectColour(at["8,20"], [255, 0, 0], 12);
    expectColour(at["24,20"], [0, 0, 255], 12);
    expectColour(at["16,6"], [0, 255, 0], 12);
  }
});

test("what was passed in is still the caller's", async () => {
  const left = await library.page.evaluate(async () => {
    const canvas = window.paint(640, 480);
    const bitmap = await createImageBitmap(canvas);
    const small = await createImageBitmap(canvas, 0, 0, 20, 20);
    const frame = new VideoFrame(canvas, { timestamp: 0 });
    const data = (canvas.getContext("2d") as CanvasRenderingContext2D).getImageData(0, 0, 640, 480);
    for (const input of [bitmap, small, frame, data]) await window.ask(input);
    const sizes = [bitmap.width, small.width, frame.displayWidth, data.data.length];
    frame.close();
    return sizes;
  });
  expect(left).toEqual([640, 20, 640, 640 * 480 * 4]);
});

test("the caller may draw the next image at once", async () => {
  const all = await library.page.evaluate(async () => {
    const canvas = window.paint(640, 640);
    const context = canvas.getContext("2d") as CanvasRenderingContext2D;
    const data = context.getImageData(0, 0, 640, 640);
    const running = [window.ask(canvas, [8, 20]), window.ask(data, [8, 20])];
    // Only a model that is loaded takes its pictures at once.
    await Promise.all(running);
    const again = [window.ask(canvas, [8, 20]), window.ask(data, [8, 20])];
    await Promise.resolve();
    context.fillRect(0, 0, 640, 640);
    data.data.fill(255);
    return Promise.all(again);
  });
  for (const { at } of all) expectColour(at["8,20"], [255, 0, 0], 1);
});

test("a video that plays, in its own pixels, and one without a frame", async () => {
  const { seen, code } = await library.page.evaluate(async () => {
    const canvas = window.paint(640, 480);
    document.body.append(canvas);
    const video = document.createElement("video");
    const code = await window.ask(video).catch((error: { code: string }) => error.code);
    video.muted = true;
    video.srcObject = canvas.captureStream(30);
    const playing = video.play();
    const context = canvas.getContext("2d") as CanvasRenderingContext2D;
    const drawing = setInterval(() => context.fillRect(0, 0, 1, 1), 20);
    await playing;
    const seen = await window.ask(video, [8, 20], [24, 20], [16, 6]);
    clearInterval(drawing);
    return { seen, code };
  });
  expect(code).toBe("input_invalid");
  expectBox(seen.box, 640, 480);
  // Streams may be of YUV, which rounds.
  expectColour(seen.at["8,20"], [255, 0, 0], 12);
  expectColour(seen.at["24,20"], [0, 0, 255], 12);
  expectColour(seen.at["16,6"], [0, 255, 0], 12);
});
