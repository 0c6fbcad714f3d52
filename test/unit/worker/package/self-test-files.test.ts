// Self-tests as a page reads them: the manifest's word, both files, hostile ones too, and the noise that inputs are made of.
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InsituError } from "../../../../src/shared/errors.js";
import type { TensorSpec } from "../../../../src/shared/types/manifest.js";
import type { DType } from "../../../../src/shared/types/tensor.js";
import { parseManifest } from "../../../../src/worker/package/manifest.js";
import { mulberry32, seededNoise } from "../../../../src/worker/package/seeded-noise.js";
import { parseSelfTestInput, parseSelfTestOutputs } from "../../../../src/worker/package/self-test-files.js";
import { HASH, type Json, refusal, valid, WHERE } from "../../../support/manifests.js";
import { changes, damage, hostile, mutate, textOf } from "../../../support/mutations.js";

const base64 = (data: Float32Array | Int32Array | Uint8Array) =>
  Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
const spec = (name: string, dtype: DType, ...shape: number[]): TensorSpec => ({ name, dtype, shape });

const INPUTS = [spec("x", "float32", -1, 3), spec("ids", "int32", 2), spec("mask", "bool", 2)];
const INPUT = {
  x: { dtype: "float32", shape: [1, 3], data: base64(new Float32Array([1, -2.5, 3])) },
  ids: { dtype: "int32", shape: [2], noise: { seed: 3, low: 0, high: 10 } },
  mask: { dtype: "bool", shape: [2], data: base64(new Uint8Array([1, 0])) },
};
const input = (value: unknown, specs = INPUTS) =>
  parseSelfTestInput(typeof value === "string" ? value : textOf(value), specs, WHERE);

const OUTPUTS = [spec("scores", "float32", -1, 5), spec("other", "float32", 1)];
const OUTPUT = {
  scores: { dtype: "float32", shape: [1, 5], stride: 2, unstable: [1], data: base64(new Float32Array([1, 2, 3])) },
};
const outputs = (value: unknown) =>
  parseSelfTestOutputs(typeof value === "string" ? value : textOf(value), OUTPUTS, WHERE);

describe("noise", () => {
  const sha256 = (data: { buffer: ArrayBufferLike }) =>
    createHash("sha256").update(new Uint8Array(data.buffer)).digest("hex");

  it("is the same for the same seed, in every version: recorded outputs belong to it", () => {
    const next = mulberry32(1);
    expect([next(), next(), next()]).toEqual([0.6270739405881613, 0.002735721180215478, 0.5274470399599522]);
    expect(sha256(seededNoise({ seed: 1, low: 0, high: 255 }, [1, 512, 512, 3], "float32"))).toBe(
      "8b204d9695b65835332d80236205d931df0d1ef43afb4920ab4547eeaaac686a",
    );
    expect(sha256(seededNoise({ seed: 7, low: -1, high: 1 }, [1, 100], "float32"))).toBe(
      "045476904310f8a0c0428c8a52921b739b6249b738c4b56af1872eec23fac407",
    );
    expect([...seededNoise({ seed: 3, low: 0, high: 10 }, [8], "int32")]).toEqual([7, 0, 4, 0, 7, 4, 4, 1]);
    expect([...seededNoise({ seed: 3, low: 0, high: 2 }, [8], "bool")]).toEqual([1, 0, 0, 0, 1, 0, 0, 0]);
  });

  it("fills a picture with at most 16 blocks a side, each of one colour", () => {
    const [height, width, channels] = [40, 33, 3];
    const data = seededNoise({ seed: 5, low: 0, high: 1 }, [1, height, width, channels], "float32");
    const at = (y: number, x: number, channel: number) => data[(y * width + x) * channels + channel];
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) {
        for (let channel = 0; channel < channels; channel += 1)
          expect(at(y, x, channel)).toBe(at(y - (y % 3), x - (x % 3), channel));
      }
    }
    expect(new Set(data).size).toBe(14 * 11 * 3);
  });
});

