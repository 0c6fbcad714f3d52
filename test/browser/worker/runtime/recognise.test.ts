// The real models on photos and digits: correct, and the same on every backend.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { heldOut } from "../../../../models/digits/data.js";
import manifest from "../../../../models/digits/package/insitu.json" with { type: "json" };
import type { Detection, ModelInfo, PredictionTimings } from "../../../../src/shared/types/model.js";
import type { Backend } from "../../../../src/shared/types/tensor.js";
import type { LibraryPage } from "../../../support/page.js";
import { openSharedLibrary } from "../../../support/shared-browser.js";

let library: LibraryPage;

beforeAll(async () => {
  library = await openSharedLibrary({}, "webgpu");
});
afterAll(() => library?.close());
// A new document ends the workers of the test before.
beforeEach(() => library.visit());

interface Seen {
  info: ModelInfo;
  backend: Backend;
  value: Detection[];
  timings: PredictionTimings;
  width: number;
  height: number;
}

function detect(photo: string, backend: Backend): Promise<Seen> {
  return library.page.evaluate(
    async ([name, use]) => {
      const client = window.insitu.createClient({ backends: [use] });
      const model = await client.load("/models/objects/", { task: "detection" });
      const image = new Image();
      image.src = `/photos/${name}.jpg`;
      await image.decode();
      // A software GPU needs its time.
      const { value, backend, timings } = await model.predict(image, { timeout: 170_000 });
      return { info: model.info, backend, value, timings, width: image.naturalWidth, height: image.naturalHeight };
    },
    [photo, backend] as const,
  );
}

describe("objects", () => {
  const seen = new Map<string, Seen>();

  test.each([
    ["chelsea", "cat"],
    ["coffee", "cup"],
    ["astronaut", "person"],
  ])("wasm sees what is on %s: a %s", async (photo, label) => {
    const result = await detect(photo, "wasm");
    seen.set(photo, result);
    expect(result.backend).toBe("wasm");
    expect(result.value.map((found) => found.label)).toContain(label);
    for (const { score, box } of result.value) {
      expect(score).toBeGreaterThanOrEqual(0.3);
      expect(box.x).toBeGreaterThanOrEqual(0);
      expect(box.y).toBeGreaterThanOrEqual(0);
      expect(box.x + box.width).toBeLessThanOrEqual(result.width + 1e-3);
      expect(box.y + box.height).toBeLessThanOrEqual(result.height + 1e-3);
    }
  });

  test("the cat's box is where the cat is", async () => {
    // Read off the photo by eye: the head and body fill all but the top left and right corners.
    const result = seen.get("chelsea") ?? (await detect("chelsea", "wasm"));
    const box = result.value.find(({ label }) => label === "cat")?.box;
    expect(box).toBeDefined();
    if (!box) return;
    const centre = { x: (box.x + box.width / 2) / result.width, y: (box.y + box.height / 2) / result.height };
    expect(centre.x).toBeGreaterThan(0.35);
    expect(centre.x).toBeLessThan(0.7);
    expect(centre.y).toBeGreaterThan(0.35);
    expect(centre.y).toBeLessThan(0.65);
    expect((box.width * box.height) / (result.width * result.height)).toBeGreaterThan(0.4);
  });

  test.each(["cpu", "webgpu"] as const)("%s gives the labels of wasm, and boxes within 1 %", async (backend) => {
    const reference = seen.get("chelsea") ?? (await detect("chelsea", "wasm"));
    const result = await detect("chelsea", backend);
    expect(result.backend).toBe(backend);
    expect(result.value.map(({ label }) => label)).toEqual(reference.value.map(({ label }) => label));
    for (const [index, { box }] of result.value.entries()) {
      const other = reference.value[index]?.box as Detection["box"];
      const tolerance = { x: 0.01 * reference.width, y: 0.01 * reference.height };
      expect(Math.abs(box.x - other.x)).toBeLessThan(tolerance.x);
      expect(Math.abs(box.y - other.y)).toBeLessThan(tolerance.y);
      expect(Math.abs(box.width - other.width)).toBeLessThan(tolerance.x);
      expect(Math.abs(box.height - other.height)).toBeLessThan(tolerance.y);
    }
  });

  test("every phase is timed, and together they are the total", () => {
    const { timings } = seen.get("chelsea") as Seen;
    const { totalMs: total, ...phases } = timings;
    for (const duration of Object.values(phases)) expect(duration).toBeGreaterThanOrEqual(0);
    // The others may be shorter than the clock's step.
    for (const phase of ["transferMs", "preprocessMs", "executeMs"] as const) expect(phases[phase]).toBeGreaterThan(0);
    expect(Object.values(phases).reduce((a, b) => a + b, 0)).toBeCloseTo(total, 1);
  });

  test("every way to pass an image gives the same cat, and consumes nothing", async () => {
    const boxes = await library.page.evaluate(async () => {
      const client = window.insitu.createClient({ backends: ["wasm"] });
      const model = await client.load("/models/objects/", { task: "detection" });
      const blob = await (await fetch("/photos/chelsea.jpg")).blob();
      const bitmap = await createImageBitmap(blob);
      const canvas = Object.assign(document.createElement("canvas"), { width: bitmap.width, height: bitmap.height });
      const context = canvas.getContext("2d") as CanvasRenderingContext2D;
      context.drawImage(bitmap, 0, 0);
      const offscreen = new OffscreenCanvas(bitmap.width, bitmap.height);
      offscreen.getContext("2d")?.drawImage(bitmap, 0, 0);
      const pixels = context.getImageData(0, 0, bitmap.width, bitmap.height);
      const frame = new VideoFrame(bitmap, { timestamp: 0 });
      const found: Record<string, unknown> = {};
      for (const [name, input] of Object.entries({ blob, bitmap, canvas, offscreen, pixels, frame })) {
        const { value } = await model.predict(input);
        // A second time, since nothing that was passed in may be used up.
        const again = await model.predict(input);
        if (JSON.stringify(again.value) !== JSON.stringify(value))
          throw new Error(`${name} changed between two predictions`);
        found[name] = value[0];
      }
      frame.close();
      return found as Record<string, { label: string; box: { x: number; y: number; width: number; height: number } }>;
    });
    for (const [name, found] of Object.entries(boxes)) {
      expect(found.label, name).toBe("cat");
      for (const side of ["x", "y", "width", "height"] as const) {
        expect(Math.abs(found.box[side] - (boxes.blob?.box[side] ?? 0)), `${name} ${side}`).toBeLessThan(4.51);
      }
    }
  });
});

