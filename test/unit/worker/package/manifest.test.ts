// The manifest: what is read, what is filled in, and that everything else is refused with the field that is wrong.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InsituError } from "../../../../src/shared/errors.js";
import { MAX_MANIFEST_BYTES, parseManifest } from "../../../../src/worker/package/manifest.js";
import { COLUMNS, HASH, type Json, refusal, valid, WHERE } from "../../../support/manifests.js";

const parse = (value: unknown) => parseManifest(JSON.stringify(value), WHERE);

describe("a valid manifest", () => {
  it("is copied, with the defaults of a picture filled in", () => {
    const manifest = parse(
      valid({ license: "MIT", source: "npm", metrics: { accuracy: 0.98 }, expires: "2027-01-31" }),
    );
    expect(manifest).toEqual({
      ...valid({ license: "MIT", source: "npm", metrics: { accuracy: 0.98 }, expires: "2027-01-31" }),
      inputs: [
        {
          name: "images",
          dtype: "float32",
          shape: [1, 8, 8, 3],
          image: { fit: "contain", border: [0, 0, 0], scale: 1, mean: [0, 0, 0], std: [1, 1, 1] },
        },
      ],
    });
  });

  it("has one mean and one divisor for a grey picture", () => {
    const grey = {
      name: "images",
      dtype: "float32",
      shape: [-1, 28, 28, 1],
      image: { scale: 1 / 255, fit: "stretch" },
    };
    expect(parse(valid({ inputs: [grey] })).inputs[0]?.image).toEqual({
      fit: "stretch",
      border: [0, 0, 0],
      scale: 1 / 255,
      mean: [0],
      std: [1],
    });
  });

  it("keeps that an input may be NaN or infinite", () => {
    const numbers = { name: "x", dtype: "float32", shape: [-1, 3] };
    const read = (more: object) => parse(valid({ inputs: [{ ...numbers, ...more }] })).inputs[0];
    expect(read({ allowNonFinite: true })).toEqual({ ...numbers, allowNonFinite: true });
    expect(read({ allowNonFinite: false })).toEqual(numbers);
  });

  it("may hold fields that this version does not know, which are left out", () => {
    const more = valid({ calibration: { temperature: 1.3 }, inputs: [{ ...(valid().inputs as Json[])[0], later: 1 }] });
    expect(parse(more)).toEqual(parse(valid()));
  });

  it("takes nothing from a prototype and changes none", () => {
    const text = JSON.stringify(valid()).replace(
      "{",
      '{"__proto__":{"license":"evil","polluted":true},"constructor":{"prototype":{"polluted":true}},',
    );
    const manifest = parseManifest(text, WHERE);
    expect(manifest.license).toBeUndefined();
    expect(({} as Json).polluted).toBeUndefined();
    expect(Object.getPrototypeOf(manifest)).toBe(Object.prototype);
  });

  it.each(["classification", "embedding", "regression", "ranking", "raw"])("may have the task %s", (kind) => {
    const task =
      kind === "classification"
        ? { kind, labels: ["a"], top: 3, activation: "softmax", output: "detections" }
        : { kind };
    expect(parse(valid({ task })).task).toEqual(task);
  });

  it("may be read again from what was parsed", () => {
    expect(parse(parse(valid()))).toEqual(parse(valid()));
  });
});

const file = (changes: Json) => valid({ files: [{ path: "model.json", size: 100, sha256: HASH, ...changes }] });
const input = (changes: Json) =>
  valid({ inputs: [{ name: "images", dtype: "float32", shape: [1, 8, 8, 3], ...changes }] });
const output = (changes: Json) =>
  valid({ outputs: [{ name: "detections", dtype: "float32", shape: [1, 100, 6], ...changes }] });
const task = (changes: Json) => valid({ task: { kind: "detection", labels: [], columns: COLUMNS, ...changes } });