describe("the inputs of a self-test", () => {
  it("are numbers or noise, in the manifest's order, as fresh tensors", () => {
    expect(input(INPUT)).toEqual({
      x: { data: new Float32Array([1, -2.5, 3]), shape: [1, 3], dtype: "float32" },
      ids: { data: seededNoise({ seed: 3, low: 0, high: 10 }, [2], "int32"), shape: [2], dtype: "int32" },
      mask: { data: new Uint8Array([1, 0]), shape: [2], dtype: "bool" },
    });
  });

  const x = (more: Json) => ({ ...INPUT, x: { ...INPUT.x, ...more } });
  const noisy = (more: Json) => ({ ...INPUT, ids: { ...INPUT.ids, noise: { ...INPUT.ids.noise, ...more } } });
  it.each<[string, unknown, string, string]>([
    ["HTML", "<html>", "", "HTML page"],
    ["half a document", '{"x":', "", "is not JSON"],
    ["a list", [], "", "must be an object"],
    ["a missing input", { x: INPUT.x }, "ids", "must be an object, it is missing"],
    ["a stranger", { ...INPUT, y: INPUT.x }, "", 'names "y"'],
    ["a key that would set a prototype", { ...INPUT, "@proto": INPUT.x }, "", "__proto__"],
    ["another dtype", x({ dtype: "int32" }), "x.dtype", "is int32, the model has float32"],
    ["a batch", x({ shape: [2, 3] }), "x.shape", "is [2, 3], the model has [-1, 3]"],
    ["another rank", x({ shape: [3] }), "x.shape", "is [3]"],
    ["both data and noise", x({ noise: INPUT.ids.noise }), "x", "either data, noise or bytes"],
    ["neither", x({ data: undefined }), "x", "either data, noise or bytes"],
    ["too few numbers", x({ data: base64(new Float32Array(2)) }), "x.data", "12 bytes"],
    ["white space in base64", x({ data: `${INPUT.x.data.slice(0, -1)} ` }), "x.data", "holds 11 bytes"],
    ["what is no base64", x({ data: "*".repeat(16) }), "x.data", "is not base64"],
    ["NaN", x({ data: base64(new Float32Array([1, Number.NaN, 3])) }), "x.data", "holds NaN at 1"],
    ["a bool of 2", { ...INPUT, mask: { ...INPUT.mask, data: "AgA=" } }, "mask.data", "holds 2 at 0"],
    ["noise without a seed", noisy({ seed: undefined }), "ids.noise.seed", "missing"],
    ["a seed beyond 32 bits", noisy({ seed: 2 ** 32 }), "ids.noise.seed", "under 2^32"],
    ["noise that would wrap around", noisy({ high: 2 ** 31 }), "ids.noise.high", "from 0 to"],
    ["noise upside down", noisy({ low: 11 }), "ids.noise.high", "from 11"],
    ["infinite noise", noisy({ low: "@huge" }), "ids.noise.low", "must be a number"],
  ])("are refused: %s", (_what, value, field, words) => {
    const error = refusal(() => input(typeof value === "string" ? value : textOf(value)));
    expect(error).toMatchObject({ code: "model_format", data: { url: WHERE, field } });
    expect(error.message).toContain(words);
  });

  it("may leave all but the batch open, up to 64 MiB: a hundred bytes cannot ask for a gigabyte", () => {
    const open = [spec("x", "float32", -1, -1, 1024)];
    const sized = (size: number) => ({
      x: { dtype: "float32", shape: [1, size, 1024], noise: { seed: 1, low: 0, high: 1 } },
    });
    expect(input(sized(2), open).x?.data).toHaveLength(2048);
    expect(refusal(() => input(sized(2 ** 14 + 1), open)).message).toContain("16777216 is the maximum");
    const two = [...open, spec("y", "float32", -1, -1, 1024)];
    const both = { x: sized(2 ** 13).x, y: sized(2 ** 13 + 1).x };
    expect(refusal(() => input(both, two))).toMatchObject({ code: "model_format", data: { field: "y" } });
    expect(refusal(() => input(" ".repeat(2 ** 24 + 1))).message).toContain("16777217 characters");
  });
});

describe("the outputs of a self-test", () => {
  it("are every stride-th number, with the places that are not compared", () => {
    expect(outputs(OUTPUT)).toEqual({
      scores: { dtype: "float32", shape: [1, 5], stride: 2, unstable: [1], data: new Float32Array([1, 2, 3]) },
    });
    const infinite = { scores: { ...OUTPUT.scores, data: base64(new Float32Array([1, -1 / 0, 3])) } };
    expect(outputs(infinite).scores?.data).toEqual(new Float32Array([1, -1 / 0, 3]));
    const plain = { other: { dtype: "float32", shape: [1], data: base64(new Float32Array([7])) } };
    expect(outputs(plain)).toMatchObject({ other: { stride: 1, unstable: [] } });
  });

  const scores = (more: Json) => ({ scores: { ...OUTPUT.scores, ...more } });
  it.each<[string, unknown, string, string]>([
    ["none", {}, "", "holds no output"],
    ["one that the model lacks", { y: OUTPUT.scores }, "y", "is not an output of the model"],
    ["a key that would set a prototype", { "@proto": OUTPUT.scores }, "", "must be a name"],
    ["a stride of 0", scores({ stride: 0 }), "scores.stride", "at least 1"],
    ["data for another stride", scores({ stride: 1 }), "scores.data", "20 bytes"],
    ["an empty output", scores({ shape: [0, 5] }), "scores", "keeps 0 values"],
    ["too many values", scores({ shape: [2 ** 20], stride: 255 }), "scores", "1 to 4096"],
    [
      "a shape that nothing can hold",
      scores({ shape: [2 ** 20, 2 ** 20], stride: 2 ** 40 }),
      "scores.shape",
      "stands for",
    ],
    ["NaN", scores({ data: base64(new Float32Array([1, Number.NaN, 3])) }), "scores.data", "holds NaN at 1"],
    ["a place that is not there", scores({ unstable: [3] }), "scores.unstable[0]", "there are 3 values"],
    ["places twice", scores({ unstable: [1, 1] }), "scores.unstable[1]", "at least 2"],
    ["nothing to compare", scores({ unstable: [0, 1, 2] }), "scores.unstable", "leaves nothing"],
  ])("are refused: %s", (_what, value, field, words) => {
    const error = refusal(() => outputs(value));
    expect(error).toMatchObject({ code: "model_format", data: { url: WHERE, field } });
    expect(error.message).toContain(words);
  });
});