describe("digits", () => {
  const all = heldOut();

  test.each(["wasm", "cpu", "webgpu"] as const)(
    "%s is as accurate on 1,000 held-out images as the training said",
    async (backend) => {
      const images = all.map(({ pixels, label }) => ({ pixels: Array.from(pixels), label }));
      const { right, used } = await library.page.evaluate(
        async ([items, use]) => {
          const client = window.insitu.createClient({ backends: [use] });
          const model = await client.load("/models/digits/", { task: "classification" });
          let correct = 0;
          for (const { pixels, label } of items) {
            const { value } = await model.predict(Float32Array.from(pixels));
            if (value[0]?.label === String(label)) correct += 1;
          }
          return { right: correct, used: model.info.backend };
        },
        [images, backend] as const,
      );
      expect(used).toBe(backend);
      expect(all).toHaveLength(1000);
      expect(Math.abs(right / all.length - manifest.metrics.heldOutAccuracy)).toBeLessThanOrEqual(0.002);
    },
    // A deadline for what hangs: 1,000 runs of a GPU in software take three minutes on two busy cores.
    600_000,
  );
});

describe("choosing a backend", () => {
  test("a software GPU is not chosen by default, and the reason is given", async () => {
    const info = await library.page.evaluate(async () => {
      const client = window.insitu.createClient();
      const { backends } = await client.capabilities();
      const model = await client.load("/models/digits/");
      return {
        backend: model.info.backend,
        refused: model.info.refused,
        software: backends.find((b) => b.backend === "webgpu"),
      };
    });
    expect(info.software).toMatchObject({ available: true, software: true });
    expect(info.backend).toBe("wasm");
    expect(info.refused).toEqual([{ backend: "webgpu", reason: expect.stringContaining("software adapter") }]);
  });

  test("without an adapter, webgpu is refused before tfjs touches it", async () => {
    const plain = await openSharedLibrary();
    try {
      const info = await plain.page.evaluate(async () => {
        const client = window.insitu.createClient({ backends: ["webgpu", "cpu"] });
        const model = await client.load("/models/digits/");
        const alone = window.insitu.createClient({ backends: ["webgpu"] });
        const code = await alone.load("/models/digits/").catch((reason: { code: string }) => reason.code);
        return {
          backend: model.info.backend,
          refused: model.info.refused,
          code,
        };
      });
      expect(info.backend).toBe("cpu");
      expect(info.refused).toEqual([{ backend: "webgpu", reason: expect.stringMatching(/no adapter|no WebGPU/) }]);
      expect(info.code).toBe("backend_unavailable");
    } finally {
      await plain.close();
    }
  });
});
