// What happens to predictions when a worker, a GPU or a page dies under them: they are made again, elsewhere if need be.
import { afterEach, describe, expect, test } from "vitest";
import type { ClientOptions } from "../../src/index.js";
import { SWIFTSHADER_WEBGPU } from "../support/chromium.js";
import { type LibraryPage, openLibrary } from "../support/page.js";
import { count, RIGGED_WORKER, rig, riggedWorker } from "../support/rigged-worker.js";

let library: LibraryPage;
afterEach(() => library?.close());

async function open(options: ClientOptions, args: string[] = []): Promise<void> {
  library = await openLibrary({ args }, { routes: [riggedWorker] });
  await start(options);
}

async function start(options: ClientOptions): Promise<void> {
  await library.page.evaluate(
    async ({ options, worker }) => {
      window.rigged = { client: window.insitu.createClient({ ...options, worker }) };
      window.rigged.model = await window.rigged.client.load("/models/digits/");
    },
    { options, worker: RIGGED_WORKER },
  );
}

declare global {
  interface Window {
    rigged: {
      client: import("../../src/index.js").Client;
      model?: import("../../src/index.js").Model;
    };
  }
}

interface Answer {
  backend?: string;
  code?: string;
  message?: string;
  ms: number;
}

/** The outcomes of `count` predictions that are made at the same time; each must give the same where it gives something. */
function predict(count = 1, timeout = 60_000): Promise<Answer[]> {
  return library.page.evaluate(
    async ({ count, timeout }) => {
      const input = Float32Array.from({ length: 784 }, (_, index) => (index % 29) / 29);
      const started = performance.now();
      const one = async (): Promise<Answer> => {
        try {
          const { backend, outputs } = await (window.rigged.model as NonNullable<typeof window.rigged.model>).predict(
            input,
            { timeout },
          );
          const sum = (outputs.probabilities?.data as Float32Array).reduce((a, b) => a + b, 0);
          return { backend: Math.abs(sum - 1) < 1e-3 ? backend : `wrong: ${sum}`, ms: performance.now() - started };
        } catch (error) {
          const { code, message } = error as { code: string; message: string };
          return { code, message, ms: performance.now() - started };
        }
      };
      return Promise.all(Array.from({ length: count }, one));
    },
    { count, timeout },
  );
}

const info = () =>
  library.page.evaluate(() => {
    const { backend, refused, measured } = (window.rigged.model as NonNullable<typeof window.rigged.model>).info;
    return { backend, refused, measured };
  });

describe("the GPU", () => {
  const options: ClientOptions = { backends: ["webgpu", "cpu"] };
  // As a GPU that is not software is taken, for wasm would be preferred.
  const alone: ClientOptions = { backends: ["webgpu"] };

  test("a device that is lost is made anew, and the model runs on", async () => {
    await open(alone, SWIFTSHADER_WEBGPU);
    expect(await predict()).toMatchObject([{ backend: "webgpu" }]);
    expect(await count(library.page)).toMatchObject({ devices: 1 });
    await rig(library.page, "destroyDevice");
    expect(await predict(3)).toMatchObject([{ backend: "webgpu" }, { backend: "webgpu" }, { backend: "webgpu" }]);
    expect(await count(library.page)).toMatchObject({ devices: 2 });
  });

  test("a prediction that runs while the device is lost is made again", async () => {
    await open(alone, SWIFTSHADER_WEBGPU);
    const before = await count(library.page);
    const running = predict(8);
    await rig(library.page, "destroyDevice");
    for (const answer of await running) expect(answer).toMatchObject({ backend: "webgpu" });
    expect((await count(library.page)).tensors).toBe(before.tensors);
  });

  test("a backend whose GPU process crashed twice is left for the next one, and told", async () => {
    library = await openLibrary({ args: SWIFTSHADER_WEBGPU }, { routes: [riggedWorker] });
    await library.page.addInitScript(() => undefined);
    await start(options);
    // On a machine without a GPU the software one is refused as long as there is another backend.
    expect(await info()).toMatchObject({ backend: "cpu", refused: [{ backend: "webgpu" }] });
    await library.page.evaluate(() => window.rigged.client.dispose());
    await start(alone);
    const crashGpu = async () => {
      const session = await library.chromium.context.browser()?.newBrowserCDPSession();
      await session?.send("Browser.crashGpuProcess").catch(() => undefined);
      await session?.detach();
    };
    await crashGpu();
    expect(await predict()).toMatchObject([{ backend: "webgpu" }]);
    await crashGpu();
    const [after] = await predict();
    // The browser gives no further adapter, and nothing else is allowed.
    expect(after).toMatchObject({ code: "backend_unavailable", message: expect.stringMatching(/webgpu/) });
  });
});

describe("the worker", () => {
  test("one that hangs is ended, the late call rejected, and the others are answered by a new one", async () => {
    await open({ backends: ["wasm"] });
    expect(await predict()).toMatchObject([{ backend: "wasm" }]);
    await rig(library.page, "hang");
    const late = predict(1, 500);
    const patient = await predict(3);
    expect(await late).toMatchObject([{ code: "timeout" }]);
    for (const answer of patient) expect(answer).toMatchObject({ backend: "wasm" });
    expect(Math.max(...patient.map(({ ms }) => ms))).toBeLessThan(30_000);
  });

  test("one that dies during predictions is replaced, and they are made again", async () => {
    await open({ backends: ["wasm"] });
    const answers = predict(20);
    await rig(library.page, "throw");
    for (const answer of await answers) expect(answer).toMatchObject({ backend: "wasm" });
    expect(await predict()).toMatchObject([{ backend: "wasm" }]);
    await rig(library.page, "throw");
    expect(await predict()).toMatchObject([{ backend: "wasm" }]);
  });

  test("a model of a worker that hangs can be disposed", async () => {
    await open({ backends: ["wasm"] });
    await rig(library.page, "hang");
    const ms = await library.page.evaluate(async () => {
      const started = performance.now();
      await window.rigged.model?.dispose();
      return performance.now() - started;
    });
    expect(ms).toBeLessThan(20_000);
  });
});

describe("wrong numbers", () => {
  test("NaN is an error that says so, and the next prediction is made by another backend", async () => {
    await open({ backends: ["wasm", "cpu"] });
    await library.page.evaluate(() => window.rigged.model?.tuned);
    expect((await info()).backend).toBe("wasm");
    await rig(library.page, "computeNaN");
    expect(await predict()).toMatchObject([{ code: "output_invalid", message: expect.stringMatching(/NaN at 0/) }]);
    expect(await predict()).toMatchObject([{ backend: "cpu" }]);
    const { refused } = await info();
    expect(refused).toEqual([{ backend: "wasm", reason: expect.stringMatching(/NaN/) }]);
  });
});
