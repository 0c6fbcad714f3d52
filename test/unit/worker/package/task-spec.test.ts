// The image part of a manifest's input: layout and channels are checked against the shape.
import { expect, test } from "vitest";
import type { TensorSpec } from "../../../../src/shared/types/manifest.js";
import { parseImage } from "../../../../src/worker/package/task-spec.js";

const AT = { url: "insitu.json", field: "inputs[0].image" };
const input = (shape: number[], dtype: TensorSpec["dtype"] = "float32"): TensorSpec => ({ name: "x", dtype, shape });

test("channels last is the default; the numbers have one entry for each channel", () => {
  expect(parseImage({}, input([-1, 8, 6, 4]), AT)).toEqual({
    fit: "contain",
    border: [0, 0, 0],
    scale: 1,
    mean: [0, 0, 0, 0],
    std: [1, 1, 1, 1],
  });
});

test("layout and channels are kept as they are given", () => {
  const spec = parseImage({ layout: "nchw", channels: 3 }, input([1, 3, 8, 6]), AT);
  expect(spec).toMatchObject({ layout: "nchw", channels: 3, mean: [0, 0, 0] });
  expect(parseImage({}, input([1, 8, 6, 1], "int32"), AT).mean).toEqual([0]);
});

test.each<[object, TensorSpec, RegExp]>([
  [{ layout: "chw" }, input([1, 3, 8, 8]), /layout/],
  [{}, input([1, 3, 8, 8]), /set "layout": "nchw"/],
  [{ layout: "nchw" }, input([1, 8, 8, 3]), /needs an input of shape \[batch, 1, 3 or 4, height, width\]/],
  [{ channels: 4 }, input([1, 8, 8, 3]), /must be 3, as in the shape of x; it is 4/],
  [{}, input([1, 8, 8, 2]), /needs an input of shape/],
  [{}, input([1, 8, 3]), /needs an input of shape/],
  [{ layout: "nchw" }, input([1, 3, -1, 8]), /height and width are both fixed or both open/],
  [{}, input([2, 8, 8, 3]), /batch 1 or -1/],
  [{}, input([1, 8, 8, 3], "bool"), /dtype float32 or int32/],
  [{ mean: [0, 0, 0] }, input([1, 8, 8, 4]), /must have 4 numbers/],
])("%j for %j is refused", (image, spec, message) => {
  expect(() => parseImage(image, spec, AT)).toThrow(message);
});
