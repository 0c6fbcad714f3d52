// Small models of other people that were answered wrongly once, with the outputs of plain TensorFlow.js (test/fixtures/cases).
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packModel } from "../../../../src/cli/pack.js";
import type { TaskFile } from "../../../../src/cli/task-file.js";
import type { DType } from "../../../../src/shared/types/tensor.js";
import type { LibraryPage } from "../../../support/page.js";
import { openSharedLibrary } from "../../../support/shared-browser.js";

interface Numbers {
  dtype: DType;
  shape: number[];
  data: number[];
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

async function pack(name: string, out: string, task?: TaskFile): Promise<void> {
  await packModel({ model: join(CASES, name, "model.json"), out: join(root, out), name, version: "1.0.0", task });
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
          return [name, arrays[dtype].from(data)];
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
          for (const [index, number] of data.entries()) expect(found?.data[index], output).toBeCloseTo(number, 2);
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
    await pack("twoheads", folder, task);
    for (const backend of ["wasm", "cpu"] as const)
      expect((await predictTwice(folder, backend, inputs)).map((result) => result.value)).toEqual([value, value]);
  });
});
