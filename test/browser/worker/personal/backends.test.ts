// Training gives the same on plain JavaScript, WebAssembly and WebGPU (in software); a detector can be taught too.
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Backend } from "../../../../src/index.js";
import type { LibraryPage } from "../../../support/page.js";
import { openSharedLibrary } from "../../../support/shared-browser.js";
import { digits, NAMES, say, teach } from "../../../support/teaching.js";

let library: LibraryPage;

beforeAll(async () => {
  library = await openSharedLibrary({}, "webgpu");
});
afterAll(() => library?.close());

const some = (from: number, to: number) => [1, 4, 7].flatMap((label) => digits(label, from, to));
const answers: Partial<Record<Backend, (string | undefined)[]>> = {};

test.each(["wasm", "cpu", "webgpu"] as const)("teaching, training and answering on %s", async (backend) => {
  const { page } = library;
  await library.visit();
  await page.evaluate(async (only) => {
    window.client = window.insitu.createClient({ backends: [only], storage: { name: `on-${only}` } });
    window.base = await window.client.load("/models/digits/");
    window.mine = await window.base.personalize("mine");
  }, backend);
  await teach(page, some(0, 10));
  const version = await page.evaluate(() => window.mine.train());
  expect(version).toMatchObject({ backend, activated: true });
  expect(version.judged.softmax?.examples).toBe(6);
  // Both heads are asked, whichever was taken.
  const fresh = some(40, 46);
  const said = await say(page, fresh);
  answers[backend] = said.map(({ label }) => label);
  const right = said.filter(({ label }, index) => label === NAMES[fresh[index]?.label ?? 0]).length;
  expect(right).toBeGreaterThanOrEqual(14);
  const { backend: ran } = await page.evaluate(() => window.base.predict(new Float32Array(784)));
  expect(ran).toBe(backend);
});

test("all backends said the same", () => {
  expect(answers.cpu).toEqual(answers.wasm);
  expect(answers.webgpu).toEqual(answers.wasm);
});

test("a detector is taught by its own backbone, and detects as before", async () => {
  const { page } = library;
  await library.visit();
  const result = await page.evaluate(async () => {
    window.client = window.insitu.createClient({ backends: ["wasm"], storage: { name: "detector" } });
    const model = await window.client.load("/models/objects/", { task: "detection" });
    const mine = await model.personalize("things");
    const photos: Record<string, Blob> = {};
    for (const name of ["coffee", "chelsea", "rocket"])
      photos[name] = await (await fetch(`/photos/${name}.jpg`)).blob();
    await mine.addExample(photos.coffee as Blob, "my cup");
    await mine.addExample(photos.rocket as Blob, "my rocket");
    const { label } = await mine.predict(photos.coffee as Blob);
    const { value } = await model.predict(photos.chelsea as Blob);
    return { label, found: value.map((each) => each.label) };
  });
  expect(result.label).toBe("my cup");
  expect(result.found).toContain("cat");
});
