// Inputs that are closed, empty, detached, shared, of another realm or no inputs at all: the right result, or an error that says what to do.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test as base, expect } from "../../support/fixtures.js";

/** A picture on another origin, which does not allow the page to read it. */
const test = base
  .extend("serve", { scope: "file" }, () => ({ isolated: true }))
  // biome-ignore lint/correctness/noEmptyPattern: Vitest reads which fixtures it needs from the pattern.
  .extend("elsewhere", { scope: "file" }, async ({}, { onCleanup }) => {
    const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><rect width="40" height="40"/></svg>';
    const server = createServer((_, res) => {
      res.writeHead(200, { "Content-Type": "image/svg+xml", "Cross-Origin-Resource-Policy": "cross-origin" }).end(svg);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onCleanup(() => void server.close());
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/picture.svg`;
  });

/** Each makes an input of `features`, a model of images, or of `digits`, a model of 784 numbers. `works`: as the same picture or numbers. */
const CASES: [what: string, model: "features" | "digits", code: string, outcome: "works" | "input_invalid" | "either"][] = [
  ["nothing", "digits", "undefined", "input_invalid"],
  ["null", "digits", "null", "input_invalid"],
  ["a number", "digits", "5", "input_invalid"],
  ["a symbol", "digits", "Symbol('x')", "input_invalid"],
  ["a function", "digits", "() => 1", "input_invalid"],
  ["an array", "digits", "[1, 2, 3]", "input_invalid"],
  ["Float64Array", "digits", "new Float64Array(784)", "input_invalid"],
  ["a DataView", "digits", "new DataView(new ArrayBuffer(3136))", "input_invalid"],
  ["no numbers", "digits", "new Float32Array(0)", "input_invalid"],
  ["a detached buffer", "digits", "(() => { const a = new Float32Array(784); structuredClone(a, { transfer: [a.buffer] }); return a; })()", "input_invalid"],
  ["a detached buffer by name", "digits", "(() => { const a = new Float32Array(784); structuredClone(a, { transfer: [a.buffer] }); return { [digits.info.inputs[0].name]: a }; })()", "input_invalid"],
  ["shared memory", "digits", "(() => { const a = new Float32Array(new SharedArrayBuffer(3136)); a.set(image); return a; })()", "works"],
  ["a buffer that can grow", "digits", "(() => { const a = new Float32Array(new ArrayBuffer(3136, { maxByteLength: 9999 })); a.set(image); return a; })()", "works"],
  ["a part of a buffer", "digits", "(() => { const a = new Float32Array(2000); a.set(image, 100); return a.subarray(100, 884); })()", "works"],
  ["numbers of another realm", "digits", "frame.Float32Array.from(image)", "works"],
  ["numbers of another realm by name", "digits", "({ [digits.info.inputs[0].name]: frame.Float32Array.from(image) })", "works"],
  ["a Proxy of numbers", "digits", "new Proxy(image, {})", "input_invalid"],
  ["a Proxy that throws", "digits", "new Proxy({}, { get() { throw 1; }, ownKeys() { throw new TypeError('no'); } })", "input_invalid"],
  ["a revoked Proxy", "digits", "(() => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return proxy; })()", "input_invalid"],
  ["a getter that throws", "digits", "({ get x() { throw new RangeError('no'); } })", "input_invalid"],
  ["a tag that lies", "digits", "({ [Symbol.toStringTag]: 'VideoFrame' })", "input_invalid"],
  ["a tag that lies about a Blob", "features", "({ [Symbol.toStringTag]: 'Blob', size: 5 })", "input_invalid"],
  ["a tag that lies about numbers", "digits", "({ [Symbol.toStringTag]: 'Float32Array', length: 784, buffer: {} })", "input_invalid"],
  ["NaN", "digits", "Float32Array.from(image, (x, i) => i === 7 ? NaN : x)", "input_invalid"],
  ["infinity", "digits", "Float32Array.from(image, (x, i) => i === 783 ? -Infinity : x)", "input_invalid"],
  ["a canvas", "features", "canvas", "works"],
  ["a canvas of another realm", "features", "inFrame('canvas')", "works"],
  ["an image of another realm", "features", "picture(frame)", "works"],
  ["ImageData of another realm", "features", "(() => { const { data, width, height } = pixels(canvas); const d = new frame.ImageData(width, height); d.data.set(data); return d; })()", "works"],
  ["a bitmap of another realm", "features", "frame.createImageBitmap(canvas)", "works"],
  ["a Blob of another realm", "features", "png.arrayBuffer().then((bytes) => new frame.Blob([bytes]))", "works"],
  ["a File of another realm", "features", "png.arrayBuffer().then((bytes) => new frame.File([bytes], 'a.png'))", "works"],
  ["a VideoFrame of another realm", "features", "new frame.VideoFrame(canvas, { timestamp: 0 })", "works"],
  ["a URL of another realm", "features", "new frame.URL(URL.createObjectURL(png))", "works"],
  ["a closed VideoFrame", "features", "(() => { const f = new VideoFrame(canvas, { timestamp: 0 }); f.close(); return f; })()", "input_invalid"],
  ["a closed ImageBitmap", "features", "createImageBitmap(canvas).then((b) => { b.close(); return b; })", "input_invalid"],
  ["ImageData whose buffer is gone", "features", "(() => { const d = pixels(canvas); structuredClone(d.data, { transfer: [d.data.buffer] }); return d; })()", "input_invalid"],
  ["a broken image", "features", "new Promise((done) => { const i = new Image(); i.onerror = () => done(i); i.src = 'data:image/png;base64,AAAA'; })", "input_invalid"],
  ["an image without a source", "features", "new Image()", "input_invalid"],
  ["a canvas without pixels", "features", "Object.assign(document.createElement('canvas'), { width: 0 })", "input_invalid"],
  ["a canvas that a worker draws on", "features", "(() => { const c = document.createElement('canvas'); window.off = c.transferControlToOffscreen(); return c; })()", "either"],
  ["an OffscreenCanvas that is gone", "features", "(() => { const c = new OffscreenCanvas(9, 9); structuredClone(c, { transfer: [c] }); return c; })()", "input_invalid"],
  ["a video without data", "features", "document.createElement('video')", "input_invalid"],
  ["an image of another origin", "features", "picture(window, elsewhere)", "input_invalid"],
  ["a canvas with an image of another origin", "features", "picture(window, elsewhere).then((i) => { const c = new OffscreenCanvas(40, 40); c.getContext('2d').drawImage(i, 0, 0); return c; })", "input_invalid"],
  ["an empty Blob", "features", "new Blob()", "input_invalid"],
  ["a Blob that is no image", "features", "new Blob(['hello'])", "input_invalid"],
  ["an empty text", "features", "''", "input_invalid"],
] as never; // biome-ignore format: one case per line

const SETUP = `
window.setUp = async (elsewhere) => {
  const client = insitu.createClient({ backends: ["wasm"] });
  const features = await client.load("/models/features/");
  const digits = await client.load("/models/digits/");
  const element = document.body.appendChild(document.createElement("iframe"));
  const frame = element.contentWindow;
  const image = Float32Array.from({ length: 784 }, (_, i) => (i % 29) / 29);
  const paint = (canvas) => {
    const context = canvas.getContext("2d");
    context.fillStyle = "#f80";
    context.fillRect(0, 0, 20, 30);
    context.fillStyle = "#08f";
    context.fillRect(20, 0, 20, 40);
    return canvas;
  };
  const size = { width: 40, height: 40 };
  const canvas = paint(Object.assign(document.createElement("canvas"), size));
  const pixels = (canvas) => canvas.getContext("2d").getImageData(0, 0, 40, 40);
  const inFrame = (name) => paint(Object.assign(frame.document.createElement(name), size));
  const png = await new Promise((done) => canvas.toBlob(done, "image/png"));
  const picture = (realm, src = URL.createObjectURL(png)) => new Promise((done, failed) => {
    const i = new realm.Image();
    i.onload = () => done(i);
    i.onerror = () => failed(new Error("The picture did not load."));
    i.src = src;
  });
  window.scope = { client, features, digits, frame, image, canvas, pixels, inFrame, png, picture, elsewhere };
};
// In an array: a Proxy that is awaited is asked for its "then".
window.inputOf = async (code) => {
  const input = new Function(...Object.keys(scope), "return " + code)(...Object.values(scope));
  let isPromise = false;
  try {
    isPromise = input instanceof Promise || input instanceof scope.frame.Promise;
  } catch {
    // A revoked Proxy.
  }
  return [isPromise ? await input : input];
};
window.told = async (run) => {
  try {
    return { value: Array.from((await run()) ?? [], (each) => each.score ?? each) };
  } catch (error) {
    return { code: error?.code, message: String(error?.message ?? error), error: error?.name };
  }
};`;

type Told = { value?: number[]; code?: string; message?: string; error?: string };

test("every odd input gives the right result, or an InsituError with a stable code", async ({ page, elsewhere }) => {
  const uncaught: string[] = [];
  page.on("pageerror", ({ message }) => uncaught.push(message));
  await page.evaluate(SETUP);
  await page.evaluate(`setUp(${JSON.stringify(elsewhere)})`);
  const right = (await page.evaluate(`(async () => ({
    features: await told(async () => (await scope.features.predict(scope.canvas)).value),
    digits: await told(async () => (await scope.digits.predict(scope.image)).value),
  }))()`)) as Record<string, Told>;
  // A VideoFrame has the colours of a video, which moves a feature by 0.2.
  const wrong: string[] = [];
  for (const [what, model, code, outcome] of CASES) {
    const calls: [string, string][] = [
      ["predict", `(await scope.${model}.predict(input)).value`],
      [
        "predictAll",
        `(await (async () => { for await (const p of scope.${model}.predictAll([input])) return p.value; })())`,
      ],
    ];
    for (const [name, call] of calls) {
      const told = (await page.evaluate(
        `(async () => { const [input] = await inputOf(${JSON.stringify(code)}); return told(async () => ${call}); })()`,
      )) as Told;
      const close = told.value?.every((score, index) => Math.abs(score - (right[model]?.value?.[index] ?? 9)) < 0.3);
      const isRight =
        outcome !== "input_invalid" &&
        (close || outcome === "either") &&
        told.value?.length === right[model]?.value?.length;
      const isRefused = outcome !== "works" && told.error === "InsituError" && told.code === "input_invalid";
      if (!isRight && !isRefused) wrong.push(`${what}, ${name}: ${JSON.stringify(told)}`);
    }
  }
  expect(wrong).toEqual([]);
  expect(uncaught).toEqual([]);
  // The next call works.
  const last = await page.evaluate("told(async () => (await scope.digits.predict(scope.image)).value)");
  // Own kernels may have been chosen meanwhile: they round otherwise.
  const rounded = (value: unknown) =>
    JSON.stringify(value, (_, each) => (typeof each === "number" ? each.toFixed(5) : each));
  expect(rounded(last)).toBe(rounded(right.digits));
});

test("addExample, a personal prediction, watch and a ranker refuse them too", async ({ page, elsewhere }) => {
  await page.evaluate(SETUP);
  await page.evaluate(`setUp(${JSON.stringify(elsewhere)})`);
  const told = (await page.evaluate(`(async () => {
    const { digits, features, frame, image, inFrame, client } = scope;
    const mine = await digits.personalize("odd");
    const things = await features.personalize("odd");
    const films = await client.load("/models/ranker/", { task: "ranking" });
    const order = await films.personalize("odd");
    const size = films.info.inputs[0].shape[1];
    const nan = Float32Array.from(image, () => NaN);
    const closed = new VideoFrame(scope.canvas, { timestamp: 0 });
    closed.close();
    const throwing = new Proxy({}, { ownKeys() { throw new TypeError("no"); } });
    const video = frame.document.createElement("video");
    return {
      nanExample: await told(() => mine.addExample(nan, "a")),
      nullExample: await told(() => mine.addExample(null, "a")),
      missingExample: await told(() => mine.addExample(undefined, "a")),
      throwingExample: await told(() => mine.addExample(throwing, "a")),
      closedExample: await told(() => things.addExample(closed, "a", { keep: true })),
      nullPrediction: await told(() => mine.predict(null)),
      closedPrediction: await told(() => things.predict(closed)),
      nothingToWatch: await told(async () => features.watch(null)),
      throwingWatch: await told(async () => features.watch(throwing)),
      nanItem: await told(() => order.setItems([{ id: "a", traits: [], features: new Float32Array(size).fill(NaN) }])),
      noItem: await told(() => order.setItems([null])),
      noItems: await told(() => order.setItems(null)),
      throwingItem: await told(() => order.setItems([throwing])),
      noEvent: await told(() => order.recordEvents(null)),
      examples: (await mine.examples()).length,
    };
  })()`)) as Record<string, Told | number>;
  const { examples, ...refused } = told;
  expect(examples).toBe(0);
  for (const [what, each] of Object.entries(refused))
    expect(each, what).toMatchObject({ code: "input_invalid", error: "InsituError" });
  const watched = await page.evaluate(`(async () => {
    const canvas = scope.inFrame("canvas");
    for await (const { value } of scope.features.watch(canvas)) return value.length;
  })()`);
  expect(watched).toBeGreaterThan(0);
});

test("a refusal of NaN names the tensor and the index", async ({ page }) => {
  const error = await page.evaluate(async () => {
    const model = await window.insitu.createClient({ backends: ["wasm"] }).load("/models/digits/");
    const image = new Float32Array(784);
    image[123] = Number.NaN;
    return model.predict(image).then(
      () => undefined,
      ({ code, data, message }) => ({ code, data, message, input: model.info.inputs[0]?.name }),
    );
  });
  expect(error).toMatchObject({ code: "input_invalid", data: { input: error?.input, index: 123 } });
  expect(error?.message).toContain("NaN at 123");
});

test("of a view only the numbers that it shows are copied to the worker, and nothing else comes back", async ({
  page,
}) => {
  const told = await page.evaluate(async () => {
    const sent: number[][] = [];
    const received: number[][] = [];
    const sizes = (value: unknown, found: number[][], seen = new Set()): void => {
      if (typeof value !== "object" || value === null || seen.has(value)) return;
      seen.add(value);
      if (ArrayBuffer.isView(value)) found.push([value.byteLength, value.buffer.byteLength]);
      else for (const each of Object.values(value)) sizes(each, found, seen);
    };
    const post = Worker.prototype.postMessage;
    Worker.prototype.postMessage = function (this: Worker, ...given: [unknown, never]) {
      sizes(given[0], sent);
      post.apply(this, given);
    };
    const listen = Worker.prototype.addEventListener;
    Worker.prototype.addEventListener = function (this: Worker, type: string, listener: never, ...rest: never[]) {
      if (type === "message") listen.call(this, type, (event) => sizes((event as MessageEvent).data, received));
      return listen.call(this, type, listener, ...rest);
    } as typeof listen;
    const client = window.insitu.createClient({ backends: ["wasm"] });
    const model = await client.load("/models/digits/");
    const mine = await model.personalize("views");
    // 64 MB, of which 3 kB are looked at.
    const big = new Float32Array(16_000_000);
    const view = () => big.subarray(1_000, 1_784);
    const name = model.info.inputs[0]?.name as string;
    sent.length = 0;
    await model.predict(view());
    await model.predict({ [name]: view() });
    for await (const _ of model.predictAll([view(), view()]));
    await mine.addExample(view(), "a", { keep: true });
    await mine.predict(view());
    // The caller's array is still there.
    return { sent, received, left: big.length };
  });
  expect(told.sent).toEqual(Array.from({ length: 6 }, () => [3_136, 3_136]));
  expect(told.received.length).toBeGreaterThan(4);
  for (const [view, buffer] of told.received) expect(buffer).toBe(view);
  expect(told.left).toBe(16_000_000);
});
