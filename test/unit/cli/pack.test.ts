// Tests pack, verify and inspect as functions, on a real graph model.
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { CHUNK_BYTES } from "../../../src/cli/files.js";
import { inspect, inspectionText } from "../../../src/cli/inspect.js";
import { type PackOptions, packModel } from "../../../src/cli/pack.js";
import { verifyPackage } from "../../../src/cli/verify.js";
import { CENTERNET, DETECTIONS, flip, MODELS, useRooms } from "../../support/packages.js";

const CREATED = "2026-01-31T12:00:00Z";
const rooms = useRooms();

const centernet = (changes: Partial<PackOptions> = {}): PackOptions => ({
  model: CENTERNET,
  out: rooms.folder,
  name: "objects",
  version: "1.0.0",
  release: 7,
  created: CREATED,
  task: DETECTIONS,
  // Centernet takes seconds on cpu; the self-tests are in self-test.test.ts, and the plans in plans.test.ts.
  selfTest: false,
  plan: false,
  ...changes,
});

describe("pack, verify and inspect", () => {
  it("create, accept and describe a package of centernet", async () => {
    const labels = rooms.write("labels.txt", "person\r\ntraffic light\r\n");
    const manifest = await packModel(centernet({ labels }));
    expect(readdirSync(rooms.folder).sort()).toEqual(["centernet.bin", "centernet.json", "insitu.json"]);
    expect(manifest).toMatchObject({
      name: "objects",
      version: "1.0.0",
      release: 7,
      created: CREATED,
      license: "MIT",
      format: "tfjs-graph-model",
    });
    expect(manifest.inputs).toEqual([
      {
        name: "tower_0/images",
        dtype: "float32",
        shape: [1, 512, 512, 3],
        image: { fit: "contain", border: [127, 127, 127], scale: 1, mean: [0, 0, 0], std: [1, 1, 1] },
      },
    ]);
    expect(manifest.outputs).toEqual([{ name: "tower_0/detections", dtype: "float32", shape: [1, 100, 6] }]);
    expect(manifest.task).toMatchObject({ labels: ["person", "traffic light"] });
    const verified = await verifyPackage(rooms.folder);
    expect(verified.manifest).toEqual(manifest);
    const found = await inspect(rooms.folder);
    expect(found).toMatchObject({ name: "objects", digest: verified.digest, bytes: 4231963, weights: 267 });
    expect(found.ops).toMatchObject({ Const: 267, _FusedConv2D: 62, Placeholder: 1 });
    expect(await inspect(join(rooms.folder, "insitu.json"))).toEqual(found);
    expect(inspectionText(found)).toContain("input    tower_0/images float32 [1, 512, 512, 3], image (contain)");
  });

  it("use all outputs and the task raw if no task is given", async () => {
    const manifest = await packModel(centernet({ task: undefined, release: undefined }));
    expect(manifest.outputs.map(({ name }) => name)).toEqual(["tower_0/wh", "tower_0/keypoints", "tower_0/detections"]);
    expect(manifest).toMatchObject({ task: { kind: "raw" }, release: 1 });
  });

  it("produce the same package for the same created time", async () => {
    await packModel(centernet());
    const first = readFileSync(join(rooms.folder, "insitu.json"), "utf8");
    await packModel(centernet());
    expect(readFileSync(join(rooms.folder, "insitu.json"), "utf8")).toBe(first);
  });

  it("split a file above 4 MiB into chunks, and find a flipped bit in the last one", async () => {
    const model = join(MODELS, "faceres.json");
    const manifest = await packModel({ model, out: rooms.folder, name: "faces", version: "1.0.0", selfTest: false });
    const weights = manifest.files[1];
    expect(weights).toMatchObject({ path: "faceres.bin", size: 6978814 });
    expect(weights?.chunks?.map(({ size }) => size)).toEqual([CHUNK_BYTES, 6978814 - CHUNK_BYTES]);
    await verifyPackage(rooms.folder);
    flip(join(rooms.folder, "faceres.bin"), 6978813);
    await expect(verifyPackage(rooms.folder)).rejects.toMatchObject({
      code: "model_integrity",
      message: expect.stringContaining("in chunk 1"),
    });
  });

  it("read inputs and outputs from the nodes of a model without a signature", async () => {
    const json = JSON.parse(readFileSync(CENTERNET, "utf8")) as Record<string, unknown>;
    cpSync(join(MODELS, "centernet.bin"), join(rooms.root, "centernet.bin"));
    const model = rooms.write("unsigned.json", { ...json, signature: undefined });
    const found = await inspect(model);
    expect(found.inputs).toEqual([{ name: "tower_0/images", dtype: "float32", shape: [1, 512, 512, 3] }]);
    expect(found.outputs.map(({ name }) => name)).toContain("tower_0/detections");
    // Centernet takes seconds on cpu: a run would tell the shapes.
    const outputs = [{ name: "tower_0/detections", shape: [1, 100, 6], dtype: "float32" }];
    expect((await packModel(centernet({ model, task: { outputs } as PackOptions["task"] }))).outputs).toEqual(outputs);
  });
});

