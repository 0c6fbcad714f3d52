// ImageData of the input's own size, which crosses as pixels and is not drawn: the same numbers as those of a bitmap, and not consumed.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { LibraryPage } from "../../../support/page.js";
import { makePictureModel } from "../../../support/pictures.js";
import { openSharedLibrary } from "../../../support/shared-browser.js";

const SIZE = 32;

let library: LibraryPage;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "insitu-image-data-"));
  await makePictureModel(folder, { width: SIZE, height: SIZE, image: { border: [200, 100, 50] } });
  library = await openSharedLibrary({ mounts: { "/models/pictures/": folder } });
});
afterAll(async () => {
  await library?.close();
  if (folder) rmSync(folder, { recursive: true });
});
beforeEach(() => library.visit());

/** The pixels that the model was fed for noise, given as ImageData and as a bitmap of it; and how often pixels crossed undrawn. */
function both(change: "none" | "transparent" | "display-p3" | "smaller") {
  return library.page.evaluate(
    async ([change, size]) => {
      let crossed = 0;
      const post = Worker.prototype.postMessage as (...given: unknown[]) => void;
      Worker.prototype.postMessage = function (this: Worker, ...given: unknown[]) {
        const [message] = given as [{ calls?: [unknown, unknown, { image?: { pixels?: unknown } }][] }];
        for (const [, , input] of message.calls ?? []) crossed += input.image?.pixels ? 1 : 0;
        post.apply(this, given);
      };
      const client = window.insitu.createClient({ backends: ["cpu"] });
      const model = await client.load("/models/pictures/");
      const side = change === "smaller" ? size / 2 : size;
      const data = new ImageData(side, side, { colorSpace: change === "display-p3" ? "display-p3" : "srgb" });
      for (let at = 0; at < data.data.length; at += 1) data.data[at] = at % 4 === 3 ? 255 : (at * 97) % 256;
      if (change === "transparent") for (let at = 3; at < data.data.length; at += 8) data.data[at] = 100;
      const seen = async (input: ImageData | ImageBitmap) => {
        const { value, outputs } = await model.predict(input);
        return { value, pixels: [...(outputs["pixels:0"]?.data ?? [])] };
      };
      const found = { data: await seen(data), bitmap: await seen(await createImageBitmap(data)) };
      await client.dispose();
      Worker.prototype.postMessage = post;
      return { ...found, crossed, left: data.data.length };
    },
    [change, SIZE] as const,
  );
}

test("opaque pixels of the input's size cross as they are", async () => {
  const { data, bitmap, crossed, left } = await both("none");
  expect(crossed).toBe(1);
  expect(data).toEqual(bitmap);
  expect(data.pixels.slice(0, 6)).toEqual([0, 97, 194, 132, 229, 70]);
  expect(left).toBe(SIZE * SIZE * 4);
});

test.each(["transparent", "display-p3", "smaller"] as const)("%s pixels are drawn", async (change) => {
  const { data, bitmap, crossed } = await both(change);
  expect(crossed).toBe(0);
  expect(data).toEqual(bitmap);
});

test("the caller may write the next pixels at once", async () => {
  const pixels = await library.page.evaluate(async (size) => {
    const client = window.insitu.createClient({ backends: ["cpu"] });
    const model = await client.load("/models/pictures/");
    const data = new ImageData(size, size);
    data.data.fill(255);
    const running = model.predict(data);
    data.data.fill(0);
    const { outputs } = await running;
    await client.dispose();
    return [...new Set(outputs["pixels:0"]?.data)];
  }, SIZE);
  expect(pixels).toEqual([255]);
});

test("an example of them can be kept", async () => {
  const kept = await library.page.evaluate(async () => {
    const client = window.insitu.createClient({ backends: ["wasm"] });
    const model = await client.load("/models/features/");
    const mine = await model.personalize("image-data");
    const data = new ImageData(224, 224);
    for (let at = 0; at < data.data.length; at += 1) data.data[at] = at % 4 === 3 ? 255 : 90;
    const { id } = await mine.addExample(data, "grey", { keep: true });
    const blob = await mine.kept(id);
    const picture = blob && (await createImageBitmap(blob));
    await mine.forget();
    await client.dispose();
    return [blob?.type, picture?.width, picture?.height];
  });
  expect(kept).toEqual(["image/jpeg", 224, 224]);
});
