// A page that loads tf.min.js first, whose core-js may replace URL and other globals, still loads a model.
import { afterAll, beforeAll, expect, test } from "vitest";
import { importLibrary, type LibraryPage, openLibrary } from "../../support/page.js";

let library: LibraryPage;

beforeAll(async () => {
  library = await openLibrary({}, { mounts: { "/tfjs/": "node_modules/@tensorflow/tfjs/dist" } });
});
afterAll(() => library?.close());

async function load(): Promise<[string, number]> {
  await importLibrary(library.page);
  return library.page.evaluate(async () => {
    await using client = window.insitu.createClient({ backends: ["cpu"], storage: { name: crypto.randomUUID() } });
    const model = await client.load("/models/digits/insitu.json?v=1", { task: "classification" });
    const { value } = await model.predict(new Float32Array(784));
    return [model.info.source, value.length];
  });
}

test("after tf.min.js", async () => {
  await library.page.goto(library.server.url);
  await library.page.addScriptTag({ url: "/tfjs/tf.min.js" });
  expect(await library.page.evaluate(() => typeof (window as unknown as { tf: unknown }).tf)).toBe("object");
  expect(await load()).toEqual(["network", 5]);
});

test("without URL.canParse, as in Chrome before 120", async () => {
  await library.page.goto(library.server.url);
  await library.page.evaluate(() => Reflect.deleteProperty(URL, "canParse"));
  expect(await load()).toEqual(["network", 5]);
});
