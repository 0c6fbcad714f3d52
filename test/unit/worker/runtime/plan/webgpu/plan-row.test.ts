// The row of a model's plans on WebGPU: what is written is read again, and what no version writes is refused.
import { beforeEach, expect, test } from "vitest";
import { openNote, sealNote } from "../../../../../../src/worker/package/store/note-format.js";
import { plansOf, writePlans } from "../../../../../../src/worker/runtime/plan/webgpu/plan-row.js";
import type { StoredGpuPlan } from "../../../../../../src/worker/runtime/plan/webgpu/stored-plan.js";
import { Dice } from "../../../../../support/kernel-dice.js";

const planFor = (key: string): StoredGpuPlan => ({
  part: "run",
  key,
  inputs: [{ name: "x", tensor: 0 }],
  outputs: [
    { shape: [1, 4], dtype: "float32", tensor: 3, stored: "int32" },
    { shape: [2], dtype: "int32", data: Int32Array.of(7, -1) },
  ],
  tensors: [
    { bytes: 16, born: 0, dies: Number.POSITIVE_INFINITY },
    { bytes: 16, born: 0, dies: Number.POSITIVE_INFINITY, weight: "w" },
    { bytes: 4, born: 0, dies: 2, data: Uint8Array.of(1, 2, 3, 4) },
    { bytes: 16, born: 1, dies: Number.POSITIVE_INFINITY },
  ],
  steps: [
    { shader: "first", workgroups: [1, 2, 3], tensors: [3, 0, 1], uniforms: Uint8Array.of(1, 2, 3) },
    { shader: "second", workgroups: [4, 1, 1], tensors: [3, 2], uniforms: Uint8Array.of(4) },
    { shader: "first", workgroups: [1, 1, 1], tensors: [3, 0, 1], uniforms: Uint8Array.of(5, 6) },
  ],
});

// biome-ignore lint/suspicious/noExplicitAny: fields of it are replaced by anything
let row: any;
const cell = {
  read: async () => row,
  // As the store keeps it.
  async write(value: unknown) {
    row = (await openNote(await sealNote(value)))?.value;
  },
};
const PLANS = [planFor("run x:float32:1,4"), planFor("run x:float32:8,4")];

beforeEach(() => writePlans(cell, "this one", PLANS));

test("plans are read as they were written, their shaders once", () => {
  expect(plansOf(row, "this one")).toEqual(PLANS);
  expect(row.shaders).toEqual(["first", "second"]);
});

test.each(["another", ""])("those of another adapter are none here: %j", (gpu) => {
  expect(plansOf(row, gpu)).toEqual([]);
});

/** Of the row, and of its first plan. */
const ODD: [what: string, change: () => void][] = [
  ["no row", () => { row = 5; }],
  ["another format", () => { row.format = 0; }],
  ["another version of the library", () => { row.library = "0.0.1"; }],
  ["plans that are no list", () => { row.plans = {}; }],
  ["shaders that are not text", () => { row.shaders = [1, 2]; }],
  ["a shader that is missing", () => { row.shaders = ["first"]; }],
  ["a plan that is empty", () => { row.plans = [{}]; }],
  ["a plan that is nothing", () => { row.plans = [null]; }],
  ["another part", () => { row.plans[0].part = "train"; }],
  ["a key that is not text", () => { row.plans[0].key = 1; }],
  ["an input that is no tensor", () => { row.plans[0].inputs[0].tensor = 4; }],
  ["an output that is no tensor", () => { row.plans[0].outputs[0].tensor = -1; }],
  ["an output of another dtype", () => { row.plans[0].outputs[0].stored = "string"; }],
  ["an output of another shape", () => { row.plans[0].outputs[0].shape = [Number.NaN]; }],
  ["a tensor without bytes", () => { row.plans[0].tensors[0].bytes = 1.5; }],
  ["a constant of another length", () => { row.plans[0].tensors[2].data = Uint8Array.of(1); }],
  ["a weight that is not text", () => { row.plans[0].tensors[1].weight = {}; }],
  ["a step without tensors", () => { row.plans[0].steps[0].tensors = []; }],
  ["a step of a tensor that is none", () => { row.plans[0].steps[0].tensors[1] = 9; }],
  ["two workgroups", () => { row.plans[0].steps[0].workgroups = [1, 1]; }],
  ["workgroups that are negative", () => { row.plans[0].steps[0].workgroups[0] = -1; }],
  ["uniforms that are too short", () => { row.plans[0].uniforms = Uint8Array.of(1); }],
  ["uniforms of a negative length", () => { row.plans[0].steps[0].uniforms = -3; }],
]; // biome-ignore format: one line each

test.each(ODD)("a row is refused for %s", (_, change) => {
  change();
  expect(plansOf(row, "this one")).toEqual([]);
});

test("whatever a field becomes, the row is refused or read, and nothing throws", async () => {
  const dice = new Dice(5);
  const values = [undefined, null, -1, 1e300, Number.NaN, "x", [], {}, true, [[[]]], Uint8Array.of(9)];
  let refused = 0;
  for (let round = 0; round < 2_000; round += 1) {
    await writePlans(cell, "this one", PLANS);
    let at = row;
    for (;;) {
      const keys = Object.keys(at);
      const key = dice.pick(keys);
      const inner = at[key];
      if (inner && typeof inner === "object" && Object.keys(inner).length > 0 && dice.next() < 0.8) at = inner;
      else {
        at[key] = dice.pick(values);
        break;
      }
    }
    if (plansOf(row, "this one").length === 0) refused += 1;
  }
  expect(refused).toBeGreaterThan(1_000);
});