describe("verify refuses", () => {
  beforeEach(() => packModel(centernet()));

  it("a flipped bit in the weights", async () => {
    flip(join(rooms.folder, "centernet.bin"), 1000);
    await expect(verifyPackage(rooms.folder)).rejects.toMatchObject({
      code: "model_integrity",
      data: { problems: ["the SHA-256 of centernet.bin differs from the manifest"] },
    });
  });

  it("a short and a missing file, and names both", async () => {
    writeFileSync(join(rooms.folder, "centernet.bin"), readFileSync(join(rooms.folder, "centernet.bin")).subarray(1));
    rmSync(join(rooms.folder, "centernet.json"));
    const problems = ["centernet.json is missing", "centernet.bin has 4030289 bytes, the manifest lists 4030290"];
    await expect(verifyPackage(rooms.folder)).rejects.toMatchObject({ code: "model_integrity", data: { problems } });
  });

  it("an invalid manifest, one that is too large, and a folder without one", async () => {
    const path = join(rooms.folder, "insitu.json");
    writeFileSync(path, "{}");
    await expect(verifyPackage(rooms.folder)).rejects.toMatchObject({ code: "model_format" });
    writeFileSync(path, Buffer.alloc(2 ** 20 + 1, " "));
    await expect(verifyPackage(rooms.folder)).rejects.toMatchObject({ code: "model_too_large" });
    rmSync(path);
    await expect(verifyPackage(rooms.folder)).rejects.toMatchObject({ code: "input_invalid" });
  });
});

