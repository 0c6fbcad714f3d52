// Pictures of another origin that the page may show but not read: each kind is refused, and the error names the attribute crossorigin.
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LibraryPage } from "../../support/page.js";
import { type Route, startServer, type TestServer } from "../../support/server.js";
import { openSharedLibrary } from "../../support/shared-browser.js";

let library: LibraryPage;
let elsewhere: TestServer;
let film: Buffer;
/** Whether the other origin lets pages read what it sends. */
let allows = false;

beforeAll(async () => {
  library = await openSharedLibrary();
  film = Buffer.from(await library.page.evaluate(record), "base64");
  const route: Route = (req, res) => {
    if (allows) res.setHeader("Access-Control-Allow-Origin", "*");
    if (!req.url?.startsWith("/film.webm")) return false;
    res.writeHead(200, { "Content-Type": "video/webm" }).end(film);
    return true;
  };
  elsewhere = await startServer({ mounts: { "/photos/": "demo/public/photos" }, routes: [route] });
});
afterAll(async () => {
  await library?.close();
  await elsewhere?.close();
});

/** A film of half a second, in base64. */
async function record(): Promise<string> {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  const recorder = new MediaRecorder(canvas.captureStream(30), { mimeType: "video/webm;codecs=vp8" });
  const parts: Blob[] = [];
  recorder.ondataavailable = ({ data }) => void parts.push(data);
  recorder.start();
  for (let i = 0; i < 15; i += 1) {
    context.fillStyle = `hsl(${i * 20} 80% 50%)`;
    context.fillRect(0, 0, canvas.width, canvas.height);
    await new Promise((resolve) => setTimeout(resolve, 33));
  }
  const stopped = new Promise((resolve) => {
    recorder.onstop = resolve;
  });
  recorder.stop();
  await stopped;
  const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

type Kind = "img" | "small img" | "picture" | "canvas" | "OffscreenCanvas" | "ImageBitmap" | "video";
const KINDS: Kind[] = ["img", "small img", "picture", "canvas", "OffscreenCanvas", "ImageBitmap", "video"];
const CALLS = ["predict", "predictAll", "by name", "addExample", "watch"] as const;

/** What each call says of a picture of each kind: the error, or that it worked. */
function outcomes(crossOrigin: boolean): Promise<Record<string, { code: string; message: string }>> {
  return library.page.evaluate(
    async ([host, kinds, calls, crossOrigin]) => {
      const client = window.insitu.createClient({ backends: ["wasm"] });
      const model = await client.load("/models/features/");
      const mine = await model.personalize("tainted");
      const picture = async (width?: number) => {
        const image = new Image(width, width);
        if (crossOrigin) image.crossOrigin = "anonymous";
        image.src = `${host}photos/chelsea.jpg?${crossOrigin}`;
        await image.decode();
        return image;
      };
      const painted = async <T extends HTMLCanvasElement | OffscreenCanvas>(canvas: T): Promise<T> => {
        const context = canvas.getContext("2d") as CanvasRenderingContext2D;
        context.drawImage(await picture(), 0, 0, canvas.width, canvas.height);
        return canvas;
      };
      const video = async () => {
        const element = document.createElement("video");
        element.muted = true;
        if (crossOrigin) element.crossOrigin = "anonymous";
        element.src = `${host}film.webm?${crossOrigin}`;
        document.body.append(element);
        await element.play();
        element.pause();
        return element;
      };
      const make: Record<string, () => Promise<unknown>> = {
        img: () => picture(),
        "small img": () => picture(16),
        picture: async () => {
          const image = await picture();
          document.createElement("picture").append(image);
          return image;
        },
        canvas: () => painted(document.createElement("canvas")),
        OffscreenCanvas: () => painted(new OffscreenCanvas(500, 400)),
        ImageBitmap: async () => createImageBitmap(await picture()),
        video,
      };
      const run: Record<string, (input: never) => Promise<unknown>> = {
        predict: (input) => model.predict(input),
        predictAll: (input) => model.predictAll([input]).next(),
        "by name": (input) => model.predict({ [model.info.inputs[0]?.name as string]: input }),
        addExample: (input) => mine.addExample(input, "a", { keep: true }),
        watch: (input) => model.watch(input, { every: 1 })[Symbol.asyncIterator]().next(),
      };
      const told: Record<string, { code: string; message: string }> = {};
      for (const kind of kinds)
        for (const call of calls) {
          if (call === "watch" && kind !== "video" && kind !== "canvas") continue;
          const input = (await make[kind]?.()) as never;
          if (call === "watch" && kind === "video") void (input as HTMLVideoElement).play();
          told[`${kind}, ${call}`] = await (run[call] as (input: never) => Promise<unknown>)(input).then(
            () => ({ code: "works", message: "" }),
            ({ code, message }) => ({ code, message }),
          );
        }
      const { value } = await model.predict(new ImageData(40, 40));
      if (!value) throw new Error("The next call does not work.");
      await client.dispose();
      return told;
    },
    [elsewhere.url, KINDS, CALLS, crossOrigin] as const,
  );
}

test("what the page may not read is input_invalid, and the error names crossorigin", async () => {
  allows = false;
  const told = await outcomes(false);
  const wrong = Object.entries(told).filter(
    ([, { code, message }]) => code !== "input_invalid" || !message.includes("crossorigin"),
  );
  expect(wrong).toEqual([]);
  expect(Object.keys(told)).toHaveLength(30);
});

test("with the attribute and the host's header each of them works", async () => {
  allows = true;
  const told = await outcomes(true);
  expect(Object.entries(told).filter(([, { code }]) => code !== "works")).toEqual([]);
});
