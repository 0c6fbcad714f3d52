// Weights become the same tensors as tfjs makes of them, however their bytes are cut, and none is left behind when they end early.
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import fc from "fast-check";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type WeightSpec, weightBytes } from "../../../../../src/worker/package/topology.js";
import { decodeFloat16 } from "../../../../../src/worker/runtime/read-weights.js";
import { decodeWeights } from "../../../../../src/worker/runtime/tfjs/weights.js";
import { randomBytes } from "../../../../support/chunked.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
});

let before: number;
beforeEach(() => {
  before = tf.memory().numTensors;
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(before);
});

/** The bytes in buffers of their own, cut at sizes that come round and round; how far the reader went is told. */
function stream(bytes: Uint8Array<ArrayBuffer>, sizes: number[]) {
  const seen = { given: [] as ArrayBuffer[], closed: false };
  async function* pull() {
    try {
      for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
        const size = sizes[turn % sizes.length] as number;
        const { buffer } = bytes.slice(at, at + size);
        seen.given.push(buffer);
        at += size;
        yield buffer;
      }
    } finally {
      seen.closed = true;
    }
  }
  return { chunks: pull(), seen };
}

const total = (specs: WeightSpec[]) => specs.reduce((sum, spec) => sum + weightBytes(spec), 0);

/** As `decodeWeights`, but the tensors become plain values and are gone. */
async function decoded(specs: WeightSpec[], bytes: Uint8Array<ArrayBuffer>, sizes: number[]) {
  const { tensors } = await decodeWeights(specs, stream(bytes, sizes).chunks, "cpu");
  return plain(tensors);
}

function plain(tensors: tf.NamedTensorMap) {
  const values = Object.entries(tensors).map(([name, weight]) => {
    const data = weight.dataSync();
    return { name, shape: weight.shape, dtype: weight.dtype, kind: data.constructor.name, data: Array.from(data) };
  });
  tf.dispose(tensors);
  return values;
}

/** tfjs finds no alignment of its own: a spec's bytes may begin anywhere. */
const byTfjs = (specs: WeightSpec[], bytes: Uint8Array<ArrayBuffer>) =>
  plain(tf.io.decodeWeights(bytes.buffer, specs as tf.io.WeightsManifestEntry[]));

const quantized = (dtype: "uint8" | "uint16") =>
  fc.record({
    dtype: fc.constant(dtype),
    scale: fc.double({ min: -8, max: 8, noNaN: true }),
    min: fc.double({ min: -100, max: 100, noNaN: true }),
  });
const kinds: fc.Arbitrary<Pick<WeightSpec, "dtype" | "quantization">> = fc.oneof(
  fc.record({ dtype: fc.constantFrom("float32" as const, "int32" as const, "bool" as const) }),
  fc.record({
    dtype: fc.constantFrom("float32" as const, "int32" as const),
    quantization: fc.oneof(quantized("uint8"), quantized("uint16")),
  }),
  fc.record({ dtype: fc.constant("float32" as const), quantization: fc.constant({ dtype: "float16" as const }) }),
);
// Empty ones, scalars, and some over the size under which values are copied.
const shapes = fc.oneof(
  { weight: 8, arbitrary: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 }) },
  { weight: 1, arbitrary: fc.constantFrom<number[]>([1023], [1024], [3, 400]) },
);
const models = fc
  .array(fc.tuple(kinds, shapes), { maxLength: 8 })
  .map((items): WeightSpec[] => items.map(([kind, shape], index) => ({ name: `w${index}`, shape, ...kind })));
// A file of no bytes is a chunk of no bytes.
const cuts = fc.array(fc.nat(3000), { minLength: 1, maxLength: 5 }).map((sizes) => [...sizes, 5]);

