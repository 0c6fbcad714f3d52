// A package whose outputs are the input's pixels and fixed boxes, so that tests see how an image was prepared.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { packModel } from "../../src/cli/pack.js";
import type { ImageSpec, Manifest } from "../../src/shared/types/manifest.js";

export interface PictureRecipe {
  width: number;
  height: number;
  /** Default 3. */
  channels?: 1 | 3;
  image?: Partial<ImageSpec>;
  /** Left, top, right, bottom in pixels of the input; each is found with score 1, as a class of its own. */
  boxes?: [number, number, number, number][];
  /** Leaves the output `pixels` out, which is as large as the input. */
  boxesOnly?: boolean;
}

const FLOAT = { type: "DT_FLOAT" };
const INT = { type: "DT_INT32" };
const sizes = (...dims: number[]) => ({ dim: dims.map((size) => ({ size: String(size) })) });
const constant = (dtype: string, tensorShape: object) => ({
  dtype: { type: dtype },
  value: { tensor: { dtype, tensorShape } },
});

/** Writes `pixels = image` and `boxes = table + 0 * mean(image)` into `dir`. */
export function makePictureModel(dir: string, recipe: PictureRecipe): Promise<Manifest> {
  const { width, height, channels = 3, image = {}, boxes = [[0, 0, width, height]], boxesOnly = false } = recipe;
  mkdirSync(dir, { recursive: true });
  const rows = boxes.flatMap((box, index) => [...box, 1, index]);
  const table = Buffer.from(Float32Array.from([...rows, 0]).buffer);
  const axes = Buffer.from(Int32Array.of(1, 2, 3).buffer);
  writeFileSync(join(dir, "weights.bin"), Buffer.concat([table, axes]));
  const model = join(dir, "model.json");
  writeFileSync(model, JSON.stringify(graph([1, height, width, channels], boxes.length)));
  const labels = boxes.map((_, index) => `box ${index}`);
  const columns = ["left", "top", "right", "bottom", "score", "class"] as const;
  return packModel({
    model,
    out: dir,
    name: "pictures",
    version: "1.0.0",
    created: "2026-01-01T00:00:00Z",
    selfTest: false,
    task: {
      task: { kind: "detection", output: "boxes:0", labels, columns: [...columns], maxOverlap: 1 },
      inputs: [{ name: "image:0", image }],
      outputs: [{ name: "boxes:0" }, ...(boxesOnly ? [] : [{ name: "pixels:0" }])],
    },
  });
}

function graph(shape: number[], boxes: number): unknown {
  const node = [
    { name: "image", op: "Placeholder", attr: { dtype: FLOAT, shape: { shape: sizes(...shape) } } },
    { name: "table", op: "Const", attr: constant("DT_FLOAT", sizes(1, boxes, 6)) },
    { name: "zero", op: "Const", attr: constant("DT_FLOAT", {}) },
    { name: "axes", op: "Const", attr: constant("DT_INT32", sizes(3)) },
    { name: "pixels", op: "Identity", input: ["image"], attr: { T: FLOAT } },
    { name: "mean", op: "Mean", input: ["image", "axes"], attr: { T: FLOAT, Tidx: INT, keep_dims: { b: false } } },
    { name: "nothing", op: "Mul", input: ["mean", "zero"], attr: { T: FLOAT } },
    { name: "boxes", op: "AddV2", input: ["table", "nothing"], attr: { T: FLOAT } },
  ];
  const weights = [
    { name: "table", shape: [1, boxes, 6], dtype: "float32" },
    { name: "zero", shape: [], dtype: "float32" },
    { name: "axes", shape: [3], dtype: "int32" },
  ];
  return {
    format: "graph-model",
    signature: {
      inputs: { image: { name: "image:0", dtype: "DT_FLOAT", tensorShape: sizes(...shape) } },
      outputs: {
        boxes: { name: "boxes:0", dtype: "DT_FLOAT", tensorShape: sizes(1, boxes, 6) },
        pixels: { name: "pixels:0", dtype: "DT_FLOAT", tensorShape: sizes(...shape) },
      },
    },
    modelTopology: { node, library: {}, versions: { producer: 1, minConsumer: 1 } },
    weightsManifest: [{ paths: ["weights.bin"], weights }],
  };
}