describe("pack refuses", () => {
  const refused = async (changes: Partial<PackOptions>, code: string, words: string) => {
    await expect(packModel(centernet(changes))).rejects.toMatchObject({
      code,
      message: expect.stringContaining(words),
    });
    expect(existsSync(join(rooms.folder, "insitu.json"))).toBe(false);
  };
  const classes = { kind: "classification" as const, labels: ["a", "b"] };

  it.each<[string, () => Partial<PackOptions>, string, string]>([
    [
      "a model that does not exist",
      () => ({ model: join(rooms.root, "none.json") }),
      "input_invalid",
      "none.json cannot be read",
    ],
    ["a model that is HTML", () => ({ model: rooms.write("page.json", "<html>") }), "model_format", "HTML page"],
    [
      "weights that are missing",
      () => ({ model: rooms.write("lone.json", readFileSync(CENTERNET, "utf8").replace("centernet.bin", "lone.bin")) }),
      "input_invalid",
      "lone.bin cannot be read",
    ],
    [
      "weights outside the folder",
      () => ({
        model: rooms.write("out.json", readFileSync(CENTERNET, "utf8").replace("centernet.bin", "../centernet.bin")),
      }),
      "model_format",
      "weightsManifest[0].paths[0]",
    ],
    [
      "a model whose name does not end in .json",
      () => ({ model: rooms.write("model.txt", readFileSync(CENTERNET, "utf8")) }),
      "input_invalid",
      "ends in .json",
    ],
    ["a version that is not semantic", () => ({ version: "1" }), "model_format", "version must be a semantic version"],
    ["a name with a space", () => ({ name: "a b" }), "model_format", "name must be a name"],
    ["a created that is not a time", () => ({ created: "now" }), "model_format", "created must be an ISO 8601 time"],
    [
      "a task file that is not JSON",
      () => ({ task: rooms.write("task.json", "{") }),
      "input_invalid",
      "is not valid JSON",
    ],
    ["a task without a kind", () => ({ task: { task: {} } as PackOptions["task"] }), "model_format", "task.kind"],
    [
      "outputs without names",
      () => ({ task: { outputs: ["x"] } as unknown as PackOptions["task"] }),
      "input_invalid",
      "outputs in --task",
    ],
    [
      "an output that is not in the graph",
      () => ({ task: { outputs: [{ name: "none", dtype: "float32", shape: [1] }] } }),
      "input_invalid",
      'no output named "none", which --task names. Its outputs are tower_0/wh, tower_0/keypoints, tower_0/detections.',
    ],
    [
      "labels for a raw task",
      () => ({ task: undefined, labels: rooms.write("l.txt", "a\n") }),
      "input_invalid",
      "the task is raw",
    ],
    [
      "labels that do not match the classes",
      () => ({ task: { task: classes, outputs: DETECTIONS.outputs } }),
      "input_invalid",
      "2 labels for the 600 classes",
    ],
  ])("%s", (_why, changes, code, words) => refused(changes(), code, words));

  it("to write beside other files without --force", async () => {
    const other = join(rooms.folder, "thesis.txt");
    await packModel(centernet());
    writeFileSync(other, "mine");
    await expect(packModel(centernet({ release: 8 }))).rejects.toMatchObject({
      code: "input_invalid",
      message: expect.stringContaining("thesis.txt"),
    });
    expect((await verifyPackage(rooms.folder)).manifest.release).toBe(7);
    await packModel(centernet({ release: 8, force: true }));
    expect((await verifyPackage(rooms.folder)).manifest.release).toBe(8);
    expect(readFileSync(other, "utf8")).toBe("mine");
  });

  it("nothing in the folder of an older package, whose files are removed", async () => {
    await packModel(centernet({ model: join(MODELS, "emotion.json"), task: undefined }));
    await packModel(centernet());
    expect(readdirSync(rooms.folder).sort()).toEqual(["centernet.bin", "centernet.json", "insitu.json"]);
  });

  it("nothing in the folder of the model itself, which stays unchanged", async () => {
    cpSync(CENTERNET, join(rooms.folder, "centernet.json"));
    cpSync(join(MODELS, "centernet.bin"), join(rooms.folder, "centernet.bin"));
    await packModel(centernet({ model: join(rooms.folder, "centernet.json") }));
    await verifyPackage(rooms.folder);
    expect(readFileSync(join(rooms.folder, "centernet.bin")).equals(readFileSync(join(MODELS, "centernet.bin")))).toBe(
      true,
    );
  });
});

describe("an embedding in --task", () => {
  const node = "tower_0/extern1/hard_swish/mul_1";
  const task = (embedding: object) => ({ ...DETECTIONS, embedding }) as PackOptions["task"];

  it("is written to the manifest and shown by inspect", async () => {
    const { embedding } = await packModel(centernet({ task: task({ node }) }));
    expect(embedding).toEqual({ node, pool: "mean" });
    expect(inspectionText(await inspect(rooms.folder))).toContain(`${node}, pool mean`);
  });

  it("must be the name of a node of the model", async () => {
    const packed = packModel(centernet({ task: task({ node: "tower_0/extern9" }) }));
    await expect(packed).rejects.toMatchObject({ code: "input_invalid", data: { node: "tower_0/extern9" } });
    expect(existsSync(rooms.folder)).toBe(false);
  });
});
