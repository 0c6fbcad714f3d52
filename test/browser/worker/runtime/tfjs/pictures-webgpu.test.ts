// WebGPU prepares images on the GPU: the numbers are the mean of the image's pixels, and no memory stays behind.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { ImageSpec } from "../../../../../src/shared/types/manifest.js";
import type { LibraryPage } from "../../../../support/page.js";
import { makePictureModel } from "../../../../support/pictures.js";
import { meanError, placed, SCENE } from "../../../../support/scene.js";
import { openSharedLibrary } from "../../../../support/shared-browser.js";

const SIZE = 64;
const BORDER: [number, number, number] = [9, 99, 199];
const FITS = ["contain", "cover", "stretch"] as const;
const NORMALISED = { scale: 1 / 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

let library: LibraryPage;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "insitu-pictures-"));
  const models: Record<string, { image: Partial<ImageSpec>; channels?: 1 }> = {
    ...Object.fromEntries(FITS.map((fit) => [fit, { image: { fit, border: BORDER } }])),
    normalised: { image: NORMALISED },
    grey: { image: { fit: "cover" }, channels: 1 },
  };
  const mounts: Record<string, string> = {};
  for (const [name, model] of Object.entries(models)) {
    await makePictureModel(join(folder, name), { width: SIZE, height: SIZE, ...model });
    mounts[`/models/${name}/`] = join(folder, name);
  }
  library = await openSharedLibrary({ mounts }, "webgpu");
});
afterAll(async () => {
  await library?.close();
  if (folder) rmSync(folder, { recursive: true });
});
beforeEach(async () => {
  await library.visit();
  await library.page.addScriptTag({ content: SCENE });
});

/** The input's numbers for each kind of image. */
function feed(model: string, backend: "webgpu" | "cpu", width: number, height: number) {
  return library.page.evaluate(
    async ([name, use, across, down]) => {
      const client = window.insitu.createClient({ backends: [use] });
      const loaded = await client.load(`/models/${name}/`);
      const fed: Record<string, number[]> = {};
      for (const [kind, input] of Object.entries(await window.kinds(window.scene(across, down)))) {
        // The first is watched for errors, the second is as all later ones.
        await loaded.predict(input);
        const { outputs, backend } = await loaded.predict(input);
        if (backend !== use) throw new Error(`${kind} ran on ${backend}`);
        fed[kind] = Array.from(outputs["pixels:0"]?.data ?? []);
      }
      await client.dispose();
      return fed;
    },
    [model, backend, width, height] as const,
  );
}

test.each(FITS.flatMap((fit) => [[fit, 1920, 1080] as const, [fit, 301, 777] as const]))(
  "%s of %i x %i is the mean of the pixels",
  async (fit, width, height) => {
    const fed = await feed(fit, "webgpu", width, height);
    const mean = await library.page.evaluate(
      ([across, down, size, at, border]) => window.meanOf(window.scene(across, down), size, at, border),
      [width, height, SIZE, placed(fit, SIZE, width, height), BORDER] as const,
    );
    // Canvases and files reach the GPU whole, and the CPU would be off by 2 to 5; what crosses smaller has the browser's errors.
    const whole = ["canvas", "offscreen", "blob", "frame"];
    expect(Object.keys(fed)).toEqual(expect.arrayContaining(whole));
    for (const [kind, pixels] of Object.entries(fed)) {
      expect(meanError(pixels, mean), kind).toBeLessThan(whole.includes(kind) ? 1 : 6);
    }
  },
);

test("an image smaller than the input is enlarged as on the CPU", async () => {
  const [gpu, cpu] = [await feed("contain", "webgpu", 31, 17), await feed("contain", "cpu", 31, 17)];
  for (const [kind, pixels] of Object.entries(gpu))
    expect(meanError(pixels, cpu[kind] as number[]), kind).toBeLessThan(2);
});

test.each([
  ["normalised", 2 / 255 / 0.225],
  ["grey", 2],
])("%s inputs are as on the CPU", async (model, tolerance) => {
  // A size at which both resize alike: their normalisation is compared.
  const [gpu, cpu] = [await feed(model, "webgpu", SIZE, SIZE), await feed(model, "cpu", SIZE, SIZE)];
  for (const [kind, pixels] of Object.entries(gpu))
    expect(meanError(pixels, cpu[kind] as number[]), kind).toBeLessThan(tolerance / 10);
});

test("predictions at the same time, and of images beyond the GPU's texture size", async () => {
  const { same, wide } = await library.page.evaluate(async () => {
    const client = window.insitu.createClient({ backends: ["webgpu"] });
    const model = await client.load("/models/contain/");
    const canvas = window.scene(640, 480);
    const all = await Promise.all(Array.from({ length: 6 }, () => model.predict(canvas)));
    const [first, ...others] = all.map(({ outputs }) => String(outputs["pixels:0"]?.data));
    const strip = Object.assign(document.createElement("canvas"), { width: 9000, height: 9000 / 3 });
    const context = strip.getContext("2d") as CanvasRenderingContext2D;
    context.fillStyle = "#fff";
    context.fillRect(0, 0, strip.width, strip.height);
    const { outputs } = await model.predict(strip);
    const at = (32 * 64 + 32) * 3;
    return {
      same: others.every((other) => other === first),
      wide: Array.from(outputs["pixels:0"]?.data ?? []).slice(at, at + 3),
    };
  });
  expect(same).toBe(true);
  expect(wide).toEqual([255, 255, 255]);
});
