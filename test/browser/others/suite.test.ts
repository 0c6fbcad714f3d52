// What a page does with insitu, in each browser of this machine: the support table in the docs is made from this run.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, type TestContext, test } from "vitest";
import type { AnyBrowser } from "../../support/any-browser.js";
import { BROWSER_KINDS } from "../../support/browser-kinds.js";
import { MOUNTS } from "../../support/page.js";
import { type Receiver, startReceiver } from "../../support/receiver.js";
import { RIGGED_WORKER, rig, riggedWorker } from "../../support/rigged-worker.js";
import { type Route, startServer, type TestServer } from "../../support/server.js";
import { codeOf, digits, say, open as startTeaching, state, teach } from "../../support/teaching.js";
import * as telemetry from "../../support/telemetry-page.js";

declare module "vitest" {
  interface TaskMeta {
    /** Shown in the support table. */
    note?: string;
    browser?: string;
  }
}

const PHOTO = "/photos/chelsea.jpg";

describe.each(BROWSER_KINDS.filter((kind) => kind.isInstalled()))("$name", (kind) => {
  let browser: AnyBrowser;
  let server: TestServer;
  let receiver: Receiver;
  let isOffline = false;

  const offline: Route = (req) => {
    if (isOffline && req.url?.startsWith("/models/")) req.socket.destroy();
    return isOffline && req.url?.startsWith("/models/") === true;
  };
  const visit = async () => {
    await browser.goto(server.url);
    await browser.page.evaluate('import("/dist/index.js").then((insitu) => { window.insitu = insitu; })');
  };
  const note = ({ task }: TestContext, text: string) => {
    task.meta.note = text;
  };

  beforeAll(async () => {
    server = await startServer({ mounts: MOUNTS, isolated: true, routes: [offline, riggedWorker] });
    receiver = await startReceiver();
    browser = await kind.launch();
  });
  afterAll(async () => {
    await browser?.close();
    await receiver?.stop();
    await server?.close();
  });
  beforeEach(async ({ task }) => {
    task.meta.browser = `${kind.name} ${browser.version}`;
    await visit();
  });
  afterEach(() => {
    isOffline = false;
  });

  test("a photo is recognised", async () => {
    const found = await browser.page.evaluate(async (photo) => {
      const client = window.insitu.createClient({ storage: { name: "objects" } });
      const model = await client.load("/models/objects/", { task: "detection" });
      const { value } = await model.predict(photo);
      await client.dispose();
      return value;
    }, PHOTO);
    expect(found[0]).toMatchObject({ label: "cat", score: expect.closeTo(0.468, 1) });
  });

  test("pictures of every kind are taken", async (context) => {
    const labels = await browser.page.evaluate(kindsOfPictures, PHOTO);
    note(context, Object.keys(labels).join(", "));
    expect(Object.values(labels).every((label) => label === "cat")).toBe(true);
    expect(Object.keys(labels)).toEqual(
      expect.arrayContaining(["url", "blob", "image", "canvas", "ImageBitmap", "ImageData", "OffscreenCanvas"]),
    );
  });

  test("a canvas is watched", async () => {
    const seen = await browser.page.evaluate(async () => {
      const client = window.insitu.createClient({ backends: ["wasm"] });
      const model = await client.load("/models/digits/", { task: "classification" });
      const canvas = Object.assign(document.createElement("canvas"), { width: 28, height: 28 });
      document.body.append(canvas);
      const draw = () => canvas.getContext("2d")?.fillRect(0, 0, 28, 28);
      const timer = setInterval(draw, 50);
      let count = 0;
      for await (const { value } of model.watch(canvas)) if (value.length > 0 && ++count === 3) break;
      clearInterval(timer);
      await client.dispose();
      return count;
    });
    expect(seen).toBe(3);
  });

  test("held-out digits are read, one by one and in batches", async () => {
    const items = [0, 3, 8].flatMap((label) => digits(label, 0, 10));
    const right = await browser.page.evaluate(
      async (all) => {
        const client = window.insitu.createClient({ backends: ["wasm"] });
        const model = await client.load("/models/digits/", { task: "classification" });
        const inputs = all.map(({ pixels }) => Float32Array.from(pixels));
        const alone: boolean[] = [];
        for (const [index, input] of inputs.entries())
          alone.push((await model.predict(input)).value[0]?.label === String(all[index]?.label));
        const together: boolean[] = [];
        for await (const { value } of model.predictAll(inputs, { batchSize: 8 }))
          together.push(value[0]?.label === String(all[together.length]?.label));
        await client.dispose();
        return [alone, together].map((answers) => answers.filter(Boolean).length);
      },
      items.map(({ pixels, label }) => ({ pixels: [...pixels], label })),
    );
    expect(right[0]).toBe(right[1]);
    expect(right[0]).toBeGreaterThanOrEqual(27);
  });

  test("the second visit makes no request, and works offline", async () => {
    const load = () =>
      browser.page.evaluate(async () => {
        const client = window.insitu.createClient({ backends: ["wasm"], storage: { name: "offline" } });
        const model = await client.load("/models/digits/", { task: "classification" });
        await model.stored;
        const { value } = await model.predict(new Float32Array(784));
        await client.dispose();
        return value.length;
      });
    expect(await load()).toBe(10);
    isOffline = true;
    await visit();
    server.requests.length = 0;
    expect(await load()).toBe(10);
    expect(server.requests.filter(({ url }) => url.startsWith("/models/"))).toEqual([]);
  });

  test("loads and predictions are aborted", async () => {
    const names = await browser.page.evaluate(async () => {
      const nameOf = (work: Promise<unknown>) =>
        work.then(
          () => "resolved",
          (error: Error) => error.name,
        );
      const client = window.insitu.createClient({ backends: ["wasm"], storage: { name: "aborted" } });
      const loading = new AbortController();
      const load = nameOf(client.load("/models/objects/", { signal: loading.signal }));
      loading.abort();
      const model = await client.load("/models/digits/");
      const predicting = new AbortController();
      const predict = nameOf(model.predict(new Float32Array(784), { signal: predicting.signal }));
      predicting.abort();
      const names = [await load, await predict];
      await model.predict(new Float32Array(784));
      await client.dispose();
      return names;
    });
    expect(names).toEqual(["AbortError", "AbortError"]);
  });

  test.each(["throw", "hang"] as const)("a worker that fails (%s) is replaced", async (how) => {
    await browser.page.evaluate(async (worker) => {
      const client = window.insitu.createClient({ backends: ["wasm"], worker });
      const model = await client.load("/models/digits/");
      // WebKitGTK 2.50 keeps a write open whose worker ended, and lets nothing else into that database: each visit waits 30 s then.
      await model.stored;
      window.rigged = { client, model };
    }, RIGGED_WORKER);
    const predict = (timeout: number) =>
      codeOf(browser.page, `{ await window.rigged.model.predict(new Float32Array(784), { timeout: ${timeout} }); }`);
    expect(await predict(30_000)).toBe("nothing");
    await rig(browser.page, how);
    if (how === "hang") expect(await predict(2_000)).toBe("timeout");
    expect(await predict(60_000)).toBe("nothing");
    await browser.page.evaluate(() => window.rigged.client.dispose());
  });

  test("threads are used, or the reason is said", async (context) => {
    const { threads, reason, measured } = await browser.page.evaluate(async () => {
      const client = window.insitu.createClient({ backends: ["wasm"], storage: { name: "threads" } });
      const { backends } = await client.capabilities();
      const model = await client.load("/models/objects/");
      await model.tuned;
      const { measured } = model.info;
      await client.dispose();
      const { threads = 1, reason } = backends.find(({ backend }) => backend === "wasm") ?? {};
      return { threads, reason, measured };
    });
    const used = Math.max(...measured.map(({ threads = 1 }) => threads));
    note(context, reason ?? `${used} measured`);
    if (threads === 1) expect(reason).toContain("one thread");
    else expect(used).toBeGreaterThan(1);
  });

  test("a personal model learns, is there at the next visit, and is forgotten", async (context) => {
    const store = await startTeaching(browser.page);
    for (const label of [1, 4]) await teach(browser.page, digits(label, 0, 6));
    await browser.page.evaluate(async () => void (await window.mine.train()));
    const answers = async () =>
      (await say(browser.page, [...digits(1, 6, 9), ...digits(4, 6, 9)])).map(({ label }) => label);
    const taught = ["one", "one", "one", "four", "four", "four"];
    const right = (labels: (string | undefined)[]) => labels.filter((label, index) => label === taught[index]).length;
    expect(right(await answers())).toBeGreaterThanOrEqual(5);
    const storeError = await browser.page.evaluate(async () => (await window.mine.state()).storeError?.message);
    if (storeError) {
      // A browser without a private file system: the page is told, and the model lives as long as its worker.
      expect(storeError).toContain("no private file system");
      note(context, "in memory only: no private file system");
    } else {
      await visit();
      await startTeaching(browser.page, { store });
      expect(right(await answers())).toBeGreaterThanOrEqual(5);
    }
    await browser.page.evaluate(() => window.mine.forget());
    expect((await state(browser.page)).labels).toEqual({});
  });

  test("telemetry counts every prediction once, also when the page ends", async () => {
    await telemetry.open(browser.page, receiver);
    await telemetry.predict(browser.page, 5);
    await telemetry.settled(browser.page);
    telemetry.expectOnce(receiver, 5);
    await browser.page.evaluate(async () => void (await window.client.telemetry.flush()));
    await telemetry.predict(browser.page, 3);
    await visit();
    await expect.poll(() => receiver.count("ml.inference.items"), { timeout: 20_000 }).toBe(8);
  });

  test("an error names what is wrong", async () => {
    const codes = await Promise.all([
      codeOf(browser.page, 'window.insitu.createClient().load("/models/none/")'),
      codeOf(
        browser.page,
        '(await window.insitu.createClient().load("/models/objects/")).predict(new Blob(["no picture"]))',
      ),
    ]);
    expect(codes).toEqual(["http_4xx", "input_invalid"]);
  });
});

