// Where a picture lies in the model's input, and at what size it is handed on.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { imageShape, letterbox, reducedSize } from "../../../src/shared/letterbox.js";

const INPUT = { width: 100, height: 100 };

test("the size of an image input follows from its shape and layout", () => {
  const image = { fit: "contain" as const, border: [0, 0, 0] as [number, number, number], scale: 1, mean: [], std: [] };
  expect(imageShape({ shape: [-1, 8, 6, 3], image })).toEqual({ height: 8, width: 6, channels: 3 });
  expect(imageShape({ shape: [1, 4, 8, 6], image: { ...image, layout: "nchw" } })).toEqual({
    height: 8,
    width: 6,
    channels: 4,
  });
  expect(imageShape({ shape: [-1, -1, -1, 3], image })).toEqual({ width: -1, height: -1, channels: 3 });
  // An image keeps its size then.
  for (const times of [undefined, 2])
    expect(reducedSize(letterbox("contain", { width: 640, height: 480 }, { width: -1, height: -1 }), times)).toBe(
      undefined,
    );
});

test("contain keeps the whole picture, in the middle", () => {
  const placement = { scaleX: 0.25, scaleY: 0.25, offsetX: 0, offsetY: 25, width: 400, height: 200 };
  expect(letterbox("contain", { width: 400, height: 200 }, INPUT)).toEqual(placement);
});

test("cover fills the input, and cuts off what is over", () => {
  const placement = { scaleX: 0.5, scaleY: 0.5, offsetX: -50, offsetY: 0 };
  expect(letterbox("cover", { width: 400, height: 200 }, INPUT)).toMatchObject(placement);
});

test("stretch fits both sides", () => {
  const placement = { scaleX: 0.25, scaleY: 0.5, offsetX: 0, offsetY: 0 };
  expect(letterbox("stretch", { width: 400, height: 200 }, INPUT)).toMatchObject(placement);
});

describe("shrunk", () => {
  const of = (width: number, height: number, times?: number) =>
    reducedSize(letterbox("contain", { width, height }, { width: 224, height: 224 }), times);

  test("is the placed size where that is whole pixels", () => {
    expect(of(1920, 1080)).toEqual({ width: 224, height: 126 });
    expect(of(3000, 4000)).toEqual({ width: 168, height: 224 });
  });

  test("is half as much again where it is not", () => {
    expect(of(1500, 1000)).toEqual({ width: 336, height: 224 });
    expect(of(1500, 1001)).toEqual({ width: 336, height: 225 });
  });

  test("is as many times as asked for", () => {
    expect(of(1920, 1080, 2)).toEqual({ width: 448, height: 252 });
  });

  test("leaves alone what is about as small already", () => {
    expect(of(224, 224)).toBeUndefined();
    expect(of(300, 199)).toBeUndefined();
    expect(of(1, 1)).toBeUndefined();
    expect(of(400, 225, 2)).toBeUndefined();
  });

  test("never has no pixel, and never more than the picture", () => {
    const side = fc.integer({ min: 1, max: 20_000 });
    const fit = fc.constantFrom("contain" as const, "cover" as const, "stretch" as const);
    const times = fc.constantFrom(undefined, 1, 1.5, 2);
    fc.assert(
      fc.property(fit, side, side, fc.integer({ min: 1, max: 1024 }), times, (how, width, height, input, factor) => {
        const placement = letterbox(how, { width, height }, { width: input, height: input });
        const small = reducedSize(placement, factor);
        if (!small) return;
        expect(small.width).toBeGreaterThanOrEqual(1);
        expect(small.height).toBeGreaterThanOrEqual(1);
        expect(small.width).toBeLessThanOrEqual(width);
        expect(small.height).toBeLessThanOrEqual(height);
        // No less than the model reads.
        expect(small.width).toBeGreaterThanOrEqual(width * placement.scaleX - 1e-5);
        expect(small.height).toBeGreaterThanOrEqual(height * placement.scaleY - 1e-5);
      }),
    );
  });
});
