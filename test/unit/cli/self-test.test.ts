// Self-tests from `pack` to `verify`, on real models run by tfjs: recorded, read again, and failed by a modified model.
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { goldens } from "../../../src/cli/goldens.js";
import { inspect, inspectionText } from "../../../src/cli/inspect.js";
import { type PackOptions, packModel } from "../../../src/cli/pack.js";
import { readSelfTests, runSelfTests } from "../../../src/cli/self-tests.js";
import { readPackage, verifyPackage } from "../../../src/cli/verify.js";
import type { TensorData } from "../../../src/shared/types/tensor.js";
import { parseSelfTestOutputs } from "../../../src/worker/package/self-test-files.js";
import { weightBytes } from "../../../src/worker/package/topology.js";
import { republish } from "../../support/graphs.js";
import { useRooms } from "../../support/packages.js";

const DIGITS = fileURLToPath(new URL("../../../models/digits/package", import.meta.url));
const rooms = useRooms();

const FILES = ["self-test-1.input.json", "self-test-1.outputs.json"];
const digits = (more: Partial<PackOptions> = {}): PackOptions => ({
  model: join(DIGITS, "model.json"),
  out: rooms.folder,
  name: "digits",
  version: "1.0.0",
  created: "2026-01-31T12:00:00Z",
  plan: false,
  ...more,
});

/** Packs `y = op(x, ...weights)`, where `x` has 4 numbers. */
function packOp(op: string, weights: number[][], more: Partial<PackOptions> = {}) {
  const names = weights.map((_, index) => `w${index}`);
  const float = { type: "DT_FLOAT" };
  const shape = (...sizes: number[]) => ({ dim: sizes.map((size) => ({ size: `${size}` })) });
  writeFileSync(join(rooms.root, `${op}.bin`), Buffer.from(new Float32Array(weights.flat()).buffer));
  const model = rooms.write(`${op}.json`, {
    format: "graph-model",
    signature: {
      inputs: { x: { name: "x:0", dtype: "DT_FLOAT", tensorShape: shape(-1, 4) } },
      outputs: { y: { name: "y:0", dtype: "DT_FLOAT", tensorShape: shape(-1, 4) } },
    },
    modelTopology: {
      node: [
        { name: "x", op: "Placeholder", attr: { dtype: float, shape: { shape: shape(-1, 4) } } },
        ...names.map((name) => ({ name, op: "Const", attr: { dtype: float } })),
        { name: "y", op, input: ["x", ...names], attr: { T: float } },
      ],
      versions: {},
    },
    weightsManifest: [{ paths: [`${op}.bin`], weights: names.map((name) => ({ name, shape: [4], dtype: "float32" })) }],
  });
  return packModel({ model, out: rooms.folder, name: "op", version: "1.0.0", ...more });
}

