// Packs layers models as tfjs itself saves them: our computed shapes must equal those of tfjs.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import "@tensorflow/tfjs-backend-cpu";
import { io } from "@tensorflow/tfjs-core";
import { input, type LayersModel, layers, model as layersModel, sequential } from "@tensorflow/tfjs-layers";
import { describe, expect, it } from "vitest";
import { packModel } from "../../../src/cli/pack.js";
import type { TaskFile } from "../../../src/cli/task-file.js";
import { verifyPackage } from "../../../src/cli/verify.js";
import { useRooms } from "../../support/packages.js";

const rooms = useRooms();

async function save(model: LayersModel, name: string): Promise<string> {
  let saved: io.ModelArtifacts | undefined;
  await model.save(
    io.withSaveHandler(async (artifacts) => {
      saved = artifacts;
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" as const } };
    }),
  );
  const { modelTopology, weightSpecs, weightData } = saved as io.ModelArtifacts;
  writeFileSync(
    join(rooms.root, `${name}.bin`),
    Buffer.from(io.CompositeArrayBuffer.join(weightData as io.WeightData)),
  );
  return rooms.write(`${name}.json`, {
    format: "layers-model",
    modelTopology,
    weightsManifest: [{ paths: [`${name}.bin`], weights: weightSpecs }],
  });
}

function branches(): LayersModel {
  const picture = input({ shape: [12, 12, 4], name: "picture" });
  const left = layers.conv2d({ filters: 4, kernelSize: 3, padding: "same" }).apply(picture);
  const sum = layers.add().apply([left as never, picture as never]);
  const pooled = layers.globalAveragePooling2d({}).apply(sum);
  return layersModel({ inputs: picture, outputs: layers.dense({ units: 7, name: "seven" }).apply(pooled) as never });
}

const STACKS: Record<string, () => LayersModel> = {
  digits: () =>
    sequential({
      layers: [
        layers.conv2d({ inputShape: [28, 28, 1], filters: 8, kernelSize: 5, strides: 2, activation: "relu" }),
        layers.batchNormalization(),
        layers.maxPooling2d({ poolSize: 2 }),
        layers.depthwiseConv2d({ kernelSize: 3, padding: "same", depthMultiplier: 2 }),
        layers.dropout({ rate: 0.5 }),
        layers.flatten(),
        layers.dense({ units: 10, activation: "softmax" }),
      ],
    }),
  strided: () =>
    sequential({
      layers: [
        layers.separableConv2d({
          inputShape: [31, 17, 3],
          filters: 6,
          kernelSize: [3, 2],
          strides: [2, 3],
          padding: "same",
        }),
        layers.averagePooling2d({ poolSize: [3, 2], strides: [2, 1], padding: "valid" }),
        layers.conv2d({ filters: 5, kernelSize: 3, dilationRate: 2 }),
        layers.reshape({ targetShape: [3, 5] }),
      ],
    }),
  sequence: () =>
    sequential({
      layers: [
        layers.conv1d({ inputShape: [20, 3], filters: 4, kernelSize: 3 }),
        layers.gru({ units: 6, returnSequences: true, recurrentInitializer: "zeros" }),
        layers.lstm({ units: 5, recurrentInitializer: "zeros" }),
        layers.dense({ units: 2 }),
      ],
    }),
  nested: () =>
    sequential({
      layers: [
        layers.inputLayer({ inputShape: [4] }),
        sequential({ layers: [layers.dense({ units: 3, inputShape: [4] })] }),
        layers.softmax(),
      ],
    }),
  branches,
};

describe("a layers model", () => {
  it.each(Object.keys(STACKS))("%s is packed with the shapes that tfjs computes", async (name) => {
    const model = STACKS[name]?.() as LayersModel;
    const manifest = await packModel({ model: await save(model, name), out: rooms.folder, name, version: "1.0.0" });
    const open = (shape: (number | null)[]) => shape.map((size) => size ?? -1);
    expect(manifest.format).toBe("tfjs-layers-model");
    expect(manifest.inputs).toEqual([
      { name: model.inputs[0]?.name, dtype: "float32", shape: open(model.inputs[0]?.shape ?? []) },
    ]);
    expect(manifest.outputs.map(({ shape }) => shape)).toEqual([open(model.outputs[0]?.shape ?? [])]);
    await verifyPackage(rooms.folder);
  });

  it("whose layers were once unknown to pack needs no task file", async () => {
    const stack = sequential({ layers: [layers.upSampling2d({ inputShape: [2, 2, 1] })] });
    const manifest = await packModel({ model: await save(stack, "up"), out: rooms.folder });
    expect(manifest).toMatchObject({ name: "up", version: "1.0.0", outputs: [{ shape: [-1, 4, 4, 1] }] });
  });

  it("with a layer that tfjs does not have is refused with the layer's name and the way out", async () => {
    const path = await save(STACKS.digits?.() as LayersModel, "custom");
    const text = readFileSync(path, "utf8").replace('"class_name":"Flatten"', '"class_name":"MyFlatten"');
    const model = rooms.write("custom.json", text);
    await expect(packModel({ model, out: rooms.folder })).rejects.toMatchObject({
      code: "model_format",
      message: expect.stringMatching(/stops at the layer \S+ \(MyFlatten\).*tensorflowjs_converter/),
    });
    expect(existsSync(rooms.folder)).toBe(false);
  });

  it("lists the right names for a wrong one, and knows layers within", async () => {
    const model = await save(branches(), "branches");
    const pack = (task: TaskFile) => packModel({ model, out: rooms.folder, task, selfTest: false });
    await expect(pack({ inputs: [{ name: "photo" }] })).rejects.toMatchObject({
      code: "input_invalid",
      message: expect.stringContaining('no input named "photo", which --task names. Its inputs are picture.'),
    });
    await expect(pack({ task: { kind: "regression", output: "six" } })).rejects.toMatchObject({
      code: "input_invalid",
      message: expect.stringContaining('no output named "six", which --task names. Its outputs are seven.'),
    });
    const { outputs } = await pack({ outputs: [{ name: "seven" }] });
    expect(outputs).toEqual([{ name: "seven", dtype: "float32", shape: [-1, 7] }]);
  });
});
