// Each backend of a real browser computes what Node recorded; otherwise a self-test would refuse working backends.
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { readSelfTests } from "../../../../../src/cli/self-tests.js";
import { verifyPackage } from "../../../../../src/cli/verify.js";
import type { Backend, DType, TensorData } from "../../../../../src/shared/types/tensor.js";
import { compareOutputs } from "../../../../../src/worker/runtime/session/verify-session.js";
import type { LibraryPage } from "../../../../support/page.js";
import { openSharedLibrary } from "../../../../support/shared-browser.js";

let library: LibraryPage;

beforeAll(async () => {
  library = await openSharedLibrary({}, "webgpu");
});
afterAll(() => library?.close());
beforeEach(() => library.visit());

/** The model's outputs for its only input, which is float32. */
async function run(name: string, backend: Backend, { data }: TensorData): Promise<Record<string, TensorData>> {
  const encoded = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
  const outputs = await library.page.evaluate(
    async ([path, use, text]) => {
      const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
      const client = window.insitu.createClient({ backends: [use] });
      const model = await client.load(path);
      // A software GPU needs its time.
      const prediction = await model.predict(new Float32Array(bytes.buffer), { timeout: 170_000 });
      if (prediction.backend !== use) throw new Error(`${prediction.backend} ran it`);
      return Object.entries(prediction.outputs).map(([key, { data: values, shape, dtype }]) => {
        return { key, values: Array.from(values), shape, dtype: dtype as string };
      });
    },
    [`/models/${name}/`, backend, encoded] as const,
  );
  return Object.fromEntries(
    outputs.map(({ key, values, shape, dtype }) => [
      key,
      { data: new Float32Array(values), shape, dtype: dtype as DType },
    ]),
  );
}

const backends: Backend[] = ["cpu", "wasm", "webgpu"];
const cases = ["digits", "objects"].flatMap((name) => backends.map((backend): [string, Backend] => [name, backend]));

test.each(cases)("%s on %s gives what was recorded, with room to spare", async (name, backend) => {
  const folder = `models/${name}/package`;
  const { manifest } = await verifyPackage(folder);
  const tests = await readSelfTests(manifest, folder);
  expect(tests).toHaveLength(1);
  for (const { inputs, outputs, tolerance } of tests) {
    const [input] = Object.values(inputs);
    const found = compareOutputs(outputs, await run(name, backend, input as TensorData), tolerance[backend]);
    console.log(`${name} on ${backend}: the largest error is ${found.worst.toExponential(1)}`);
    // Half of it, so that a browser with another rounding passes too.
    expect(found.worst).toBeLessThan(tolerance[backend] / 2);
  }
});
