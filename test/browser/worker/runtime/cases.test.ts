// Small models of other people that were refused or answered wrongly once, with the outputs of plain TensorFlow.js (test/fixtures/cases).
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type PackOptions, packModel } from "../../../../src/cli/pack.js";
import type { TaskFile } from "../../../../src/cli/task-file.js";
import type { Manifest } from "../../../../src/shared/types/manifest.js";
import type { DType } from "../../../../src/shared/types/tensor.js";
import type { LibraryPage } from "../../../support/page.js";
import { openSharedLibrary } from "../../../support/shared-browser.js";

interface Numbers {
  dtype: DType;
  shape: number[];
  /** JSON has no infinite numbers. */
  data: (number | "-Infinity")[];
}

const CASES = "test/fixtures/cases";
const expected = JSON.parse(readFileSync(join(CASES, "expected.json"), "utf8")) as Record<
  string,
  { inputs: Record<string, Numbers>; outputs: Record<string, Numbers> }
>;

const root = mkdtempSync(join(tmpdir(), "insitu-cases-"));
let library: LibraryPage;
beforeAll(async () => {
  library = await openSharedLibrary({ mounts: { "/cases/": root } });
});
afterAll(async () => {
  rmSync(root, { recursive: true });
  await library?.close();
});

/** With the options that a stranger gives: none but the folder. */
async function pack(name: string, out: string, more: Partial<PackOptions> = {}): Promise<Manifest> {
  return packModel({ model: join(CASES, name), out: join(root, out), ...more });
}

/** Loads the package and predicts twice: a constant of the model must outlive the first run. */
async function predictTwice(folder: string, backend: "wasm" | "cpu", inputs: Record<string, Numbers>) {
  return library.page.evaluate(
    async ([path, use, given]) => {
      const arrays = { float32: Float32Array, int32: Int32Array, bool: Uint8Array };
      const client = window.insitu.createClient({ backends: [use] });
      const model = await client.load(path);
      // A graph's inputs are tensors: `x:0` for the node `x`.
      const feeds = Object.fromEntries(
        model.info.inputs.map(({ name }) => {
          const { dtype, data } = given[name.replace(/:0$/, "")] as Numbers;
          return [name, arrays[dtype].from(data.map(Number))];
        }),
      );
      const results = [await model.predict(feeds), await model.predict(feeds)];
      await client.dispose();
      return results.map(({ value, outputs }) => ({
        value: JSON.stringify(value),
        outputs: Object.fromEntries(
          Object.entries(outputs).map(([name, { data, dtype, shape }]) => [
            name,
            { type: data.constructor.name, dtype, shape, data: [...data] },
          ]),
        ),
      }));
    },
    [`/cases/${folder}/`, backend, inputs] as const,
  );
}

const ARRAYS = { float32: "Float32Array", int32: "Int32Array", bool: "Uint8Array" };

describe.each(Object.keys(expected))("%s", (name) => {
  const { inputs, outputs } = expected[name] as (typeof expected)[string];

  test.each(["wasm", "cpu"] as const)(
    "gives on %s what TensorFlow.js gives, in arrays of the declared dtype",
    async (backend) => {
      await pack(name, `${name}-${backend}`);
      for (const result of await predictTwice(`${name}-${backend}`, backend, inputs)) {
        expect(Object.keys(result.outputs).sort()).toEqual(Object.keys(outputs).sort());
        for (const [output, { dtype, shape, data }] of Object.entries(outputs)) {
          const found = result.outputs[output];
          expect(found, output).toMatchObject({ type: ARRAYS[dtype], dtype, shape });
          expect(found?.data.length, output).toBe(data.length);
          for (const [index, number] of data.entries()) {
            const actual = found?.data[index] as number;
            if (typeof number === "string") expect(actual, output).toBe(Number.NEGATIVE_INFINITY);
            else expect(Math.abs(actual - number) / Math.max(1, Math.abs(number)), output).toBeLessThan(1e-4);
          }
        }
      }
    },
  );
});

