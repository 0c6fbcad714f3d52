// The manifest's plans: what is read, and what is refused. A plan of another binary is read too: the loader leaves it alone.
import { expect, test } from "vitest";
import { parseManifest } from "../../../../src/worker/package/manifest.js";

const sha256 = "0".repeat(64);
const plan = { path: "plan-run.json", inputs: { x: [1, 4] }, binary: sha256 };
const read = (plans: unknown) =>
  parseManifest(
    JSON.stringify({
      insitu: 1,
      name: "tiny",
      version: "1.0.0",
      release: 1,
      format: "tfjs-graph-model",
      files: ["model.json", "plan-run.json"].map((path) => ({ path, size: 2, sha256 })),
      inputs: [{ name: "x", dtype: "float32", shape: [-1, 4] }],
      outputs: [{ name: "y", dtype: "float32", shape: [-1, 2] }],
      task: { kind: "raw" },
      plans,
    }),
    "https://example.com/insitu.json",
  ).plans;

test("plans are read, without fields that this version does not know", () => {
  expect(read(undefined)).toBeUndefined();
  expect(read([])).toEqual([]);
  expect(read([{ ...plan, later: 1 }])).toEqual([plan]);
  expect(read([{ ...plan, binary: "of another version" }])).toEqual([{ ...plan, binary: "of another version" }]);
});

test.each<[what: string, plans: unknown, field: string]>([
  ["no list", {}, "plans"],
  ["more than 16", Array.from({ length: 17 }, () => plan), "plans"],
  ["no object", ["plan-run.json"], "plans[0]"],
  ["a file that is not listed", [{ ...plan, path: "other.json" }], "plans[0].path"],
  ["no file", [{ ...plan, path: 1 }], "plans[0].path"],
  ["no inputs", [{ ...plan, inputs: undefined }], "plans[0].inputs"],
  ["too few inputs", [{ ...plan, inputs: {} }], "plans[0].inputs"],
  ["another input", [{ ...plan, inputs: { z: [1, 4] } }], "plans[0].inputs.z"],
  ["an open shape", [{ ...plan, inputs: { x: [-1, 4] } }], "plans[0].inputs.x"],
  ["no binary", [{ ...plan, binary: undefined }], "plans[0].binary"],
])("%s is refused", (_, plans, field) => {
  expect(() => read(plans)).toThrow(expect.objectContaining({ code: "model_format", data: expect.objectContaining({ field: expect.stringContaining(field) }) })); // biome-ignore format: one line
});