const REFUSALS: [why: string, manifest: unknown, field: string][] = [
  ["a list", [], ""],
  ["null", null, ""],
  ["no insitu", valid({ insitu: undefined }), "insitu"],
  ["another major version", valid({ insitu: 2 }), "insitu"],
  ["the version as a text", valid({ insitu: "1" }), "insitu"],
  ["a name with a slash", valid({ name: "a/b" }), "name"],
  ["a name that starts with a dot", valid({ name: ".hidden" }), "name"],
  ["a name that is no text", valid({ name: 1 }), "name"],
  ["a version of two parts", valid({ version: "1.0" }), "version"],
  ["a version with a v", valid({ version: "v1.0.0" }), "version"],
  ["a negative release", valid({ release: -1 }), "release"],
  ["a broken release", valid({ release: 1.5 }), "release"],
  ["a created that is no time", valid({ created: "yesterday" }), "created"],
  ["a day that does not exist", valid({ expires: "2026-13-45T00:00:00Z" }), "expires"],
  ["another format", valid({ format: "onnx" }), "format"],
  ["no files", valid({ files: [] }), "files"],
  ["files that are no list", valid({ files: {} }), "files"],
  ["a file twice", valid({ files: [...(file({}).files as Json[]), ...(file({}).files as Json[])] }), "files"],
  ["a path out of the folder", file({ path: "../secret" }), "files[0].path"],
  ["the manifest as a file", file({ path: "insitu.json" }), "files[0].path"],
  ["a negative size", file({ size: -1 }), "files[0].size"],
  ["a size beyond safe integers", file({ size: 2 ** 60 }), "files[0].size"],
  ["a hash in upper case", file({ sha256: HASH.toUpperCase() }), "files[0].sha256"],
  ["a short hash", file({ sha256: "abc" }), "files[0].sha256"],
  ["no hash", file({ sha256: undefined }), "files[0]"],
  ["a hash and chunks", file({ chunks: [{ size: 100, sha256: HASH }] }), "files[0]"],
  ["no chunks", file({ sha256: undefined, chunks: [] }), "files[0].chunks"],
  ["chunks that do not add up", file({ sha256: undefined, chunks: [{ size: 99, sha256: HASH }] }), "files[0].chunks"],
  ["an empty chunk", file({ sha256: undefined, chunks: [{ size: 0, sha256: HASH }] }), "files[0].chunks[0].size"],
  ["a chunk without a hash", file({ sha256: undefined, chunks: [{ size: 100 }] }), "files[0].chunks[0].sha256"],
  ["no inputs", valid({ inputs: [] }), "inputs"],
  ["an input that is a text", valid({ inputs: ["images"] }), "inputs[0]"],
  ["an input without a name", input({ name: "" }), "inputs[0].name"],
  ["an input named __proto__", input({ name: "__proto__" }), "inputs[0].name"],
  [
    "two inputs of one name",
    valid({ inputs: [...(input({}).inputs as Json[]), ...(input({}).inputs as Json[])] }),
    "inputs",
  ],
  ["another dtype", input({ dtype: "string" }), "inputs[0].dtype"],
  ["a rank of 9", input({ shape: [1, 1, 1, 1, 1, 1, 1, 1, 1] }), "inputs[0].shape"],
  ["a size of -2", input({ shape: [-2] }), "inputs[0].shape[0]"],
  ["a size that is no number", input({ shape: [null] }), "inputs[0].shape[0]"],
  ["a shape beyond counting", input({ shape: [2 ** 40, 2 ** 40] }), "inputs[0].shape"],
  ["a large shape behind a 0", input({ shape: [0, 2 ** 40] }), "inputs[0].shape"],
  ["a text for allowNonFinite", input({ allowNonFinite: "yes" }), "inputs[0].allowNonFinite"],
  ["a picture of rank 3", input({ shape: [8, 8, 3], image: {} }), "inputs[0].image"],
  ["a picture of 2 channels", input({ shape: [1, 8, 8, 2], image: {} }), "inputs[0].image"],
  ["a picture of open height", input({ shape: [1, -1, 8, 3], image: {} }), "inputs[0].image"],
  ["a batch of pictures", input({ shape: [2, 8, 8, 3], image: {} }), "inputs[0].image"],
  ["a picture of bools", input({ dtype: "bool", image: {} }), "inputs[0].image"],
  ["a range of one number", input({ range: [1] }), "inputs[0].range"],
  ["a range of three numbers", input({ range: [1, 2, 3] }), "inputs[0].range"],
  ["a range that ends before it begins", input({ range: [2, 1] }), "inputs[0].range"],
  ["a range of texts", input({ range: ["0", "9"] }), "inputs[0].range"],
  ["a range that is no list", input({ range: 9 }), "inputs[0].range"],
  ["another fit", input({ image: { fit: "squeeze" } }), "inputs[0].image.fit"],
  ["a border beyond a byte", input({ image: { border: [0, 0, 256] } }), "inputs[0].image.border[2]"],
  ["a border of two numbers", input({ image: { border: [0, 0] } }), "inputs[0].image.border"],
  ["means for other channels", input({ image: { mean: [0] } }), "inputs[0].image.mean"],
  ["a divisor of 0", input({ image: { std: [1, 0, 1] } }), "inputs[0].image.std[1]"],
  ["a scale that is no number", input({ image: { scale: "1" } }), "inputs[0].image.scale"],
  ["no outputs", valid({ outputs: [] }), "outputs"],
  [
    "two outputs of one name",
    valid({ outputs: [...(output({}).outputs as Json[]), ...(output({}).outputs as Json[])] }),
    "outputs",
  ],
  ["no task", valid({ task: undefined }), "task"],
  ["another task", valid({ task: { kind: "poetry" } }), "task.kind"],
  ["labels that are no texts", task({ labels: [1] }), "task.labels[0]"],
  ["no labels", task({ labels: undefined }), "task.labels"],
  ["an output that is not listed", task({ output: "boxes" }), "task.output"],
  ["a missing column", task({ columns: COLUMNS.slice(1) }), "task.columns"],
  ["a column twice", task({ columns: [...COLUMNS, "left"] }), "task.columns"],
  ["another column", task({ columns: [...COLUMNS, "angle"] }), "task.columns[6]"],
  ["a score above 1", task({ minScore: 1.1 }), "task.minScore"],
  ["an overlap below 0", task({ maxOverlap: -0.1 }), "task.maxOverlap"],
  ["detections of another width", output({ shape: [1, 100, 7] }), "task"],
  ["the best 0 classes", valid({ task: { kind: "classification", labels: [], top: 0 } }), "task.top"],
  [
    "another activation",
    valid({ task: { kind: "classification", labels: [], activation: "tanh" } }),
    "task.activation",
  ],
  ["signatures that are no list", valid({ signatures: {} }), "signatures"],
  [
    "a signature that is no base64",
    valid({ signatures: [{ keyId: "k", algorithm: "Ed25519", signature: "?" }] }),
    "signatures[0].signature",
  ],
  ["a metric that is no number", valid({ metrics: { accuracy: "high" } }), "metrics.accuracy"],
  ["a licence that is no text", valid({ license: 1 }), "license"],
];

