// What pack finds out by itself: the task from labels, Teachable Machine's metadata, open sizes, and inputs for the self-test.
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PNG } from "pngjs";
import { describe, expect, it } from "vitest";
import { packModel } from "../../../src/cli/pack.js";
import { decodePhoto, fitPhoto } from "../../../src/cli/photo.js";
import { readSelfTests } from "../../../src/cli/self-tests.js";
import { verifyPackage } from "../../../src/cli/verify.js";
import { useRooms } from "../../support/packages.js";

const CASES = "test/fixtures/cases";
const rooms = useRooms();
const floats = (...sizes: number[]) => ({ dim: sizes.map((size) => ({ size: `${size}` })) });

interface Node {
  name: string;
  op: string;
  input?: string[];
  attr?: object;
}

/** Writes a graph model from `x` of `shape` to `y`; weights are float32. */
function writeGraph(name: string, shape: number[], nodes: Node[], weights: Record<string, number[]>, y: object = {}) {
  const float = { type: "DT_FLOAT" };
  writeFileSync(join(rooms.root, `${name}.bin`), Buffer.from(new Float32Array(Object.values(weights).flat()).buffer));
  return rooms.write(`${name}.json`, {
    format: "graph-model",
    signature: {
      inputs: { picture: { name: "x:0", dtype: "DT_FLOAT", tensorShape: floats(...shape) } },
      outputs: { result: { name: "y:0", dtype: "DT_FLOAT", ...y } },
    },
    modelTopology: {
      node: [
        { name: "x", op: "Placeholder", attr: { dtype: float, shape: { shape: floats(...shape) } } },
        ...Object.keys(weights).map((weight) => ({ name: weight, op: "Const", attr: { dtype: float } })),
        ...nodes.map((node) => ({ ...node, attr: { T: float, ...node.attr } })),
      ],
      versions: {},
    },
    weightsManifest: [
      {
        paths: [`${name}.bin`],
        weights: Object.entries(weights).map(([key, { length }]) => ({ name: key, shape: [length], dtype: "float32" })),
      },
    ],
  });
}

const linear = (name: string, weights: number[]) =>
  writeGraph(
    name,
    [-1, 4],
    [{ name: "y", op: "Mul", input: ["x", "w"] }],
    { w: weights },
    { tensorShape: floats(-1, 4) },
  );

describe("labels alone", () => {
  it("make a classification; logits get a softmax", async () => {
    const labels = rooms.write("four.txt", "a\nb\nc\nd\n");
    const { task } = await packModel({ model: linear("logits", [5, -3, 2, 9]), out: rooms.folder, labels });
    expect(task).toEqual({ kind: "classification", labels: ["a", "b", "c", "d"], activation: "softmax" });
  });

  it("must fit an output", async () => {
    const labels = rooms.write("three.txt", "a\nb\nc\n");
    await expect(packModel({ model: linear("three", [1, 1, 1, 1]), out: rooms.folder, labels })).rejects.toMatchObject({
      code: "input_invalid",
      message: expect.stringContaining("each of the 3 labels: y:0 [-1, 4]"),
    });
  });

  it("of two classes fit one unit, of which a softmax is refused", async () => {
    const model = join(CASES, "sigmoid");
    const labels = ["no", "yes"];
    const pack = (activation: "softmax" | "sigmoid") =>
      packModel({ model, out: rooms.folder, task: { kind: "classification", labels, activation } });
    await expect(pack("softmax")).rejects.toThrow(/softmax of one number is always 1.*"sigmoid"/);
    expect((await pack("sigmoid")).task).toMatchObject({ activation: "sigmoid" });
  });
});

