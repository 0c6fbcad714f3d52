// Image inputs with the channels first, four channels, or several images: pack reads the layout from the shape.
import { join } from "node:path";
import { expect, test } from "vitest";
import { packModel } from "../../../src/cli/pack.js";
import { useRooms } from "../../support/packages.js";

const rooms = useRooms();
const CASES = "test/fixtures/cases";
const image = { scale: 1 / 255 };
const spec = { fit: "contain", border: [0, 0, 0], scale: 1 / 255 };

const pack = (name: string, inputs: { name: string; image: object }[]) =>
  packModel({ model: join(CASES, name, "model.json"), out: rooms.folder, task: { inputs } });

test("channels first are recognised", async () => {
  const manifest = await pack("nchw", [{ name: "image", image }]);
  const numbers = { mean: [0, 0, 0], std: [1, 1, 1] };
  expect(manifest.inputs).toEqual([
    { name: "image", dtype: "float32", shape: [-1, 3, 16, 16], image: { layout: "nchw", ...spec, ...numbers } },
  ]);
});

test("four channels are taken from the shape", async () => {
  const manifest = await pack("rgba", [{ name: "image", image }]);
  expect(manifest.inputs[0]?.image).toEqual({ ...spec, mean: [0, 0, 0, 0], std: [1, 1, 1, 1] });
});

test("each of two inputs can be an image", async () => {
  const inputs = ["content", "style"].map((name) => ({ name, image }));
  const manifest = await pack("siamese", inputs);
  expect(manifest.inputs.map((input) => [input.name, input.image?.fit])).toEqual([
    ["content", "contain"],
    ["style", "contain"],
  ]);
});

test("a layout that does not fit the shape is refused", async () => {
  const inputs = [{ name: "image", image: { ...image, layout: "nhwc" } }];
  await expect(pack("nchw", inputs)).rejects.toMatchObject({
    code: "model_format",
    message: expect.stringContaining('set "layout": "nchw"'),
  });
});