/** The first label of the photo in each kind that this browser has. */
async function kindsOfPictures(url: string): Promise<Record<string, string | undefined>> {
  const client = window.insitu.createClient({ backends: ["wasm"], storage: { name: "kinds" } });
  const model = await client.load("/models/objects/", { task: "detection" });
  const blob = await (await fetch(url)).blob();
  const image = new Image();
  image.src = url;
  await image.decode();
  const { naturalWidth: width, naturalHeight: height } = image;
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  context.drawImage(image, 0, 0);
  const kinds: Record<
    string,
    () => Parameters<typeof model.predict>[0] | Promise<Parameters<typeof model.predict>[0]>
  > = {
    url: () => url,
    blob: () => blob,
    image: () => image,
    canvas: () => canvas,
    ImageBitmap: () => createImageBitmap(blob),
    ImageData: () => context.getImageData(0, 0, width, height),
    OffscreenCanvas: () => {
      const offscreen = new OffscreenCanvas(width, height);
      offscreen.getContext("2d")?.drawImage(image, 0, 0);
      return offscreen;
    },
  };
  if (typeof VideoFrame === "function") kinds.VideoFrame = () => new VideoFrame(canvas, { timestamp: 0 });
  if (typeof canvas.captureStream === "function")
    kinds.video = async () => {
      const video = Object.assign(document.createElement("video"), { muted: true, srcObject: canvas.captureStream() });
      document.body.append(video);
      const redraw = setInterval(() => context.drawImage(image, 0, 0), 50);
      await video.play();
      clearInterval(redraw);
      return video;
    };
  const labels: Record<string, string | undefined> = {};
  for (const [kind, make] of Object.entries(kinds)) labels[kind] = (await model.predict(await make())).value[0]?.label;
  await client.dispose();
  return labels;
}
