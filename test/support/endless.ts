// Models of a few kilobytes that would run for ever, or compute outputs that no device can hold.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { packModel } from "../../src/cli/pack.js";
import type { TaskFile } from "../../src/cli/task-file.js";
import { input, ints, node, scalar, weight } from "./handmade.js";
import { type HandmadePackage, packHandmade } from "./handmade-package.js";

const FLOAT = { type: "DT_FLOAT" };
const BOOL = { type: "DT_BOOL" };
const sizes = (...dims: number[]) => ({ dim: dims.map((size) => ({ size: String(size) })) });
const RAW = { kind: "raw" } as const;

/** `x` concatenated with itself `times` times: 2^times numbers. */
function doubling(times: number): HandmadePackage {
  const names = ["x", ...Array.from({ length: times }, (_, index) => `twice_${index}`)];
  const concat = names.slice(1).map((name, index) => {
    const before = names[index] as string;
    return node(name, "ConcatV2", [before, before, "axis"], { N: { i: "2" }, Tidx: { type: "DT_INT32" } });
  });
  return {
    parts: [input("x", [1, 1]), weight("axis", [], [1], "int32"), ...concat],
    inputs: ["x"],
    outputs: [names.at(-1) as string],
    task: { task: RAW, outputs: [{ name: names.at(-1) as string, dtype: "float32", shape: [1, -1] }] },
  };
}

/** One node that makes much of little. */
function blownUp(op: string, inputs: string[], constant = ints("lengths", 100_000, 100_000)): HandmadePackage {
  return {
    parts: [input("x", [1, 1]), constant, scalar("one", 1), node("large", op, inputs), node("y", "Relu", ["large"])],
    inputs: ["x"],
    outputs: ["y"],
    task: { task: RAW, outputs: [{ name: "y", dtype: "float32", shape: [-1, -1] }] },
  };
}

/** A loop made of Switch and NextIteration whose condition is always true. */
function endlessFrame(): HandmadePackage {
  return {
    parts: [
      input("x", [1]),
      scalar("step", 1),
      scalar("zero", 0),
      node("enter", "Enter", ["x"], { frame_name: { s: btoa("loop") } }),
      node("enter_step", "Enter", ["step"], { frame_name: { s: btoa("loop") }, is_constant: { b: true } }),
      node("enter_zero", "Enter", ["zero"], { frame_name: { s: btoa("loop") }, is_constant: { b: true } }),
      node("merge", "Merge", ["enter", "next"], { N: { i: "2" } }),
      // Never below zero.
      node("positive", "GreaterEqual", ["merge", "enter_zero"]),
      node("goes_on", "LoopCond", ["positive"]),
      node("switch", "Switch", ["merge", "goes_on"]),
      node("add", "AddV2", ["switch:1", "enter_step"]),
      node("next", "NextIteration", ["add"]),
      node("y", "Exit", ["switch"]),
    ],
    inputs: ["x"],
    outputs: ["y"],
    task: { task: RAW, outputs: [{ name: "y", dtype: "float32", shape: [1] }] },
  };
}

/** Packs a model without weights, which `packHandmade` cannot describe. */
async function packJson(folder: string, json: object, task: TaskFile): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const model = join(folder, "model.json");
  writeFileSync(model, JSON.stringify(json));
  await packModel({ model, out: folder, name: "endless", version: "1.0.0", task, selfTest: false, plan: false });
}

/** A StatelessWhile whose condition returns true. */
async function packEndlessWhile(folder: string): Promise<void> {
  const fn = (name: string, type: object, nodeDef: object[], result: string) => ({
    signature: { name, inputArg: [{ name: "v", ...FLOAT }], outputArg: [{ name: "r", ...type }] },
    nodeDef,
    ret: { r: result },
  });
  const model = {
    format: "graph-model",
    signature: {
      inputs: { x: { name: "x:0", dtype: "DT_FLOAT", tensorShape: sizes(1) } },
      outputs: { y: { name: "y:0", dtype: "DT_FLOAT", tensorShape: sizes(1) } },
    },
    modelTopology: {
      node: [
        { name: "x", op: "Placeholder", attr: { dtype: FLOAT, shape: { shape: sizes(1) } } },
        {
          name: "loop",
          op: "StatelessWhile",
          input: ["x"],
          attr: {
            cond: { func: { name: "goes_on" } },
            body: { func: { name: "round" } },
            T: { list: { type: ["DT_FLOAT"] } },
            output_shapes: { list: { shape: [sizes(1)] } },
          },
        },
        { name: "y", op: "Identity", input: ["loop"], attr: { T: FLOAT } },
      ],
      library: {
        function: [
          fn("goes_on", BOOL, [{ name: "is_it", op: "Equal", input: ["v", "v"], attr: { T: FLOAT } }], "is_it:z:0"),
          fn("round", FLOAT, [{ name: "sum", op: "AddV2", input: ["v", "v"], attr: { T: FLOAT } }], "sum:z:0"),
        ],
      },
      versions: { producer: 1, minConsumer: 1 },
    },
    weightsManifest: [],
  };
  await packJson(folder, model, { task: RAW });
}

/** A layers model whose first layer repeats its input a thousand million times. */
async function packHugeLayer(folder: string): Promise<void> {
  const layer = (class_name: string, config: object) => ({ class_name, config: { trainable: true, ...config } });
  const model = {
    format: "layers-model",
    modelTopology: {
      class_name: "Sequential",
      config: {
        name: "huge",
        layers: [
          layer("RepeatVector", { name: "many", n: 1e9, batch_input_shape: [null, 4], dtype: "float32" }),
          layer("GlobalAveragePooling1D", { name: "mean" }),
        ],
      },
    },
    weightsManifest: [],
  };
  await packJson(folder, model, { task: RAW, outputs: [{ name: "mean", dtype: "float32", shape: [-1, 4] }] });
}

/** Writes a package by its name. */
export const ENDLESS: Record<string, (folder: string) => Promise<void>> = {
  "forty concatenations": (folder) => packHandmade(folder, doubling(40)),
  "a Tile": (folder) => packHandmade(folder, blownUp("Tile", ["x", "lengths"])),
  "random numbers": (folder) => packHandmade(folder, blownUp("RandomUniform", ["lengths"])),
  "a Fill": (folder) => packHandmade(folder, blownUp("Fill", ["lengths", "one"])),
  "a sum of a row and a column": (folder) =>
    packHandmade(folder, {
      ...blownUp("Tile", ["x", "lengths"]),
      parts: [
        input("x", [1, 1]),
        ints("across", 1, 1_000_000),
        ints("down", 1_000_000, 1),
        node("row", "Tile", ["x", "across"]),
        node("column", "Tile", ["x", "down"]),
        node("large", "AddV2", ["row", "column"]),
        node("y", "Relu", ["large"]),
      ],
    }),
  "a layer": packHugeLayer,
  "a StatelessWhile": packEndlessWhile,
  "a frame": (folder) => packHandmade(folder, endlessFrame()),
};
