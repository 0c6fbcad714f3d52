// Images by URL, by input name, with the channels first, with alpha, and into integer inputs; the outputs are those of plain TensorFlow.js.
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { packModel } from "../../../../src/cli/pack.js";
import type * as Insitu from "../../../../src/index.js";
import { type LibraryPage, openLibrary } from "../../../support/page.js";
import { makePictureModel } from "../../../support/pictures.js";
import { startServer, type TestServer } from "../../../support/server.js";

const SIZE = 32;
const CASES = "test/fixtures/cases";
const IMAGE = { scale: 1 / 255 };

let library: LibraryPage;
let other: TestServer;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "insitu-images-"));
  await packCase("siamese", ["content", "style"]);
  await packCase("nchw", ["image"]);
  await packCase("rgba", ["image"]);
  await makeIntegerModel();
  await makePictureModel(join(folder, "pixels"), { width: SIZE, height: SIZE, image: { fit: "stretch" } });
  library = await openLibrary({}, { mounts: { "/models/cases/": folder } });
  other = await startServer({ mounts: { "/photos/": "demo/public/photos" } });
});
afterAll(async () => {
  await library?.close();
  await other?.close();
  if (folder) rmSync(folder, { recursive: true });
});
beforeEach(async () => {
  await library.visit();
});

function packCase(name: string, inputs: string[]) {
  return packModel({
    model: join(CASES, name, "model.json"),
    out: join(folder, name),
    name,
    version: "1.0.0",
    task: { inputs: inputs.map((input) => ({ name: input, image: IMAGE })) },
  });
}

/** Returns the pixels that an input of type uint8 was fed; tfjs computes with int32. */
async function makeIntegerModel(): Promise<void> {
  const source = join(folder, "integers-source");
  mkdirSync(source);
  const type = { type: "DT_UINT8" };
  const shape = { dim: [1, 2, 2, 3].map((size) => ({ size: `${size}` })) };
  const node = [
    { name: "image", op: "Placeholder", attr: { dtype: type, shape: { shape } } },
    { name: "pixels", op: "Identity", input: ["image"], attr: { T: type } },
  ];
  const signature = {
    inputs: { image: { name: "image:0", dtype: "DT_UINT8", tensorShape: shape } },
    outputs: { pixels: { name: "pixels:0", dtype: "DT_UINT8", tensorShape: shape } },
  };
  const modelTopology = { node, library: {}, versions: { producer: 1, minConsumer: 1 } };
  const weightsManifest = [{ paths: ["weights.bin"], weights: [] }];
  writeFileSync(
    join(source, "model.json"),
    JSON.stringify({ format: "graph-model", signature, modelTopology, weightsManifest }),
  );
  cpSync(join(CASES, "rgba", "weights.bin"), join(source, "weights.bin"));
  await packModel({
    model: join(source, "model.json"),
    out: join(folder, "integers"),
    name: "integers",
    version: "1.0.0",
    task: { inputs: [{ name: "image:0", image: { scale: 0.5 } }] },
  });
}

/** Inputs of the cases: 0, 0.4, 0.8, 0.1, … */
const value = (index: number) => ((4 * index) % 11) / 10;
const values = (length: number) => Array.from({ length }, (_, index) => value(index));

type Input = { numbers: number[] } | { rgba: number[]; width: number };

/** Predicts from numbers or `ImageData` by input name; the data of the only output. */
function predict(name: string, backend: Insitu.Backend, inputs: Record<string, Input>): Promise<number[]> {
  return library.page.evaluate(
    async ([name, backend, inputs]) => {
      const client = window.insitu.createClient({ backends: [backend] });
      const model = await client.load(`/models/cases/${name}/`);
      const given = Object.entries(inputs).map(([input, content]) => [
        input,
        "numbers" in content
          ? Float32Array.from(content.numbers)
          : new ImageData(Uint8ClampedArray.from(content.rgba), content.width),
      ]);
      const { outputs } = await model.predict(Object.fromEntries(given));
      await client.dispose();
      return Array.from(Object.values(outputs)[0]?.data ?? []);
    },
    [name, backend, inputs] as const,
  );
}

function expectClose(actual: number[], expected: number[], within: number): void {
  expect(actual).toHaveLength(expected.length);
  for (const [index, wanted] of expected.entries())
    expect(Math.abs((actual[index] as number) - wanted), `${actual} for ${expected}`).toBeLessThanOrEqual(within);
}

const CASE_VALUES = [
  { name: "siamese", inputs: ["content", "style"], shape: [8, 8, 3], expected: [0.20199653506278992] },
  { name: "nchw", inputs: ["image"], shape: [3, 16, 16], expected: [0.4142025411128998, -1.0053037405014038] },
  {
    name: "rgba",
    inputs: ["image"],
    shape: [16, 16, 4],
    expected: [0.5, 0.5003906488418579, 0.500781238079071, 0.49687498807907104],
  },
] as const;

/** The case's values as RGBA bytes. */
function toRgba(shape: readonly number[], isPlanar: boolean): { rgba: number[]; width: number } {
  const [a = 0, b = 0, c = 0] = shape;
  const [channels, height, width] = isPlanar ? [a, b, c] : [c, a, b];
  const rgba: number[] = [];
  for (let pixel = 0; pixel < width * height; pixel += 1) {
    for (let channel = 0; channel < 4; channel += 1) {
      const index = isPlanar ? channel * width * height + pixel : pixel * channels + channel;
      rgba.push(channel < channels ? Math.round(value(index) * 255) : 255);
    }
  }
  return { rgba, width };
}

