// A page that loads TensorFlow.js as a script first: its core-js replaces `URL` by one without newer methods, such as `canParse`.
// It does so where its own test of `URL` fails, which has Cyrillic letters: also in a new browser on a page that declares no UTF-8.
import { afterAll, beforeAll, expect, test } from "vitest";
import { importLibrary, type LibraryPage } from "../../support/page.js";
import { openSharedLibrary } from "../../support/shared-browser.js";

let library: LibraryPage;

beforeAll(async () => {
  library = await openSharedLibrary();
  const path = "node_modules/@tensorflow/tfjs/dist/tf.min.js";
  const contentType = "text/javascript; charset=windows-1252";
  await library.page.route("**/tf.min.js", (route) => route.fulfill({ path, contentType }));
});

afterAll(() => library.close());

test("after tf.min.js a model loads by a relative and by an absolute address, and predicts", async () => {
  const { page, server } = library;
  await page.goto(server.url);
  await page.addScriptTag({ url: "/tf.min.js" });
  // What this test is about; when tf.min.js leaves `URL` alone, delete the test.
  expect(await page.evaluate(() => "canParse" in URL)).toBe(false);
  await importLibrary(page);

  const labels = await page.evaluate(async () => {
    const client = window.insitu.createClient({ backends: ["cpu"] });
    const found: string[] = [];
    for (const url of ["/models/digits/", new URL("/models/digits/", location.href).href]) {
      const model = await client.load(url, { task: "classification" });
      const { value } = await model.predict(new Float32Array(784));
      found.push(value[0]?.label ?? "nothing");
      await model.dispose();
    }
    await client.dispose();
    return found;
  });

  expect(labels[0]).toMatch(/^\d$/);
  expect(labels[1]).toBe(labels[0]);
});

test("after tf.min.js an address that cannot be parsed is refused with input_invalid", async () => {
  const code = await library.page.evaluate(async () => {
    const client = window.insitu.createClient();
    const error = await client.load("http://").catch((caught: unknown) => caught);
    await client.dispose();
    return window.insitu.isInsituError(error) ? error.code : String(error);
  });
  expect(code).toBe("input_invalid");
});