describe("decodeWeights", () => {
  it("makes what tfjs makes of any weights, under any cut", async () => {
    await fc.assert(
      fc.asyncProperty(models, cuts, fc.nat(), async (specs, sizes, seed) => {
        const bytes = randomBytes(total(specs), seed);
        expect(await decoded(specs, bytes, sizes)).toEqual(byTfjs(specs, bytes));
      }),
      { numRuns: 500 },
    );
  });

  it("makes the same under the smallest cuts and the largest", async () => {
    await fc.assert(
      fc.asyncProperty(models, fc.nat(), async (specs, seed) => {
        const bytes = randomBytes(total(specs), seed);
        const whole = await decoded(specs, bytes, [Math.max(1, bytes.length)]);
        expect(await decoded(specs, bytes, [1])).toEqual(whole);
      }),
      { numRuns: 100 },
    );
  });

  it("refuses bytes that end before the last weight, and frees the tensors that it had made", async () => {
    await fc.assert(
      fc.asyncProperty(models, cuts, fc.double({ min: 0, max: 1, maxExcluded: true }), async (specs, sizes, part) => {
        fc.pre(total(specs) > 0);
        const { chunks, seen } = stream(randomBytes(Math.floor(total(specs) * part)), sizes);
        await expect(decodeWeights(specs, chunks, "cpu")).rejects.toThrow("end before the last weight");
        expect(seen.closed || seen.given.length === 0).toBe(true);
        expect(tf.memory().numTensors).toBe(before);
      }),
      { numRuns: 200 },
    );
  });

  it("refuses bytes that go on after the last weight, and frees the tensors", async () => {
    await fc.assert(
      fc.asyncProperty(models, cuts, fc.integer({ min: 1, max: 50 }), async (specs, sizes, more) => {
        const { chunks, seen } = stream(randomBytes(total(specs) + more), sizes);
        await expect(decodeWeights(specs, chunks, "cpu")).rejects.toThrow("go on after the last weight");
        expect(seen.closed).toBe(true);
        expect(tf.memory().numTensors).toBe(before);
      }),
      { numRuns: 200 },
    );
  });

  it("accepts an empty file, which a model without weights may have", async () => {
    async function* empty() {
      yield new ArrayBuffer(0);
    }
    expect((await decodeWeights([], empty(), "cpu")).tensors).toEqual({});
  });

  it("passes on why its bytes could not be read, and frees the tensors", async () => {
    const specs: WeightSpec[] = ["a", "b"].map((name) => ({ name, shape: [4], dtype: "float32" }));
    async function* broken() {
      yield new ArrayBuffer(16);
      throw new RangeError("no network");
    }
    await expect(decodeWeights(specs, broken(), "cpu")).rejects.toBeInstanceOf(RangeError);
  });

  it("holds no view into a chunk, which its source may free once the next is asked for", async () => {
    const specs: WeightSpec[] = [10, 5000].map((size) => ({ name: `${size}`, shape: [size], dtype: "float32" }));
    const { chunks, seen } = stream(randomBytes(total(specs)), [100_000]);
    const { tensors } = await decodeWeights(specs, chunks, "cpu");
    for (const tensor of Object.values(tensors)) expect(seen.given).not.toContain(tensor.dataSync().buffer);
    tf.dispose(tensors);
  });
});

describe("decodeFloat16", () => {
  afterEach(() => vi.unstubAllGlobals());

  const all = new Uint8Array(Uint16Array.from({ length: 65_536 }, (_, bits) => bits).buffer);
  /** NaN has no one bit pattern; zero has a sign. */
  const bitsOf = (values: Float32Array) =>
    Array.from(new Uint32Array(values.buffer, values.byteOffset, values.length), (bits, index) =>
      Number.isNaN(values[index]) ? "NaN" : bits,
    );

  it("gives tfjs's numbers for all 65,536 values by its table", () => {
    vi.stubGlobal("Float16Array", undefined);
    const specs = [
      { name: "w", shape: [65_536], dtype: "float32", quantization: { dtype: "float16" } },
    ] as tf.io.WeightsManifestEntry[];
    const tensors = tf.io.decodeWeights(all.buffer, specs);
    expect(bitsOf(decodeFloat16(all))).toEqual(bitsOf(tensors.w?.dataSync() as Float32Array));
    tf.dispose(tensors);
  });

  it("knows the corners of the format", () => {
    vi.stubGlobal("Float16Array", undefined);
    const read = (bits: number) => decodeFloat16(new Uint8Array(Uint16Array.of(bits).buffer))[0];
    expect([0x0000, 0x8000, 0x0001, 0x03ff, 0x0400, 0x3c00, 0xc000, 0x7bff, 0x7c00, 0xfc00, 0x7e00].map(read)).toEqual([
      ...[0, -0, 2 ** -24, 1023 * 2 ** -24, 2 ** -14, 1, -2, 65_504],
      ...[Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN],
    ]);
  });

  it("uses the platform's reader where there is one", () => {
    // Node 20 has none: one that reads each value as 7 stands in for it.
    class Sevens {
      constructor(_buffer: ArrayBuffer, _offset: number, length: number) {
        // biome-ignore lint/correctness/noConstructorReturn: what counts is what the constructor gives.
        return new Array(length).fill(7);
      }
    }
    vi.stubGlobal("Float16Array", Sevens);
    expect(decodeFloat16(new Uint8Array(6))).toEqual(Float32Array.of(7, 7, 7));
  });
});