describe("outputs of a layers model", () => {
  const { inputs } = expected.twoheads as (typeof expected)[string];
  const outputsOf = (...names: string[]) => names.map((name) => ({ name }));

  test.each<[what: string, task: TaskFile, value: string]>([
    ["one of two", { task: { kind: "regression", output: "gender" }, outputs: outputsOf("gender") }, "[400]"],
    ["in another order", { task: { kind: "regression", output: "age" }, outputs: outputsOf("gender", "age") }, "[4]"],
  ])("are selected by name: %s", async (what, task, value) => {
    const folder = `heads-${what.replaceAll(" ", "-")}`;
    await pack("twoheads", folder, { task });
    for (const backend of ["wasm", "cpu"] as const)
      expect((await predictTwice(folder, backend, inputs)).map((result) => result.value)).toEqual([value, value]);
  });
});

describe("a model that cannot run is refused with the reason and the way out", () => {
  test("Keras 3's model.json, with the layer", async () => {
    await expect(pack("keras3", "keras3")).rejects.toMatchObject({
      code: "model_format",
      data: { layer: "x" },
      message: expect.stringMatching(
        /Keras 3 wrote this.*the layer x \(InputLayer\).*export\("saved_model"\).*tensorflowjs_converter/s,
      ),
    });
  });

  test("a string input, even if it is said to be float32", async () => {
    const refused = {
      code: "model_format",
      message: expect.stringMatching(/input "s:0" of type string.*in JavaScript/),
    };
    await expect(pack("strin", "strin")).rejects.toMatchObject(refused);
    const inputs = [{ name: "s:0", dtype: "float32" as const }];
    await expect(pack("strin", "strin", { task: { inputs } })).rejects.toMatchObject(refused);
  });
});

/** Predicts once for each array; the model has one input. */
function predictEach(folder: string, arrays: number[][]) {
  return library.page.evaluate(
    async ([path, all]) => {
      const client = window.insitu.createClient({ backends: ["wasm"] });
      const model = await client.load(path);
      const dtype = model.info.inputs[0]?.dtype;
      const given = all.map((numbers) => (dtype === "int32" ? Int32Array.from(numbers) : Float32Array.from(numbers)));
      // At the same time: sequences of different lengths must not become one batch.
      const results = await Promise.allSettled(given.map((data) => model.predict(data)));
      await client.dispose();
      return results.map((result) =>
        result.status === "fulfilled"
          ? {
              value: result.value.value as { label: string; score: number }[],
              outputs: Object.values(result.value.outputs).map(({ data, shape }) => ({ shape, data: [...data] })),
            }
          : { code: (result.reason as { code: string }).code, message: String(result.reason) },
      );
    },
    [`/cases/${folder}/`, arrays] as const,
  );
}

test("a model of any number of tokens takes any, each by itself", async () => {
  await pack("seqlen", "tokens");
  const results = await predictEach("tokens", [
    [0, 1, 2, 3, 4],
    [7],
    Array.from({ length: 40 }, (_, index) => index % 20),
    [0, 1, 2, 3, 4],
    [],
  ]);
  const first = expected.seqlen?.outputs.out?.data as number[];
  for (const index of [0, 3]) expect(results[index]?.outputs?.[0]?.data[0]).toBeCloseTo(first[0] as number, 5);
  expect(new Set(results.slice(0, 3).map(({ outputs }) => outputs?.[0]?.data[0])).size).toBe(3);
  expect(results[2]?.outputs?.[0]?.shape).toEqual([1, 2]);
  expect(results[4]).toMatchObject({ code: "input_invalid" });
});

test("one sigmoid unit gives the scores of both labels", async () => {
  const labels = join(root, "labels.txt");
  writeFileSync(labels, "no\nyes\n");
  const { task } = await pack("sigmoid", "sigmoid-labels", { labels });
  expect(task).toEqual({ kind: "classification", labels: ["no", "yes"] });
  const { inputs, outputs } = expected.sigmoid as (typeof expected)[string];
  const score = outputs.out?.data[0] as number;
  const [result] = await predictEach("sigmoid-labels", [inputs.out_input?.data as number[]]);
  expect(result?.value).toEqual([
    { label: "yes", index: 1, score: expect.closeTo(score, 5) },
    { label: "no", index: 0, score: expect.closeTo(1 - score, 5) },
  ]);
});