describe("pack", () => {
  it("records the model's outputs for noise, as files of the package", async () => {
    const lines: string[] = [];
    const manifest = await packModel(digits({ onProgress: (line) => void lines.push(line) }));
    expect(manifest.files.map(({ path }) => path)).toEqual(["model.json", "weights.bin", ...FILES]);
    expect(manifest.selfTest).toEqual([
      { input: FILES[0], outputs: FILES[1], tolerance: { webgpu: 1e-2, wasm: 1e-4, cpu: 1e-4 } },
    ]);
    expect(readdirSync(rooms.folder).sort()).toEqual(["insitu.json", "model.json", ...FILES, "weights.bin"]);
    // The noise is stored as its seed, not as pixels.
    expect(readFileSync(join(rooms.folder, FILES[0] as string)).length).toBeLessThan(250);
    const [test] = await readSelfTests(manifest, rooms.folder);
    expect(test?.inputs).toMatchObject({ image: { shape: [1, 28, 28, 1], dtype: "float32" } });
    const expected = test?.outputs.probabilities;
    expect(Array.from(expected?.data ?? []).reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
    expect(expected?.unstable.length).toBeLessThan(5);
    expect(lines[0]).toMatch(/^self-test 1 of 1: running the model on cpu/);
    expect(inspectionText(await inspect(rooms.folder))).toContain(
      "self-test-1.input.json, self-test-1.outputs.json, tolerance webgpu 1e-2, wasm 1e-4, cpu 1e-4",
    );
  });

  it("produces the same package each time, and repacks it in its own folder", async () => {
    await packModel(digits());
    const { digest } = await verifyPackage(rooms.folder);
    await packModel(digits({ model: join(rooms.folder, "model.json") }));
    expect((await verifyPackage(rooms.folder)).digest).toBe(digest);
    await packModel(digits({ selfTest: false }));
    expect(readdirSync(rooms.folder).sort()).toEqual(["insitu.json", "model.json", "weights.bin"]);
  });

  it("records a self-test for each given input", async () => {
    const image = { dtype: "float32", shape: [1, 28, 28, 1] };
    const stripe = Float32Array.from({ length: 784 }, (_, index) => (index % 28 > 12 && index % 28 < 16 ? 1 : 0));
    const own = rooms.write("own.json", {
      image: { ...image, data: Buffer.from(stripe.buffer).toString("base64") },
    });
    const more = rooms.write("more.json", { image: { ...image, noise: { seed: 9, low: 0, high: 1 } } });
    const manifest = await packModel(digits({ selfTest: [own, more] }));
    const tests = await readSelfTests(manifest, rooms.folder);
    expect(tests.map(({ inputs }) => inputs.image?.data[28 + 14])).toEqual([1, expect.any(Number)]);
    expect(tests[0]?.outputs).not.toEqual(tests[1]?.outputs);
    const { model } = await verifyPackage(rooms.folder);
    expect(await runSelfTests(manifest, model, rooms.folder)).toHaveLength(2);
  });

  it("refuses invalid inputs before the model runs", async () => {
    const wrong = rooms.write("wrong.json", { image: { dtype: "float32", shape: [28, 28] } });
    await expect(packModel(digits({ selfTest: [wrong] }))).rejects.toMatchObject({
      code: "model_format",
      data: { url: wrong, field: "image.shape" },
    });
    await expect(packModel(digits({ selfTest: new Array(9).fill(wrong) }))).rejects.toMatchObject({
      code: "input_invalid",
    });
    expect(existsSync(rooms.folder)).toBe(false);
  });

  it("refuses a model that tfjs cannot run on cpu, unless the self-test is omitted", async () => {
    await expect(packOp("NoSuchOp", [])).rejects.toMatchObject({
      code: "backend_unavailable",
      message: expect.stringMatching(/NoSuchOp.*--no-self-test/s),
    });
    expect(existsSync(rooms.folder)).toBe(false);
    expect((await packOp("NoSuchOp", [], { selfTest: false })).selfTest).toBeUndefined();
  });

  it("refuses a model that returns NaN", async () => {
    await expect(packOp("AddV2", [[0, 0, Number.NaN, 0]])).rejects.toMatchObject({
      code: "output_invalid",
      message: expect.stringContaining("returns NaN in its output y"),
    });
  });

  it("shrinks the tolerance if all outputs are small", async () => {
    const manifest = await packOp("Mul", [[2e-3, 2e-3, 2e-3, 2e-3]]);
    expect(manifest.selfTest?.[0]?.tolerance).toEqual({ webgpu: 1e-4, wasm: 1e-6, cpu: 1e-6 });
    expect((await packOp("Mul", [[1e3, 1, 1, 1]])).selfTest?.[0]?.tolerance.webgpu).toBe(1e-2);
  });
});

describe("the compared values", () => {
  const tensor = (...values: number[]): TensorData => ({
    data: new Float32Array(values),
    shape: [values.length],
    dtype: "float32",
  });
  const kept = (exact: TensorData, above?: TensorData, below?: TensorData) => {
    const of = (y?: TensorData) => (y ? { y } : undefined);
    const { text } = goldens({ exact: { y: exact }, above: of(above), below: of(below) });
    return parseSelfTestOutputs(text, [{ name: "y", dtype: "float32", shape: [-1] }], "outputs.json").y;
  };

  it("are those that move smoothly: no swaps, no large moves, no NaN", () => {
    const found = kept(
      tensor(0.5, 0.5, 0.5, 0.5, 0.5),
      tensor(0.509, 0.502, 0.5, 0.511, Number.NaN),
      tensor(0.491, 0.5, 0.5, 0.489, 0.5),
    );
    expect(found?.unstable).toEqual([1, 3, 4]);
    expect(kept(tensor(1, 2))?.unstable).toEqual([]);
  });

  it("are at most 4096 of an output, evenly spaced", () => {
    const found = kept(tensor(...Array.from({ length: 10_000 }, (_, index) => index)));
    expect(found).toMatchObject({ shape: [10_000], stride: 3 });
    expect([...(found?.data ?? [])].slice(-2)).toEqual([9996, 9999]);
    expect(kept(tensor(...new Array(4096).fill(1)))?.stride).toBe(1);
    expect(kept(tensor(...new Array(4097).fill(1)))).toMatchObject({ stride: 2, data: { length: 2049 } });
  });

  it("must exist: an output of varying size or one that always jumps is refused", () => {
    expect(() => kept(tensor(1, 2), tensor(1), tensor(1, 2))).toThrow(/rounding alone/);
    expect(() => kept(tensor(1), tensor(5), tensor(1))).toThrow(/rounding alone/);
    expect(() => kept(tensor())).toThrow(/rounding alone/);
    expect(() => kept(tensor(0, 1e-6))).toThrow(/only zeros/);
    expect(() => kept(tensor(1, 0), tensor(5, 0), tensor(1, 0))).toThrow(/only zeros/);
  });
});

describe("verify", () => {
  const run = async () => {
    const { manifest, model } = await verifyPackage(rooms.folder);
    return runSelfTests(manifest, model, rooms.folder);
  };

  it("runs the self-test of the digits package in the repository", async () => {
    const { manifest, model } = await verifyPackage(DIGITS);
    const [found] = await runSelfTests(manifest, model, DIGITS);
    expect(found?.agrees).toBe(true);
    expect(found?.worst).toBeLessThan(1e-6);
  });

  it("detects weights with flipped signs that have valid hashes and the old outputs", async () => {
    await packModel(digits());
    await expect(run()).resolves.toHaveLength(1);
    const weights = join(rooms.folder, "weights.bin");
    const bytes = readFileSync(weights);
    const { model } = await readPackage(rooms.folder);
    let offset = 0;
    for (const spec of model.weightSpecs) {
      const end = offset + weightBytes(spec);
      const step = { float32: 4, float16: 2 }[(spec.quantization?.dtype ?? spec.dtype) as "float32" | "float16"];
      // In little-endian IEEE 754 of both sizes, the sign is the highest bit of the last byte.
      if (step)
        for (let last = offset + step - 1; last < end; last += step) bytes[last] = (bytes[last] as number) ^ 0x80;
      offset = end;
    }
    writeFileSync(weights, bytes);
    republish(rooms.folder, () => undefined);
    await expect(run()).rejects.toMatchObject({
      code: "output_invalid",
      message: expect.stringMatching(
        /cpu gave .* where .* is right \(output probabilities\[\d\]\).* the tolerance is 1e-4/,
      ),
    });
  });

  it("reports files that cannot be parsed, even if it does not run them", async () => {
    cpSync(DIGITS, rooms.folder, { recursive: true });
    writeFileSync(join(rooms.folder, FILES[1] as string), "{}");
    republish(rooms.folder, () => undefined);
    await expect(verifyPackage(rooms.folder)).rejects.toMatchObject({
      code: "model_format",
      message: expect.stringContaining("holds no output"),
    });
  });

  it("reports that there is no self-test to run", async () => {
    await packModel(digits({ selfTest: false }));
    await expect(run()).rejects.toMatchObject({
      code: "input_invalid",
      message: expect.stringContaining("no self-test"),
    });
  });
});