for (const backend of ["wasm", "cpu"] as const) {
  test.each(CASE_VALUES)(`$name: numbers give the expected outputs on ${backend}`, async (one) => {
    const length = one.shape.reduce((product: number, size) => product * size, 1);
    const inputs = Object.fromEntries(one.inputs.map((name) => [name, { numbers: values(length) }]));
    expectClose(await predict(one.name, backend, inputs), [...one.expected], 1e-5);
  });

  test.each(CASE_VALUES)(`$name: images give the expected outputs on ${backend}`, async (one) => {
    const image = toRgba(one.shape, one.name === "nchw");
    const outputs = await predict(one.name, backend, Object.fromEntries(one.inputs.map((name) => [name, image])));
    if (one.name !== "rgba") return expectClose(outputs, [...one.expected], 0.01);
    // A canvas keeps alpha exactly, and colours where the pixel is opaque.
    expectClose(outputs.slice(3), one.expected.slice(3), 0.01);
    const opaque = { ...image, rgba: image.rgba.map((byte, index) => (index % 4 === 3 ? 255 : byte)) };
    expectClose(await predict("rgba", backend, { image: opaque }), [...one.expected.slice(0, 3), 1], 0.01);
  });

  test(`an image and numbers go into one call on ${backend}`, async () => {
    const inputs = { content: toRgba([8, 8, 3], false), style: { numbers: values(192) } };
    expectClose(await predict("siamese", backend, inputs), [0.20199653506278992], 0.01);
  });

  test(`an integer input gets rounded pixels on ${backend}`, async () => {
    const rgba = [10, 21, 255, 255, 0, 1, 2, 255, 100, 101, 102, 255, 250, 251, 252, 255];
    const found = await predict("integers", backend, { "image:0": { rgba, width: 2 } });
    expect(found).toEqual([5, 11, 128, 0, 1, 1, 50, 51, 51, 125, 126, 126]);
  });
}

test("the inputs by name must be those of the model", async () => {
  const image = toRgba([8, 8, 3], false);
  await expect(predict("siamese", "cpu", { content: image, other: image })).rejects.toThrow(
    /The inputs do not fit: got content, other; the model takes content: .* or an image/,
  );
});

// ---- URLs --------------------------------------------------------------------------------------------------------

interface Outcome {
  code: string;
  message: string;
  /** Mean of all pixels that the model was fed. */
  mean: number;
}

/** Predicts from an expression that is evaluated in the page. */
function from(expression: string, options = "{}"): Promise<Outcome> {
  return library.page.evaluate(`(async () => {
    const client = window.insitu.createClient({ backends: ["cpu"] });
    const model = await client.load("/models/cases/pixels/");
    const input = await (${expression});
    try {
      const { outputs } = await model.predict(input, ${options});
      const { data } = outputs["pixels:0"];
      return { code: "", message: "", mean: data.reduce((sum, one) => sum + one, 0) / data.length };
    } catch (error) {
      return { code: error.code, message: error.message, mean: 0 };
    } finally {
      await client.dispose();
    }
  })()`) as Promise<Outcome>;
}

const PHOTO = "/photos/chelsea.jpg";
const FILE = `fetch("${PHOTO}").then((response) => response.blob())`;

test("URLs of every allowed scheme give the same pixels as the file", async () => {
  const { code, mean } = await from(FILE);
  expect(code).toBe("");
  for (const expression of [
    `"${PHOTO}"`,
    `"photos/../photos/chelsea.jpg"`,
    `new URL("${PHOTO}", location.href)`,
    `${FILE}.then((blob) => URL.createObjectURL(blob))`,
    `${FILE}.then((blob) => new Promise((resolve) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result);
      reader.readAsDataURL(blob);
    }))`,
  ]) {
    const outcome = await from(expression);
    expect(outcome, expression).toMatchObject({ code: "", mean: expect.closeTo(mean, 3) });
  }
});

test.each([
  ["a missing file", `"/photos/none.jpg"`, "http_4xx", /HTTP 404/],
  ["a page", `"/"`, "input_invalid", /Could not decode a file of type "text\/html"/],
  ["a host that does not answer", `"http://127.0.0.1:1/a.jpg"`, "network", /Could not fetch the image/],
  ["another scheme", `"ftp://example.org/a.jpg"`, "input_invalid", /Pass an http\(s\), blob: or data: URL/],
  ["a URL that is not valid", `"http://"`, "input_invalid", /not a valid URL/],
  ["a revoked blob: URL", `"blob:" + location.origin + "/none"`, "input_invalid", /must not be revoked/],
])("%s is a typed error", async (_name, expression, code, message) => {
  expect(await from(expression)).toMatchObject({ code, message: expect.stringMatching(message) });
});

test("a server that fails is a typed error", async () => {
  library.server.faults.set(PHOTO, { kind: "status", status: 503 });
  try {
    expect(await from(`"${PHOTO}"`)).toMatchObject({ code: "http_5xx", message: expect.stringContaining("503") });
  } finally {
    library.server.faults.delete(PHOTO);
  }
});

test("another origin's image needs CORS, and the error names crossorigin", async () => {
  const url = `"${other.url}photos/chelsea.jpg"`;
  const refused = await from(url);
  expect(refused.code).toBe("network");
  expect(refused.message).toContain("Access-Control-Allow-Origin");
  expect(refused.message).toContain("crossorigin");
  other.manners.headers = { "Access-Control-Allow-Origin": "*" };
  expect((await from(url)).code).toBe("");
  other.manners.headers = {};
});

test("the abort signal ends a download", async () => {
  library.server.faults.set(PHOTO, { kind: "stall" });
  try {
    const outcome = await from(`"${PHOTO}"`, "{ signal: AbortSignal.timeout(300) }");
    expect(outcome.code).toBe("aborted");
  } finally {
    library.server.faults.delete(PHOTO);
  }
});