describe("any file at all", () => {
  /** What is accepted must be what the types say; what is refused, refused by an error of ours. */
  const judged = (text: string): boolean => {
    for (const parse of [() => input(text), () => outputs(text)]) {
      try {
        for (const { data, shape } of Object.values<{ data: ArrayLike<number>; shape: number[] }>(parse())) {
          expect(Array.from(data).every((value) => Number.isFinite(value))).toBe(true);
          expect(shape.every((size) => Number.isSafeInteger(size) && size >= 0)).toBe(true);
        }
      } catch (error) {
        if (!(error instanceof InsituError) || error.code !== "model_format") throw error;
      }
    }
    return Object.getPrototypeOf({}) === Object.prototype && !("dtype" in {});
  };

  it("gives tensors or a typed error: random text and random JSON", () => {
    const any = fc.oneof(fc.json(), fc.string({ unit: "binary" }), hostile.map(textOf));
    fc.assert(fc.property(any, judged), { numRuns: 1000 });
  });

  it("gives tensors or a typed error: right files, changed and damaged", () => {
    const file = fc.constantFrom<unknown>(INPUT, OUTPUT);
    fc.assert(
      fc.property(file, changes, damage, fc.boolean(), (document, list, hurt, isHurt) => {
        const text = mutate(document, list);
        return judged(isHurt ? hurt(text) : text);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("selfTest in a manifest", () => {
  const FILES = [
    { path: "model.json", size: 100, sha256: HASH },
    { path: "in.json", size: 100, sha256: HASH },
    { path: "out.json", size: 16 * 1024 * 1024, sha256: HASH },
    { path: "large.json", size: 16 * 1024 * 1024 + 1, sha256: HASH },
  ];
  const parse = (selfTest: unknown) => parseManifest(JSON.stringify(valid({ files: FILES, selfTest })), WHERE).selfTest;
  const one = { input: "in.json", outputs: "out.json" };

  it("has its tolerances, given or default; it may be absent or empty", () => {
    expect(parse([{ ...one, tolerance: { wasm: 0.5 }, more: 1 }, one])).toEqual([
      { ...one, tolerance: { webgpu: 1e-2, wasm: 0.5, cpu: 1e-4 } },
      { ...one, tolerance: { webgpu: 1e-2, wasm: 1e-4, cpu: 1e-4 } },
    ]);
    expect(parse([])).toEqual([]);
    expect("selfTest" in parseManifest(JSON.stringify(valid()), WHERE)).toBe(false);
  });

  it.each<[string, unknown, string]>([
    ["no list", {}, "selfTest"],
    ["nine tests", new Array(9).fill(one), "selfTest"],
    ["a file that is not listed", [{ ...one, input: "../in.json" }], "selfTest[0].input"],
    ["a missing file", [{ input: "in.json" }], "selfTest[0].outputs"],
    ["a file over 16 MiB", [one, { ...one, outputs: "large.json" }], "selfTest[1].outputs"],
    ["a tolerance of 0", [{ ...one, tolerance: { cpu: 0 } }], "selfTest[0].tolerance.cpu"],
    ["a tolerance that is no number", [{ ...one, tolerance: { webgpu: "1" } }], "selfTest[0].tolerance.webgpu"],
    ["a tolerance of null", [{ ...one, tolerance: null }], "selfTest[0].tolerance"],
  ])("is refused: %s", (_what, value, field) => {
    expect(refusal(() => parse(value))).toMatchObject({ code: "model_format", data: { field } });
  });
});
