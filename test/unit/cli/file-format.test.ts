// Files of other formats, as their tools begin them: pack names the format and prints the commands that convert it.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { packModel } from "../../../src/cli/pack.js";
import { useRooms } from "../../support/packages.js";

const rooms = useRooms();

const latin = (text: string) => Buffer.from(text, "latin1");
const zip = (...names: string[]) =>
  Buffer.from(zipSync(Object.fromEntries(names.map((name) => [name, latin("x".repeat(99))]))));

const FILES: [file: string, bytes: Buffer, words: RegExp][] = [
  // onnx.save of PyTorch: ir_version 8, producer_name "pytorch".
  ["a.onnx", latin("\x08\x08\x12\x07pytorch\x1a\x052.0.1:\x80\x10"), /is an ONNX model\..*onnx2tf -i model\.onnx/s],
  // ir_version 7, then the graph: a writer that gives no name.
  ["b.onnx", latin("\x08\x07:\xd2\x01\x0a\x10"), /is an ONNX model/],
  ["c.tflite", latin("\x1c\x00\x00\x00TFL3\x14\x00\x20\x00"), /is a TensorFlow Lite model\..*not yet/s],
  [
    "saved_model.pb",
    latin("\x08\x01\x12\xa4\x9d\x07\x0a\xd3\x20"),
    /is a TensorFlow SavedModel\..*tensorflowjs_converter/s,
  ],
  ["frozen.pb", latin("\x0a\x2e\x0a\x05input\x12\x0bPlaceholder"), /is a TensorFlow graph .*tf_frozen_model/s],
  ["d.h5", latin("\x89HDF\r\n\x1a\n\x00\x00"), /is an HDF5 file.*--input_format=keras/s],
  ["e.keras", zip("metadata.json", "config.json", "model.weights.h5"), /is a Keras 3 model.*export\("saved_model"\)/s],
  ["f.pt", zip("archive/data.pkl", "archive/data/0"), /is a PyTorch file.*torch\.onnx\.export/s],
  ["g.pth", latin("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20"), /is a Python pickle.*torch\.onnx\.export/s],
  ["h.safetensors", latin('\x58\x00\x00\x00\x00\x00\x00\x00{"a":{}}'), /is a safetensors file.*optimum-cli/s],
  ["i.gguf", latin("GGUF\x03\x00\x00\x00"), /is a GGUF file.*cannot run/s],
  ["j.mlmodel", latin("\x08\x04\x12\xf0\x02\x0a\x1c\x0a\x05image"), /is a Core ML model/],
  [
    "k.zip",
    zip("weights.bin", "metadata.json", "model.json"),
    /as Teachable Machine exports it\.\n.*unzip \S+k\.zip -d my-model/s,
  ],
  ["l.zip", zip("readme.txt"), /zip archive without a model\.json/],
  ["m.tar.gz", latin("\x1f\x8b\x08\x00\x00\x00"), /is a gzip archive.*tar -xzf/s],
  ["n.json", Buffer.from('{"class_name":"Sequential","config":{"layers":[]}}'), /architecture without weights/],
];

describe("a model of another format", () => {
  it.each(FILES)("%s is named, with the way to convert it", async (file, bytes, words) => {
    const path = join(rooms.root, file);
    writeFileSync(path, bytes);
    await expect(packModel({ model: path, out: rooms.folder })).rejects.toMatchObject({
      code: "model_format",
      message: expect.stringMatching(words),
    });
  });

  it("is found in a folder, which may also be an empty one", async () => {
    const folder = join(rooms.root, "saved model");
    mkdirSync(join(folder, "variables"), { recursive: true });
    await expect(packModel({ model: folder })).rejects.toMatchObject({
      code: "input_invalid",
      message: expect.stringContaining("holds no model.json"),
    });
    writeFileSync(join(folder, "saved_model.pb"), FILES[3]?.[1] as Buffer);
    await expect(packModel({ model: folder })).rejects.toThrow(/saved_model\.pb is a TensorFlow SavedModel/);
  });

  it("that is JSON of another kind is refused by what it holds", async () => {
    const model = rooms.write("metadata.json", { labels: ["a"], modelName: "x" });
    await expect(packModel({ model })).rejects.toThrow(/has no modelTopology, only labels, modelName/);
  });
});