describe("Teachable Machine's metadata.json", () => {
  it("gives labels, name and how images become numbers", async () => {
    const folder = join(rooms.root, "teachable");
    cpSync(join(CASES, "siamese"), folder, { recursive: true });
    cpSync(join(CASES, "nchw"), folder, { recursive: true });
    // A model as it is exported: images of 8 x 8, two classes.
    const text = readFileSync(join(CASES, "layers/pad/model.json"), "utf8");
    const json = JSON.parse(text);
    const layers = json.modelTopology.model_config?.config.layers ?? json.modelTopology.config.layers;
    layers[0].config.batch_input_shape = [null, 8, 8, 3];
    layers[1] = { class_name: "GlobalAveragePooling2D", config: { name: "o" } };
    writeFileSync(join(folder, "model.json"), JSON.stringify(json));
    writeFileSync(join(folder, "weights.bin"), "");
    writeFileSync(
      join(folder, "metadata.json"),
      JSON.stringify({
        tfjsVersion: "1.3.1",
        tmVersion: "2.4.7",
        packageName: "@teachablemachine/image",
        modelName: "tm-My Model",
        labels: ["cat", "dog", "none"],
        imageSize: 8,
      }),
    );
    const manifest = await packModel({ model: folder, out: rooms.folder });
    expect(manifest).toMatchObject({
      name: "tm-my-model",
      inputs: [{ name: "in", image: { fit: "cover", scale: 1 / 127, mean: [1, 1, 1] } }],
      task: { kind: "classification", labels: ["cat", "dog", "none"] },
    });
  });
});

describe("names in --task", () => {
  it("may be those of the signature, or without :0", async () => {
    const model = linear("names", [1, 2, 3, 4]);
    for (const name of ["picture", "x", "x:0"]) {
      const { inputs, task } = await packModel({
        model,
        out: rooms.folder,
        task: { inputs: [{ name, allowNonFinite: true }], task: { kind: "embedding", output: "result" } },
      });
      expect(inputs).toEqual([{ name: "x:0", dtype: "float32", shape: [-1, 4], allowNonFinite: true }]);
      expect(task).toMatchObject({ output: "y:0" });
    }
  });
});

describe("what a model does not declare", () => {
  it("is read from a run: the output's shape and batch", async () => {
    const nodes = [{ name: "y", op: "Mul", input: ["x", "w"] }];
    const model = writeGraph("shapeless", [-1, 4], nodes, { w: [1, 2, 3, 4] });
    const manifest = await packModel({ model, out: rooms.folder, selfTest: false });
    expect(manifest.outputs).toEqual([{ name: "y:0", dtype: "float32", shape: [-1, 4] }]);
  });

  const image = { scale: 1 / 255 };
  const anySize = () =>
    writeGraph("any", [-1, -1, -1, 3], [{ name: "y", op: "Mul", input: ["x", "w"] }], { w: [1, 2, 3] });

  it("such as the size of images may be any, if the model runs at any", async () => {
    const manifest = await packModel({ model: anySize(), out: rooms.folder, task: { inputs: [{ name: "x", image }] } });
    expect(manifest.inputs[0]).toMatchObject({ shape: [-1, -1, -1, 3], image: { scale: 1 / 255 } });
    expect(manifest.outputs[0]?.shape).toEqual([-1, -1, -1, 3]);
    const [test] = await readSelfTests(manifest, rooms.folder);
    expect(test?.inputs["x:0"]?.shape).toEqual([1, 64, 64, 3]);
  });

  it("of numbers may be two, which come with their shape", async () => {
    const { inputs } = await packModel({ model: anySize(), out: rooms.folder });
    expect(inputs).toEqual([{ name: "x:0", dtype: "float32", shape: [-1, -1, -1, 3] }]);
  });

  it("is refused, if the model runs at some sizes only", async () => {
    // y = x * w with 64 weights along the width.
    const nodes = [{ name: "y", op: "Mul", input: ["x", "w"] }];
    const weights = { w: Array.from({ length: 16 }, (_, index) => index + 1) };
    const model = writeGraph("some", [-1, -1], nodes, weights);
    await expect(packModel({ model, out: rooms.folder })).rejects.toMatchObject({
      code: "model_format",
      message: expect.stringMatching(
        /does not run at any: it runs at \[1, 16\], and fails at \[1, 7\].*"shape": \[1, 16\]/,
      ),
    });
    const task = { inputs: [{ name: "x", shape: [-1, 16] }] };
    expect((await packModel({ model, out: rooms.folder, task })).inputs[0]?.shape).toEqual([-1, 16]);
  });
});

