// Predictions while a worker, a GPU or a page dies: they are repeated, on another backend if needed.
import { afterEach, describe, expect, test } from "vitest";
import type { ClientOptions } from "../../../../src/index.js";
import { SWIFTSHADER_WEBGPU } from "../../../support/chromium.js";
import { type LibraryPage, openLibrary } from "../../../support/page.js";
import { count, RIGGED_HARDWARE, RIGGED_WORKER, rig, riggedWorker } from "../../../support/rigged-worker.js";
import { openSharedLibrary } from "../../../support/shared-browser.js";

let library: LibraryPage;
afterEach(() => library?.close());

/** `gpu` starts a browser of its own, with WebGPU: other files would lose their devices with its GPU process. */
async function open(options: ClientOptions, gpu = false, worker = RIGGED_WORKER): Promise<void> {
  const serve = { routes: [riggedWorker] };
  library = gpu ? await openLibrary({ args: SWIFTSHADER_WEBGPU }, serve) : await openSharedLibrary(serve);
  await library.page.evaluate(
    async ({ options, worker }) => {
      window.rigged = { client: window.insitu.createClient({ ...options, worker }) };
      window.rigged.model = await window.rigged.client.load("/models/digits/");
    },
    { options, worker },
  );
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
          const sum = Array.from(outputs.probabilities?.data ?? []).reduce((a, b) => a + b, 0);
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

/** Predicts until a plan is used. */
async function usePlan(): Promise<void> {
  for (let use = 0; use < 2; use += 1) await predict();
  const plan = await library.page.evaluate(async () => {
    const model = window.rigged.model as NonNullable<typeof window.rigged.model>;
    for (let wait = 0; wait < 200 && model.info.plan.state !== "used"; wait += 1)
      await new Promise((resolve) => setTimeout(resolve, 50));
    return model.info.plan;
  });
  // Of the outputs and of the embedding, where they come with the package.
  expect(plan).toMatchObject({ state: "used" });
}

describe("the GPU", () => {
  const alone: ClientOptions = { backends: ["webgpu"] };
  const crashGpu = async () => {
    const session = await library.chromium.context.browser()?.newBrowserCDPSession();
    await session?.send("Browser.crashGpuProcess").catch(() => undefined);
    await session?.detach();
  };

  test("a device that is lost is made anew, and the model runs on", async () => {
    await open(alone, true);
    expect(await predict()).toMatchObject([{ backend: "webgpu" }]);
    expect(await count(library.page)).toMatchObject({ devices: 1 });
    await rig(library.page, "destroyDevice");
    expect(await predict(3)).toMatchObject([{ backend: "webgpu" }, { backend: "webgpu" }, { backend: "webgpu" }]);
    expect(await count(library.page)).toMatchObject({ devices: 2 });
  });

  test("a prediction that runs while the device is lost is made again", async () => {
    await open(alone, true);
    await library.page.evaluate(() => window.rigged.model?.tuned);
    const before = await count(library.page);
    const running = predict(8);
    await rig(library.page, "destroyDevice");
    for (const answer of await running) expect(answer).toMatchObject({ backend: "webgpu" });
    // A plan that is recorded just now holds some.
    await expect.poll(async () => (await count(library.page)).tensors, { timeout: 10_000 }).toBe(before.tensors);
  });

  test("a GPU process that crashes is survived once; after the second crash the model runs on the next backend", async () => {
    await open({ backends: ["webgpu", "cpu"] }, true, RIGGED_HARDWARE);
    await library.page.evaluate(() => window.rigged.model?.tuned);
    expect(await info()).toMatchObject({ backend: "webgpu" });
    await crashGpu();
    expect(await predict()).toMatchObject([{ backend: "webgpu" }]);
    await crashGpu();
    expect(await predict(2)).toMatchObject([{ backend: "cpu" }, { backend: "cpu" }]);
    expect(await info()).toMatchObject({
      backend: "cpu",
      refused: [{ backend: "webgpu", reason: expect.stringMatching(/^its device was lost 2 times: /) }],
    });
  });

  test("where no other backend is allowed, the error says what happened to the GPU", async () => {
    await open(alone, true);
    await crashGpu();
    expect(await predict()).toMatchObject([{ backend: "webgpu" }]);
    await crashGpu();
    expect(await predict()).toMatchObject([
      { code: "backend_unavailable", message: expect.stringMatching(/webgpu \(its device was lost 2 times/) },
    ]);
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

  test.each(["timeout", "aborted"])("one that hangs during a load that is %s is replaced", async (how) => {
    await open({ backends: ["wasm"] });
    await rig(library.page, "hang");
    const outcomes = await library.page.evaluate(async (how) => {
      const { client, model } = window.rigged;
      const outcome = (promise: Promise<unknown> | undefined) =>
        (promise ?? Promise.reject()).then(
          () => "done",
          (error: { code: string }) => error.code,
        );
      const limits = how === "timeout" ? { timeout: 300 } : { signal: AbortSignal.timeout(300) };
      const first = await outcome(client.load("/models/ranker/", limits));
      // Neither may wait for the worker that hangs.
      const later = [client.load("/models/ranker/"), client.capabilities(), model?.predict(new Float32Array(784))];
      return [first, ...(await Promise.all(later.map(outcome)))];
    }, how);
    expect(outcomes).toEqual([how, "done", "done", "done"]);
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

describe("a plan", () => {
  const plan = () => library.page.evaluate(() => window.rigged.model?.info.plan);

  test("one that traps is not made again: the model is opened anew, and tfjs predicts", async () => {
    await open({ backends: ["wasm"] });
    await usePlan();
    await rig(library.page, "trap");
    expect(await predict()).toMatchObject([{ backend: "wasm" }]);
    const told = { state: "none", shapes: 0, reason: "memory access out of bounds" };
    await expect.poll(plan).toEqual(told);
    expect(await predict(3)).toMatchObject([{ backend: "wasm" }, { backend: "wasm" }, { backend: "wasm" }]);
    // Long enough for another one to be made.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(await plan()).toEqual(told);
  });

  test("NaN of a plan is noticed as that of tfjs is", async () => {
    await open({ backends: ["wasm", "cpu"] });
    await library.page.evaluate(() => window.rigged.model?.tuned);
    await usePlan();
    await rig(library.page, "computeNaN");
    expect(await predict()).toMatchObject([{ code: "output_invalid", message: expect.stringMatching(/NaN at 0/) }]);
    expect(await predict()).toMatchObject([{ backend: "cpu" }]);
    expect(await plan()).toEqual({ state: "none", shapes: 0, reason: "cpu has no plans" });
  });

  test("a worker that dies takes its plans with it, and the next one makes its own", async () => {
    await open({ backends: ["wasm"] });
    await usePlan();
    await rig(library.page, "throw");
    await usePlan();
    expect(await predict()).toMatchObject([{ backend: "wasm" }]);
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
