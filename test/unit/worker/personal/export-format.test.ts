// The export file of a personal model: reading restores what was written, and an altered or invented file is refused.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InsituError } from "../../../../src/shared/errors.js";
import { sha256 } from "../../../../src/shared/sha256.js";
import { type ExportedModel, fromFile, toFile } from "../../../../src/worker/personal/export-format.js";
import type { ExportedExample } from "../../../../src/worker/personal/export-schema.js";

const EMBEDDER = "a".repeat(64);

const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`));
const label = fc.oneof(fc.string({ minLength: 1, maxLength: 50 }), fc.constantFrom("__proto__", "constructor", "ü 🦊"));
const float = fc.float({ noNaN: true, noDefaultInfinity: true });
const vector = (length: number) =>
  fc.array(float, { minLength: length, maxLength: length }).map((all) => Float32Array.from(all));
const example: fc.Arbitrary<ExportedExample> = fc.record(
  {
    id: hex(32),
    label,
    addedAt: fc.nat(),
    embedder: fc.constant(EMBEDDER),
    vector: vector(5),
    heldOut: fc.boolean(),
    input: fc.record({
      kept: fc.constant({ kind: "image" as const, type: "image/jpeg" }),
      parts: fc.tuple(fc.uint8Array({ maxLength: 40 })),
    }),
  },
  { requiredKeys: ["id", "label", "addedAt", "embedder", "vector"] },
);
const accuracy = { examples: 4, correct: 3, accuracy: 0.75, interval: [0.3, 0.95] as [number, number] };
const version = fc.uniqueArray(label, { minLength: 1, maxLength: 4 }).chain((labels) =>
  fc.record({
    embedder: fc.constant(EMBEDDER),
    head: fc.record({
      kind: fc.constantFrom("nearest-mean" as const, "softmax" as const),
      labels: fc.constant(labels),
      size: fc.constant(5),
      weights: vector(5 * labels.length),
      bias: vector(labels.length),
      means: vector(5 * labels.length),
      limits: vector(labels.length).map((all) => all.fill(Infinity, 0, 1)),
    }),
  }),
);
const exported: fc.Arbitrary<ExportedModel> = fc
  .tuple(fc.uniqueArray(example, { maxLength: 6, selector: ({ id }) => id }), fc.array(version, { maxLength: 3 }))
  .map(([examples, versions]) => ({
    model: "digits",
    examples,
    active: versions.length,
    versions: versions.map(({ embedder, head }, index) => ({
      embedder,
      head,
      facts: {
        version: index + 1,
        trainedAt: 5,
        trigger: "asked" as const,
        head: head.kind,
        labels: head.labels,
        counts: Object.fromEntries(head.labels.map((each) => [each, { trained: 3, heldOut: 1 }])),
        judged: { "nearest-mean": accuracy },
        activated: true,
        reason: "It was better.",
        durationMs: 12.5,
        base: { name: "digits", version: "1.0.0", release: 1, digest: "d" },
        backend: "wasm" as const,
      },
    })),
  }));

/** With a new hash, as anyone can compute it. */
async function rehashed(file: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const copy = Uint8Array.from(file);
  const hash = await sha256(copy.subarray(0, -32));
  copy.set(Uint8Array.from(Buffer.from(hash, "hex")), copy.length - 32);
  return copy;
}

const refusal = (bytes: Uint8Array<ArrayBuffer>) =>
  fromFile(bytes).then(
    () => undefined,
    (error) => error,
  );

describe("the export file of a personal model", () => {
  it("restores what was written", async () => {
    await fc.assert(
      fc.asyncProperty(exported, async (content) => {
        expect(await fromFile(await toFile(content))).toEqual(content);
      }),
      { numRuns: 200 },
    );
  });

  it("is refused with input_invalid when a byte was changed or the end is missing", async () => {
    await fc.assert(
      fc.asyncProperty(exported, fc.nat(), fc.integer({ min: 1, max: 255 }), async (content, at, by) => {
        const file = await toFile(content);
        const altered = Uint8Array.from(file);
        altered[at % file.length] = (altered[at % file.length] as number) ^ by;
        expect(await refusal(altered)).toMatchObject({ code: "input_invalid" });
        expect(await refusal(file.slice(0, at % file.length))).toMatchObject({ code: "input_invalid" });
      }),
      { numRuns: 200 },
    );
  });

  it("is read or refused with input_invalid, whatever bytes it has, also with a valid hash", async () => {
    await fc.assert(
      fc.asyncProperty(
        exported,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 12 }),
        async (content, edits) => {
          const file = Uint8Array.from(await toFile(content));
          for (const [at, byte] of edits) file[8 + (at % (file.length - 40))] = byte;
          const result = await fromFile(await rehashed(file)).catch((error) => error);
          if (result instanceof Error) {
            expect(result).toBeInstanceOf(InsituError);
            expect(result).toMatchObject({ code: "input_invalid" });
            return;
          }
          for (const { vector } of result.examples)
            for (const value of vector) expect(Number.isFinite(value)).toBe(true);
          for (const { head } of result.versions) {
            expect(head.weights.length).toBe(head.labels.length * head.size);
            for (const value of head.weights) expect(Number.isFinite(value)).toBe(true);
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it("sets no prototype, whatever its labels are", async () => {
    const [content] = fc.sample(exported, { seed: 4, numRuns: 1 });
    const facts = {
      id: "0".repeat(32),
      label: "__proto__",
      addedAt: 1,
      embedder: EMBEDDER,
      vector: new Float32Array(5),
    };
    const { examples } = await fromFile(await toFile({ ...(content as ExportedModel), examples: [facts] }));
    expect(examples[0]?.label).toBe("__proto__");
    expect(({} as { trained?: number }).trained).toBeUndefined();
  });
});
