// Which numbers a picture's pixels become.
import { expect, test } from "vitest";
import { normalise } from "../../../../src/worker/runtime/normalise.js";

test("each channel has its own mean and deviation", () => {
  const pixels = new Uint8ClampedArray([255, 0, 51, 255]);
  const spec = {
    fit: "contain",
    border: [0, 0, 0],
    scale: 1 / 255,
    mean: [0.5, 0.25, 0],
    std: [0.5, 0.25, 2],
  } as const;
  const data = new Float32Array(3);
  normalise(pixels, 3, { ...spec, border: [0, 0, 0], mean: [...spec.mean], std: [...spec.std] }, data);
  expect(data[0]).toBeCloseTo(1, 6);
  expect(data[1]).toBeCloseTo(-1, 6);
  expect(data[2]).toBeCloseTo(0.1, 6);
});

test("one channel is the luma of the three", () => {
  const pixels = new Uint8ClampedArray([255, 255, 255, 255, 255, 0, 0, 255]);
  const data = new Float32Array(2);
  normalise(pixels, 1, { fit: "contain", border: [0, 0, 0], scale: 1 / 255, mean: [0], std: [1] }, data);
  expect(data[0]).toBeCloseTo(1, 5);
  expect(data[1]).toBeCloseTo(0.299, 5);
});

const spec = { fit: "contain", border: [0, 0, 0], scale: 1, mean: [0, 0, 0, 0], std: [1, 1, 1, 2] } as const;
const image = { ...spec, border: [0, 0, 0] as [number, number, number], mean: [...spec.mean], std: [...spec.std] };

test("channels first are written plane by plane", () => {
  const pixels = new Uint8ClampedArray([1, 2, 3, 255, 4, 5, 6, 255]);
  const data = new Float32Array(6);
  normalise(pixels, 3, { ...image, layout: "nchw" }, data);
  expect([...data]).toEqual([1, 4, 2, 5, 3, 6]);
});

test("four channels are red, green, blue and alpha, in both layouts", () => {
  const pixels = new Uint8ClampedArray([1, 2, 3, 4, 5, 6, 7, 8]);
  const data = new Float32Array(8);
  normalise(pixels, 4, image, data);
  expect([...data]).toEqual([1, 2, 3, 2, 5, 6, 7, 4]);
  normalise(pixels, 4, { ...image, layout: "nchw" }, data);
  expect([...data]).toEqual([1, 5, 2, 6, 3, 7, 2, 4]);
});