describe("the self-test's input", () => {
  it("is a photo where noise gives zeros only", async () => {
    // Zero unless a pixel and the one beside it are nearly alike: of neighbours in noise's blocks the mean is too dark or too bright.
    const lines: string[] = [];
    const nodes = [
      { name: "shifted", op: "Sub", input: ["x", "w"] },
      { name: "y", op: "Relu", input: ["shifted"] },
    ];
    const model = writeGraph("bright", [1, 4, 4, 3], nodes, { w: [0.999, 0.999, 0.999] });
    const error = packModel({ model, out: rooms.folder, onProgress: (line) => void lines.push(line) });
    // Neither noise nor the photo is that bright, but noise of four times the strength is.
    const { selfTest } = await error;
    expect(selfTest).toHaveLength(1);
    expect(lines.join("\n")).toMatch(/only zeros can be compared.*trying noise \(seed 1\).*trying a photo/s);
  });

  it("may be a JPEG or PNG, placed as a page places it", async () => {
    const photo = "demo/public/photos/chelsea.jpg";
    const task = { inputs: [{ name: "content", image: { fit: "cover" as const, scale: 1 / 127.5, mean: [1, 1, 1] } }] };
    const options = { model: join(CASES, "siamese"), out: rooms.folder, task };
    const manifest = await packModel({ ...options, selfTest: [photo] });
    const [test] = await readSelfTests(manifest, rooms.folder);
    const { data = [] } = test?.inputs.content ?? {};
    const wanted = fitPhoto(decodePhoto(readFileSync(photo), photo), [1, 8, 8, 3], {
      ...task.inputs[0]?.image,
      fit: "cover",
      border: [0, 0, 0],
    });
    for (const [index, byte] of wanted.entries()) expect(data[index]).toBeCloseTo(byte / 127.5 - 1, 5);
    // Bytes, not numbers of four bytes each.
    expect(readFileSync(join(rooms.folder, "self-test-1.input.json"), "utf8")).toContain('"bytes"');
    await verifyPackage(rooms.folder);
    const png = new PNG({ width: 8, height: 8 });
    png.data.fill(200);
    const path = join(rooms.root, "grey.png");
    writeFileSync(path, PNG.sync.write(png));
    const grey = await packModel({ ...options, selfTest: [path] });
    const [second] = await readSelfTests(grey, rooms.folder);
    expect(second?.inputs.content?.data[5]).toBeCloseTo(200 / 127.5 - 1, 5);
  });

  it("cannot be an image for a model of numbers, nor a broken one", async () => {
    const photo = readFileSync("demo/public/photos/chelsea.jpg");
    const model = linear("numbers", [1, 1, 1, 1]);
    const pack = (bytes: Buffer, target = model) => {
      const path = join(rooms.root, "self.jpg");
      writeFileSync(path, bytes);
      return packModel({ model: target, out: rooms.folder, selfTest: [path] });
    };
    await expect(pack(photo)).rejects.toMatchObject({
      code: "input_invalid",
      message: expect.stringContaining("x:0 [-1, 4]"),
    });
    await expect(pack(photo.subarray(0, 200), join(CASES, "siamese"))).rejects.toMatchObject({
      code: "input_invalid",
      message: expect.stringContaining("cannot be decoded"),
    });
  });
});

describe("a file that anybody may have damaged", () => {
  const models = [
    "dotslash/model.json",
    "downloads/my-model.json",
    "encoder/model.json",
    "quant/model.json",
    "keras3/model.json",
  ];

  it.each(models)(
    "%s, with any field removed or replaced, is packed or refused with a typed error",
    async (path) => {
      const source = join(CASES, path);
      const folder = join(rooms.root, path.split("/")[0] as string);
      cpSync(join(source, ".."), folder, { recursive: true });
      const model = join(folder, path.split("/")[1] as string);
      const original = readFileSync(source, "utf8");
      const count = pathsOf(JSON.parse(original)).length;
      for (let index = 0; index < count; index += 1) {
        for (const replace of [undefined, 7, {}]) {
          const json = JSON.parse(original);
          const { parent, key } = pathsOf(json)[index] as Place;
          if (replace === undefined) delete parent[key];
          else parent[key] = replace;
          writeFileSync(model, JSON.stringify(json));
          const outcome = await packModel({ model, out: rooms.folder, selfTest: false, force: true }).catch(
            (error) => error,
          );
          if (outcome instanceof Error)
            expect(outcome, `${index} ${String(key)} ${replace}: ${outcome.stack}`).toMatchObject({
              name: "InsituError",
            });
        }
      }
    },
    60_000,
  );
});

interface Place {
  parent: Record<string, unknown>;
  key: string;
}

function pathsOf(value: unknown): Place[] {
  if (typeof value !== "object" || value === null) return [];
  const parent = value as Record<string, unknown>;
  return Object.keys(parent).flatMap((key) => [{ parent, key }, ...pathsOf(parent[key])]);
}
