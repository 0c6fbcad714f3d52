// Options of one call that override the manifest's task: alone, in a batch with other options, in predictAll and in watch.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type LibraryPage, openLibrary } from "../../../support/page.js";
import { makePictureModel } from "../../../support/pictures.js";

let library: LibraryPage;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "insitu-options-"));
  const boxes: [number, number, number, number][] = [0, 4, 8].map((x) => [x, 0, x + 4, 4]);
  await makePictureModel(folder, { width: 16, height: 16, boxes, boxesOnly: true });
  library = await openLibrary({}, { mounts: { "/models/boxes/": folder } });
});
afterAll(async () => {
  await library?.close();
  if (folder) rmSync(folder, { recursive: true });
});
beforeEach(async () => {
  await library.visit();
});

/** The digits model has a batch of any size: its calls run together. */
test("calls of one batch have options of their own", async () => {
  const found = await library.page.evaluate(async () => {
    const client = window.insitu.createClient({ backends: ["wasm"] });
    const model = await client.load("/models/digits/", { task: "classification" });
    const [spec] = model.info.inputs;
    const input = new Float32Array(spec?.shape.reduce((product, size) => product * Math.max(1, size), 1) ?? 0);
    const labels = model.info.labels.slice(2, 4);
    // The second round runs in one batch: the first has shown that the model may be batched.
    for (let round = 0; round < 2; round += 1)
      await Promise.all([model.predict(input), model.predict(input, { top: 1 })]);
    const results = await Promise.all([
      model.predict(input),
      model.predict(input, { top: 1 }),
      model.predict(input, { top: 10 }),
      model.predict(input, { labels }),
    ]);
    await client.dispose();
    return { labels, values: results.map(({ value }) => value) };
  });
  const [plain, one, all, only] = found.values;
  expect(found.values.map((value) => value.length)).toEqual([10, 1, 10, 2]);
  expect(one?.[0]?.label).toBe(plain?.[0]?.label);
  expect(only?.map(({ label }) => label).sort()).toEqual([...found.labels].sort());
  // A score does not depend on the options.
  for (const { label, score } of only ?? [])
    expect(all?.find((other) => other.label === label)?.score).toBeCloseTo(score, 5);
});

test("detections are filtered by label and score, in predictAll and watch too", async () => {
  const found = await library.page.evaluate(async () => {
    const client = window.insitu.createClient({ backends: ["cpu"] });
    const model = await client.load("/models/boxes/", { task: "detection" });
    const canvas = Object.assign(document.createElement("canvas"), { width: 16, height: 16 });
    canvas.getContext("2d")?.fillRect(0, 0, 8, 8);
    document.body.append(canvas);
    const labels = ["box 1"];
    const names = (value: { label: string }[]) => value.map(({ label }) => label);
    const plain = names((await model.predict(canvas)).value);
    const one = names((await model.predict(canvas, { labels })).value);
    const all: string[][] = [];
    for await (const { value } of model.predictAll([canvas, canvas], { labels })) all.push(names(value));
    const watched: string[][] = [];
    for await (const { value } of model.watch(canvas, { labels })) {
      watched.push(names(value));
      break;
    }
    await client.dispose();
    return { plain, one, all, watched };
  });
  expect(found).toEqual({
    plain: ["box 0", "box 1", "box 2"],
    one: ["box 1"],
    all: [["box 1"], ["box 1"]],
    watched: [["box 1"]],
  });
});

test.each([
  ["/models/digits/", { top: 0 }, "top"],
  ["/models/digits/", { minScore: 0.5 }, "minScore"],
  ["/models/digits/", { labels: ["none"] }, "labels"],
  ["/models/boxes/", { minScore: 2 }, "minScore"],
  ["/models/boxes/", { top: 3 }, "top"],
])("%s refuses %o", async (url, options, option) => {
  const error = await library.page.evaluate(
    async ([url, options]) => {
      const client = window.insitu.createClient({ backends: ["cpu"] });
      const model = await client.load(url as string);
      const bitmap = await createImageBitmap(new ImageData(16, 16));
      const failure = await model.predict(bitmap, options as object).catch((error: unknown) => error);
      await client.dispose();
      const { code, message, data } = failure as { code: string; message: string; data: object };
      return { code, message, data };
    },
    [url, options] as const,
  );
  expect(error).toMatchObject({ code: "input_invalid", data: { option } });
  expect(error.message).toContain(option);
});