describe("a refused manifest", () => {
  it.each(REFUSALS)("%s", (_why, manifest, field) => {
    const error = refusal(() => parse(manifest));
    expect(error).toMatchObject({ code: "model_format", data: { url: WHERE, field } });
    expect(error.message).toContain(WHERE);
  });

  it("is an HTML page, and the message says so", () => {
    const error = refusal(() => parseManifest("\n<!doctype html><title>App</title>", WHERE));
    expect(error.code).toBe("model_format");
    expect(error.message).toContain(`${WHERE} is not a model: the host answered with an HTML page`);
  });

  it("is no JSON", () => {
    expect(refusal(() => parseManifest('{"insitu":', WHERE))).toMatchObject({
      code: "model_format",
      data: { url: WHERE },
    });
  });

  it("is larger than a manifest may be, counted in bytes", () => {
    // Two bytes a letter: half the letters are enough.
    const error = refusal(() => parse(valid({ license: "é".repeat(MAX_MANIFEST_BYTES / 2) })));
    expect(error.code).toBe("model_too_large");
    expect(parse(valid({ license: "e".repeat(MAX_MANIFEST_BYTES / 2) })).license).toHaveLength(MAX_MANIFEST_BYTES / 2);
  });

  it("lists more than a page can hold", () => {
    const large = (size: number) =>
      valid({
        files: [
          { path: "a.json", size, sha256: HASH },
          { path: "b", size: 1, sha256: HASH },
        ],
      });
    expect(refusal(() => parse(large(2 ** 32)))).toMatchObject({
      code: "model_too_large",
      data: { total: 2 ** 32 + 1 },
    });
    expect(parse(large(2 ** 32 - 1)).files).toHaveLength(2);
  });
});

describe("any text", () => {
  const parses = (text: string) => {
    try {
      return parseManifest(text, WHERE).insitu === 1;
    } catch (error) {
      return error instanceof InsituError && (error.code === "model_format" || error.code === "model_too_large");
    }
  };

  it("gives a manifest or an InsituError: random JSON and random text", () => {
    fc.assert(fc.property(fc.oneof(fc.json(), fc.string({ unit: "binary" })), parses), { numRuns: 500 });
  });

  it("gives a manifest or an InsituError: a valid manifest with one value replaced", () => {
    // Every place in the document, deep ones too, takes every kind of value.
    const places: (string | number)[][] = [];
    const walk = (value: unknown, path: (string | number)[]) => {
      if (path.length > 0) places.push(path);
      if (typeof value !== "object" || value === null) return;
      for (const [key, item] of Object.entries(value)) walk(item, [...path, Array.isArray(value) ? Number(key) : key]);
    };
    walk(valid(), []);
    fc.assert(
      fc.property(fc.constantFrom(...places), fc.jsonValue(), (path, replacement) => {
        const document = structuredClone(valid());
        const last = path.at(-1) as string;
        const parent = path
          .slice(0, -1)
          .reduce((value, key) => (value as Json)[key as string], document as unknown) as Json;
        parent[last] = replacement;
        return parses(JSON.stringify(document));
      }),
      { numRuns: 2000 },
    );
  });
});

describe("an embedding", () => {
  it("names a node, and is the mean over height and width unless it says otherwise", () => {
    expect(parse(valid({ embedding: { node: "features" } })).embedding).toEqual({ node: "features", pool: "mean" });
    expect(parse(valid({ embedding: { node: "f", pool: "none" } })).embedding).toEqual({ node: "f", pool: "none" });
    expect(parse(valid()).embedding).toBeUndefined();
  });

  it.each([[{}], [{ node: 5 }], [{ node: "" }], [{ node: "f", pool: "max" }], ["features"], [{ node: "__proto__" }]])(
    "is refused where it is %j",
    (embedding) => {
      expect(() => parse(valid({ embedding }))).toThrow(expect.objectContaining({ code: "model_format" }));
    },
  );
});
