// The reference profile of a manifest: what a page accepts, and what it refuses.
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseManifest } from "../../../../src/worker/package/manifest.js";
import { type Json, refusal, valid, WHERE } from "../../../support/manifests.js";

const EDGES = Array.from({ length: 19 }, (_, i) => (i + 1) / 20);
const feature = (changes: Json = {}): Json => ({
  name: "images.brightness",
  edges: EDGES,
  low: 0,
  high: 1,
  missing: 0,
  ...changes,
});
const reference = (changes: Json = {}): Json => ({ samples: 500, features: [feature()], ...changes });
const SHARES = new Array<number>(20).fill(0.05);
const parse = (value: unknown) => parseManifest(JSON.stringify(valid({ reference: value })), WHERE).reference;

test("a profile is read as it was written, without what is unknown", () => {
  const whole = reference({ confidence: SHARES, classes: [0.25, 0.75] });
  expect(parse(whole)).toEqual(whole);
  expect(parse(reference({ evil: 1, features: [feature({ more: 2 })] }))).toEqual(reference());
  expect(parse(reference({ features: [] }))).toEqual(reference({ features: [] }));
  const constant = feature({ edges: new Array(19).fill(28), low: 28, high: 28 });
  expect(parse(reference({ features: [constant] }))).toEqual(reference({ features: [constant] }));
  expect(parseManifest(JSON.stringify(valid()), WHERE)).not.toHaveProperty("reference");
});

const many = Array.from({ length: 17 }, (_, i) => feature({ name: `images.${i}` }));
const falling = EDGES.with(7, 0.1);
test.each<[string, unknown, string]>([
  ["no object", [], "reference"],
  ["null", null, "reference"],
  ["no samples", { features: [] }, "reference.samples"],
  ["samples of 0", reference({ samples: 0 }), "reference.samples"],
  ["samples of 1.5", reference({ samples: 1.5 }), "reference.samples"],
  ["no features", { samples: 5 }, "reference.features"],
  ["17 features", reference({ features: many }), "reference.features"],
  ["a million features", reference({ features: new Array(100_000).fill(1) }), "reference.features"],
  ["a name twice", reference({ features: [feature(), feature()] }), "reference.features"],
  [
    "a name without its input",
    reference({ features: [feature({ name: "brightness" })] }),
    "reference.features[0].name",
  ],
  ["a name of another input", reference({ features: [feature({ name: "x.mean" })] }), "reference.features[0].name"],
  [
    "a long name",
    reference({ features: [feature({ name: `images.${"a".repeat(58)}` })] }),
    "reference.features[0].name",
  ],
  ["18 edges", reference({ features: [feature({ edges: EDGES.slice(1) })] }), "reference.features[0].edges"],
  [
    "a million edges",
    reference({ features: [feature({ edges: new Array(100_000).fill(0) })] }),
    "reference.features[0].edges",
  ],
  ["edges that fall", reference({ features: [feature({ edges: falling })] }), "reference.features[0].edges[7]"],
  [
    "an edge of NaN",
    reference({ features: [feature({ edges: EDGES.with(3, Number.NaN) })] }),
    "reference.features[0].edges[3]",
  ],
  ["an edge above the highest", reference({ features: [feature({ high: 0.9 })] }), "reference.features[0].edges[18]"],
  ["an edge below the lowest", reference({ features: [feature({ low: 0.5 })] }), "reference.features[0].edges[0]"],
  ["a highest below the lowest", reference({ features: [feature({ low: 2 })] }), "reference.features[0].high"],
  ["a text for a number", reference({ features: [feature({ low: "0" })] }), "reference.features[0].low"],
  ["missing above 1", reference({ features: [feature({ missing: 1.01 })] }), "reference.features[0].missing"],
  ["no missing", reference({ features: [feature({ missing: undefined })] }), "reference.features[0].missing"],
  ["19 shares", reference({ confidence: SHARES.slice(1) }), "reference.confidence"],
  ["shares that add up to 2", reference({ confidence: SHARES.map((share) => share * 2) }), "reference.confidence"],
  ["a negative share", reference({ confidence: SHARES.with(0, -0.05).with(1, 0.15) }), "reference.confidence[0]"],
  ["a class too many", reference({ classes: [0.2, 0.3, 0.5] }), "reference.classes"],
])("a profile is refused with its field: %s", (_name, value, field) => {
  expect(refusal(() => parse(value))).toMatchObject({ code: "model_format", data: { field } });
});

test("whatever a profile holds, it is refused or bounded and sorted", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), fc.array(fc.double()), (any, value, edges) => {
      for (const given of [
        any,
        reference({ features: [feature({ edges: value, low: any })] }),
        reference({ features: [feature({ edges })] }),
      ])
        try {
          const found = parse(given);
          for (const { edges } of found?.features ?? []) expect(edges).toEqual([...edges].sort((a, b) => a - b));
        } catch (error) {
          expect(error).toMatchObject({ code: "model_format" });
        }
    }),
  );
});
